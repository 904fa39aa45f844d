import type { VirtualBench } from "../../drivers/virtual/bench.ts";
import { optionNames, type OptionWords } from "../../drivers/virtual/chips.ts";
import type { BulkOpener } from "../../src/ports/index.ts";
import { sampleFirmware } from "../support/sample-job.ts";
import { cleanJob } from "./job.ts";

/** More transfers than any run may take: three times what the longest wait of an install amounts to. */
export const transferLimit = 60_000;

/** Where the package may write: its firmware, and the sector of its continuation token. Offsets in flash. */
const firmware = cleanJob.segments[0]?.data ?? sampleFirmware(0);
const firmwareEnd = Math.ceil(firmware.length / 32) * 32;
const tokenSector = { start: 0x1e0000, end: 0x200000 } as const;
const blank = Buffer.alloc(0x200000, 0xff);

/** What the chip really holds, looked at directly and not over the wire. */
export interface ChipTruth {
  readonly options: OptionWords;
  /** The firmware, all of it, and nothing else. */
  readonly holdsFirmware: boolean;
  readonly flashBlank: boolean;
  /** Nothing outside the package's area and the token's sector. */
  readonly restBlank: boolean;
}

export function lookAt(bench: VirtualBench): ChipTruth {
  const flash = Buffer.from(
    bench.chip.flashBytes.buffer,
    bench.chip.flashBytes.byteOffset,
    bench.chip.flashBytes.length,
  );
  const isBlank = (start: number, end: number): boolean =>
    flash.compare(blank, start, end, start, end) === 0;
  const restBlank =
    isBlank(firmwareEnd, tokenSector.start) && isBlank(tokenSector.end, flash.length);
  return {
    options: bench.chip.options(),
    holdsFirmware:
      flash.subarray(0, firmware.length).equals(firmware) &&
      isBlank(firmware.length, flash.length),
    flashBlank: isBlank(0, flash.length),
    restBlank,
  };
}

export function sameOptions(a: OptionWords, b: OptionWords): boolean {
  return optionNames.every((name) => a[name] === b[name]);
}

/** Number of bits in which two sets of option words differ. */
export function differingBits(a: OptionWords, b: OptionWords): number {
  return optionNames.reduce((sum, name) => {
    let bits = 0;
    for (let word = (a[name] ^ b[name]) >>> 0; word !== 0; word &= word - 1) bits++;
    return sum + bits;
  }, 0);
}

/** A change of what outlives a reset, and the state of the install in which it came about. */
export interface LastingChange {
  readonly what: "options" | "program" | "erase";
  readonly state: string;
  /** RSS did it by itself. */
  readonly byRss: boolean;
}

/** Watches option bytes and flash of a bench's chip. `state` says where the install is. */
export function watchChip(bench: VirtualBench, state: () => string): readonly LastingChange[] {
  const changes: LastingChange[] = [];
  const { options, array } = bench.chip.flash;
  const note = (what: LastingChange["what"]): void => {
    changes.push({ what, state: state(), byRss: bench.chip.rss.running });
  };
  const apply = options.apply.bind(options);
  options.apply = (change) => {
    note("options");
    apply(change);
  };
  const program = array.program.bind(array);
  array.program = (offset, data) => {
    note("program");
    program(offset, data);
  };
  const erase = array.erase.bind(array);
  array.erase = (offset, sizeBytes) => {
    note("erase");
    erase(offset, sizeBytes);
  };
  return changes;
}

/** The bench's opener, refusing transfers past the limit: a run that never ends ends there, as INTERNAL. */
export function limitedOpener(bench: VirtualBench): BulkOpener {
  const count = (): void => {
    if (bench.transfers().count >= transferLimit) throw new RangeError("the run does not end");
  };
  return {
    attachment: bench.opener.attachment,
    async open(options) {
      const port = await bench.opener.open(options);
      return {
        send: async (data, timeoutMs) => {
          count();
          await port.send(data, timeoutMs);
        },
        receive: async (sizeBytes, timeoutMs) => {
          count();
          return await port.receive(sizeBytes, timeoutMs);
        },
        close: () => port.close(),
      };
    },
  };
}
