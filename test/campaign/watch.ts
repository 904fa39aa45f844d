import type { VirtualBench } from "../../drivers/virtual/bench.ts";
import { H7FlashController } from "../../drivers/virtual/chip/h7/flash.ts";
import type { OptionWords } from "../../drivers/virtual/models/flash-model.ts";
import type { BulkOpener } from "../../src/ports/index.ts";
import { cleanJob, firmware } from "./job.ts";

/** More transfers than a run and what follows it may take: several times what the longest waits amount to. */
export const transferLimit = 60_000;

const flashWordBytes = 32;
const firmwareEnd = Math.ceil(firmware.length / flashWordBytes) * flashWordBytes;
const sectorBytes = 0x20000;
const tokenAddress = cleanJob.package.areas.find(({ type }) => type === "P")?.address ?? 0;
const tokenSector = Math.floor((tokenAddress - 0x08000000) / sectorBytes) * sectorBytes;
const blank = Buffer.alloc(0x200000, 0xff);

/** What the chip really holds, looked at directly and not over the wire. */
export interface ChipTruth {
  readonly options: OptionWords;
  /** The firmware, all of it, and nothing else. */
  readonly holdsFirmware: boolean;
  readonly flashBlank: boolean;
  /** Nothing but erased bytes outside the package's firmware and the sector of its continuation token. */
  readonly restBlank: boolean;
}

export function lookAt(bench: VirtualBench): ChipTruth {
  const { buffer, byteOffset, length } = bench.chip.flashBytes;
  const flash = Buffer.from(buffer, byteOffset, length);
  const isBlank = (start: number, end: number): boolean => flash.compare(blank, start, end, start, end) === 0;
  return {
    options: bench.chip.options(),
    holdsFirmware: flash.subarray(0, firmware.length).equals(firmware) && isBlank(firmware.length, length),
    flashBlank: isBlank(0, length),
    restBlank: isBlank(firmwareEnd, tokenSector) && isBlank(tokenSector + sectorBytes, length),
  };
}

/** A change of what outlives a reset that the station asked for, and the state of the install it was in. */
export interface LastingChange {
  readonly what: "option write" | "program" | "erase";
  readonly state: string;
}

/** FLASH_OPTCR by its two addresses, and OPTSTART in it (RM0433 4.9.7). */
const optionControl: readonly number[] = [0x18, 0x118];
const optionStart = 1 << 1;

/** The flash controller of the bench's chip, which the campaign knows as an H7. */
export function h7FlashOf({ chip: { flash } }: VirtualBench): H7FlashController {
  if (!(flash instanceof H7FlashController)) throw new RangeError("the campaign is for the H7");
  return flash;
}

/**
 * Watches option bytes and flash of a bench's chip. What RSS does by itself does not count; an option write counts when
 * it is started, and the erasure it brings is part of it.
 * @param state says where the install is
 */
export function watchChip(bench: VirtualBench, state: () => string): readonly LastingChange[] {
  const changes: LastingChange[] = [];
  const { optionBytes: options, cells } = h7FlashOf(bench);
  let applying = false;
  const note = (what: LastingChange["what"]): void => {
    if (!bench.chip.rss.running && !applying) changes.push({ what, state: state() });
  };
  const apply = options.apply.bind(options);
  options.apply = (change) => {
    applying = true;
    apply(change);
    applying = false;
  };
  const write = options.write.bind(options);
  options.write = (offset, value) => {
    const wasPending = bench.chip.store.get("optionPending");
    const taken = write(offset, value);
    const started = optionControl.includes(offset) && (value & optionStart) !== 0;
    if (started && wasPending === 0 && bench.chip.store.get("optionPending") === 1) note("option write");
    return taken;
  };
  const program = cells.program.bind(cells);
  cells.program = (offset, data) => {
    note("program");
    program(offset, data);
  };
  const erase = cells.erase.bind(cells);
  cells.erase = (offset, sizeBytes) => {
    note("erase");
    erase(offset, sizeBytes);
  };
  return changes;
}

/** The bench's opener, which refuses transfers past the limit: a run that never ends ends there. */
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
