import type { OptionWords } from "../chips.ts";
import type { ChipStore } from "../store.ts";
import { type ProtectedArea, protectedArea } from "./option-rules.ts";

export const flashWordBytes = 32;
export const sectorBytes = 0x20000;
export const bankBytes = 0x100000;
export const sectorsPerBank = 8;

/** Why a part of the array may not be read. */
export type ReadRefusal = "pcrop" | "secure" | "ecc";

/**
 * The cells of the flash with one ECC flag for each 256-bit word. Offsets count from the first byte of bank 1.
 * What may be done to them is the controller's business; here is only what happens when it is done.
 */
export class FlashArray {
  readonly #store: ChipStore;

  constructor(store: ChipStore) {
    this.#store = store;
  }

  /** The cells. A view: do not write. */
  get bytes(): Uint8Array {
    return this.#store.region("flash");
  }

  /**
   * Programs one flash word. Programming only clears bits; a word that does not end up as asked for has an ECC that
   * fits nothing and faults when it is read (RM0433 4.3.9: a word may be programmed once between erasures).
   */
  program(offset: number, data: Uint8Array): void {
    const old = this.bytes.subarray(offset, offset + flashWordBytes);
    const result = old.map((byte, i) => byte & (data[i] ?? 0xff));
    if (result.some((byte, i) => byte !== data[i])) this.#setEcc(offset, true);
    this.#store.write("flash", offset, result);
  }

  /** Erases `sizeBytes` bytes: all ones, ECC good. Both multiples of the flash word. */
  erase(offset: number, sizeBytes: number): void {
    this.#store.fill("flash", offset, sizeBytes, 0xff);
    this.#store.fill("flashEcc", offset / flashWordBytes / 8, sizeBytes / flashWordBytes / 8, 0);
  }

  isBlank(offset: number, sizeBytes: number): boolean {
    const bytes = this.bytes;
    for (let at = offset; at < offset + sizeBytes; at++) if (bytes[at] !== 0xff) return false;
    return true;
  }

  /** The first reason why a debugger may not read the stretch. */
  readRefusal(offset: number, sizeBytes: number, options: OptionWords): ReadRefusal | undefined {
    if (hits(offset, sizeBytes, [options.prar1, options.prar2])) return "pcrop";
    if (hits(offset, sizeBytes, [options.scar1, options.scar2])) return "secure";
    const flags = this.#store.region("flashEcc");
    const last = Math.floor((offset + sizeBytes - 1) / flashWordBytes);
    for (let word = Math.floor(offset / flashWordBytes); word <= last; word++) {
      if ((((flags[word >>> 3] ?? 0) >>> (word & 7)) & 1) === 1) return "ecc";
    }
    return undefined;
  }

  /** True when a protection forbids to erase or program in the sector (number within the bank). */
  isSectorProtected(bank: 0 | 1, sector: number, options: OptionWords): boolean {
    const wpsn = bank === 0 ? options.wpsn1 : options.wpsn2;
    if (((wpsn >>> sector) & 1) === 0) return true;
    const offset = bank * bankBytes + sector * sectorBytes;
    return (
      hits(offset, sectorBytes, [options.prar1, options.prar2]) ||
      hits(offset, sectorBytes, [options.scar1, options.scar2])
    );
  }

  #setEcc(offset: number, bad: boolean): void {
    const word = offset / flashWordBytes;
    const old = this.#store.region("flashEcc")[word >>> 3] ?? 0;
    const bit = 1 << (word & 7);
    this.#store.write("flashEcc", word >>> 3, Uint8Array.of(bad ? old | bit : old & ~bit));
  }
}

/** True when the stretch of the array touches the area that one of the two words defines in its bank. */
function hits(offset: number, sizeBytes: number, words: readonly [number, number]): boolean {
  return words.some((word, bank) => {
    const area = protectedArea(word);
    if (area === undefined) return false;
    const base = bank * bankBytes;
    return offset < base + area.end && offset + sizeBytes > base + area.start;
  });
}

/** Numbers of the sectors of a bank that a stretch of it touches. */
export function touchedSectors(area: ProtectedArea): number[] {
  const first = Math.floor(area.start / sectorBytes);
  const last = Math.floor((area.end - 1) / sectorBytes);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
