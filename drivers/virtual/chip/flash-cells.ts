import type { FlashGeometry } from "../models/flash-model.ts";
import type { ChipStore } from "../store.ts";

/**
 * The cells of the flash with one ECC flag for each unit of programming. Offsets count from the first byte of bank 1.
 * What may be done to them is the controller's business; here is only what happens when it is done.
 */
export class FlashCells {
  readonly geometry: FlashGeometry;
  readonly #store: ChipStore;

  constructor(store: ChipStore, geometry: FlashGeometry) {
    this.#store = store;
    this.geometry = geometry;
  }

  /** The cells. A view: do not write. */
  get bytes(): Uint8Array {
    return this.#store.region("flash");
  }

  /**
   * Programs one unit. Programming only clears bits; a unit that does not end up as asked for has an ECC that fits
   * nothing and faults when it is read (RM0433 4.3.9: a word may be programmed once between erasures).
   */
  program(offset: number, data: Uint8Array): void {
    const old = this.bytes.subarray(offset, offset + this.geometry.unitBytes);
    const result = old.map((byte, i) => byte & (data[i] ?? 0xff));
    if (result.some((byte, i) => byte !== data[i])) this.#setEcc(offset, true);
    this.#store.write("flash", offset, result);
  }

  /** Erases `sizeBytes` bytes: all ones, ECC good. Both multiples of eight units. */
  erase(offset: number, sizeBytes: number): void {
    const { unitBytes } = this.geometry;
    this.#store.fill("flash", offset, sizeBytes, 0xff);
    this.#store.fill("flashEcc", offset / unitBytes / 8, sizeBytes / unitBytes / 8, 0);
  }

  isBlank(offset: number, sizeBytes: number): boolean {
    const bytes = this.bytes;
    for (let at = offset; at < offset + sizeBytes; at++) if (bytes[at] !== 0xff) return false;
    return true;
  }

  /** True when a unit in the stretch cannot be read. */
  hasBadUnit(offset: number, sizeBytes: number): boolean {
    const flags = this.#store.region("flashEcc");
    const { unitBytes } = this.geometry;
    const last = Math.floor((offset + sizeBytes - 1) / unitBytes);
    for (let unit = Math.floor(offset / unitBytes); unit <= last; unit++) {
      if ((((flags[unit >>> 3] ?? 0) >>> (unit & 7)) & 1) === 1) return true;
    }
    return false;
  }

  #setEcc(offset: number, bad: boolean): void {
    const unit = offset / this.geometry.unitBytes;
    const old = this.#store.region("flashEcc")[unit >>> 3] ?? 0;
    const bit = 1 << (unit & 7);
    this.#store.write("flashEcc", unit >>> 3, Uint8Array.of(bad ? old | bit : old & ~bit));
  }
}
