import { firstDifference } from "../bytes/bytes.ts";
import { chunks, spans } from "../bytes/chunks.ts";
import { hex32, hexNumber } from "../bytes/hex.ts";
import { alignDown, alignUp } from "../bytes/numbers.ts";
import { StationError } from "../errors/station-error.ts";
import type { Clock, Memory } from "../ports/index.ts";
import { withBank } from "./flash-controller.ts";
import { type AddressRange, bankRanges, banksOf, sectorsIn } from "./flash-layout.ts";
import type { DeviceManifest, FlashBankFacts, Variant } from "./manifest-types.ts";
import {
  flashAddress,
  flashRegisters,
  plainFlashAddress,
  plainFlashRange,
  readView,
  type WorldView,
} from "./trust-zone.ts";

/** How a long transfer tells where it is and is stopped. */
export interface TransferOptions {
  /** Called after every block with the bytes done so far. */
  readonly onProgress?: (doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Bytes programmed between two looks at the status: four of the largest ST-LINK blocks, so that the look costs
 * little. The write buffer holds the bus until it has room, so nothing has to be paced.
 */
const programBlockBytes = 4 * 6144;
/** Bytes read between two progress reports. */
const readBlockBytes = 8 * 6144;

/**
 * Erases every sector that the range touches.
 * @returns the sectors' ranges
 * @throws FLASH_ERASE_FAILED; USAGE_INVALID when the range leaves the flash
 */
export async function eraseSectors(
  memory: Memory,
  clock: Clock,
  manifest: DeviceManifest,
  range: AddressRange,
  options: TransferOptions = {},
): Promise<AddressRange[]> {
  const { control, deadlines } = manifest.flash;
  const sectors = sectorsIn(manifest, plainFlashRange(manifest, range));
  const view = await readView(memory, manifest);
  let doneBytes = 0;
  for (const bank of new Set(sectors.map((sector) => sector.bank))) {
    const at = hex32(bank.address);
    await withBank(memory, clock, manifest, bank, view, "FLASH_ERASE_FAILED", at, async (open) => {
      for (const { number, address, sizeBytes } of sectors.filter((sector) => sector.bank === bank)) {
        options.signal?.throwIfAborted();
        const select = control.parallelism | (bank.select ?? 0);
        const erase = control.sectorErase | select | (number << control.sectorShift);
        await open.control(erase | control.start);
        await open.finish(hex32(address), deadlines.sectorEraseMs);
        doneBytes += sizeBytes;
        options.onProgress?.(doneBytes);
      }
    });
  }
  return sectors.map(({ address, sizeBytes }) => ({ address, sizeBytes }));
}

/**
 * Erases all banks of the variant: at the same time in the flash where each has a controller of its own.
 * @throws FLASH_ERASE_FAILED
 */
export async function eraseAll(
  memory: Memory,
  clock: Clock,
  manifest: DeviceManifest,
  variant: Variant,
): Promise<void> {
  const view = await readView(memory, manifest);
  const banks = banksOf(manifest, variant);
  const controllers = new Set(banks.map((bank) => flashRegisters(bank, view).control));
  if (controllers.size === banks.length) await eraseBanks(memory, clock, manifest, view, banks, []);
  else for (const bank of banks) await eraseBanks(memory, clock, manifest, view, [bank], []);
}

/** Starts the erase of every bank before the first one is waited for. */
async function eraseBanks(
  memory: Memory,
  clock: Clock,
  manifest: DeviceManifest,
  view: WorldView,
  banks: readonly FlashBankFacts[],
  finishing: readonly (() => Promise<void>)[],
): Promise<void> {
  const [bank, ...others] = banks;
  if (bank === undefined) {
    for (const finish of finishing) await finish();
    return;
  }
  const { control, deadlines } = manifest.flash;
  const at = hex32(bank.address);
  await withBank(memory, clock, manifest, bank, view, "FLASH_ERASE_FAILED", at, async (open) => {
    const erase = (bank.bankErase ?? control.bankErase) | (bank.select ?? 0);
    await open.control(erase | control.parallelism | control.start);
    await eraseBanks(memory, clock, manifest, view, others, [
      ...finishing,
      () => open.finish(at, deadlines.bankEraseMs),
    ]);
  });
}

/**
 * Programs erased flash. What does not begin or end on a flash word is padded with erased bytes.
 * @throws FLASH_PROGRAM_FAILED with the address of the block; USAGE_INVALID when the data leaves the flash
 */
export async function programFlash(
  memory: Memory,
  clock: Clock,
  manifest: DeviceManifest,
  address: number,
  data: Uint8Array,
  options: TransferOptions = {},
): Promise<void> {
  const { flash } = manifest;
  const view = await readView(memory, manifest);
  const padded = padToWords(manifest, plainFlashAddress(manifest, address), data);
  let doneBytes = 0;
  const range = { address: padded.address, sizeBytes: padded.data.length };
  for (const { bank, ...piece } of bankRanges(manifest, range)) {
    const start = piece.address - padded.address;
    const bytes = padded.data.subarray(start, start + piece.sizeBytes);
    await withBank(
      memory,
      clock,
      manifest,
      bank,
      view,
      "FLASH_PROGRAM_FAILED",
      hex32(piece.address),
      async (open) => {
        await open.control(flash.control.program | flash.control.parallelism);
        for (const block of chunks(flashAddress(manifest, view, piece.address), bytes, programBlockBytes)) {
          options.signal?.throwIfAborted();
          await memory.write(block.address, block.data);
          await open.finish(hex32(block.address), flash.deadlines.programMs);
          doneBytes += block.data.length;
          options.onProgress?.(Math.min(doneBytes, data.length));
        }
      },
    );
  }
}

/** Reads flash, or any other memory, block by block. */
export async function readFlash(
  memory: Memory,
  address: number,
  sizeBytes: number,
  options: TransferOptions = {},
): Promise<Uint8Array> {
  const bytes = new Uint8Array(sizeBytes);
  for await (const block of readBlocks(memory, { address, sizeBytes }, options)) {
    bytes.set(block.data, block.address - address);
    options.onProgress?.(block.address - address + block.data.length);
  }
  return bytes;
}

/**
 * Compares flash with what it should hold; stops at the first block that differs.
 * @throws VERIFY_MISMATCH with the first address that differs
 */
export async function verifyFlash(
  memory: Memory,
  address: number,
  data: Uint8Array,
  options: TransferOptions = {},
): Promise<void> {
  const range = { address, sizeBytes: data.length };
  for await (const block of readBlocks(memory, range, options)) {
    const offset = block.address - address;
    const difference = firstDifference(block.data, data.subarray(offset, offset + block.data.length));
    if (difference !== -1) {
      throw StationError.of("VERIFY_MISMATCH", {
        address: hex32(block.address + difference),
        expected: hexNumber(data[offset + difference] ?? 0, 2),
        actual: hexNumber(block.data[difference] ?? 0, 2),
      });
    }
    options.onProgress?.(offset + block.data.length);
  }
}

/** The first address in the ranges that is not erased; undefined when all are. Stops at the first block with one. */
export async function firstNotBlank(
  memory: Memory,
  manifest: DeviceManifest,
  ranges: readonly AddressRange[],
  options: TransferOptions = {},
): Promise<number | undefined> {
  let doneBytes = 0;
  const view = await readView(memory, manifest);
  for (const { address: start, sizeBytes } of ranges) {
    const range = { address: flashAddress(manifest, view, start), sizeBytes };
    for await (const { address, data } of readBlocks(memory, range, options)) {
      const written = firstOther(data, manifest.flash.erasedByte);
      if (written !== -1) return plainFlashAddress(manifest, address + written);
      doneBytes += data.length;
      options.onProgress?.(doneBytes);
    }
  }
  return undefined;
}

/** True when every byte of the ranges is erased. */
export async function isBlank(
  memory: Memory,
  manifest: DeviceManifest,
  ranges: readonly AddressRange[],
): Promise<boolean> {
  return (await firstNotBlank(memory, manifest, ranges)) === undefined;
}

async function* readBlocks(
  memory: Memory,
  range: AddressRange,
  { signal }: TransferOptions,
): AsyncGenerator<{ readonly address: number; readonly data: Uint8Array }> {
  for (const { address, sizeBytes } of spans(range.address, range.sizeBytes, readBlockBytes)) {
    signal?.throwIfAborted();
    yield { address, data: await memory.read(address, sizeBytes) };
  }
}

/** Index of the first byte that is not `value`; -1 when all are. */
function firstOther(bytes: Uint8Array, value: number): number {
  // A loop, because a blank check calls it with the whole flash and a callback a byte takes ten times as long.
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== value) return i;
  return -1;
}

function padToWords(
  { flash }: DeviceManifest,
  address: number,
  data: Uint8Array,
): { address: number; data: Uint8Array } {
  const start = alignDown(address, flash.wordBytes);
  const end = alignUp(address + data.length, flash.wordBytes);
  if (start === address && end === address + data.length) return { address, data };
  const padded = new Uint8Array(end - start).fill(flash.erasedByte);
  padded.set(data, address - start);
  return { address: start, data: padded };
}
