import type { StoreLayout, WordName } from "./store-layout.ts";

/** Takes over every mutation, e.g. into a file. `bytes` is only valid during the call. */
export type StoreSink = (offset: number, bytes: Uint8Array) => void;

/**
 * All state of a virtual chip in one block of bytes. Every mutation goes through here and is handed to the sink at
 * once, so that the block in a file is the chip's state at any instant.
 */
export class ChipStore {
  readonly layout: StoreLayout;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #sink: StoreSink | undefined;
  readonly #regions: ReadonlyMap<string, Uint8Array>;

  /** @param bytes the whole state, `layout.sizeBytes` long; not copied. */
  constructor(layout: StoreLayout, bytes: Uint8Array, sink?: StoreSink) {
    if (bytes.length !== layout.sizeBytes) throw new RangeError("state of another layout");
    this.layout = layout;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#sink = sink;
    this.#regions = new Map(
      Object.entries(layout.regions).map(([name, { offset, sizeBytes }]) => [
        name,
        bytes.subarray(offset, offset + sizeBytes),
      ]),
    );
  }

  /** A word of state, unsigned. */
  get(name: WordName): number {
    return this.#view.getUint32(this.#wordOffset(name), true);
  }

  /** Sets a word of state; bits above 31 are dropped. */
  set(name: WordName, value: number): void {
    const offset = this.#wordOffset(name);
    if (this.#view.getUint32(offset, true) === value >>> 0) return;
    this.#view.setUint32(offset, value >>> 0, true);
    this.#sink?.(offset, this.#bytes.subarray(offset, offset + 4));
  }

  /** A view of a region. Read it, but write through `write` and `fill` only. */
  region(name: string): Uint8Array {
    const region = this.#regions.get(name);
    if (region === undefined) throw new RangeError(`no region ${name}`);
    return region;
  }

  /** Writes bytes into a region. */
  write(name: string, at: number, data: Uint8Array): void {
    this.region(name).set(data, at);
    this.#note(name, at, data.length);
  }

  /** Fills a part of a region with one value. */
  fill(name: string, at: number, sizeBytes: number, value: number): void {
    this.region(name).fill(value, at, at + sizeBytes);
    this.#note(name, at, sizeBytes);
  }

  #wordOffset(name: WordName): number {
    const index = this.layout.indexOfWord.get(name);
    if (index === undefined) throw new RangeError(`no word ${name}`);
    return this.layout.words.offset + 4 * index;
  }

  /** Hands a stretch of a region that has changed to the sink. */
  #note(name: string, at: number, sizeBytes: number): void {
    if (this.#sink === undefined) return;
    const offset = (this.layout.regions[name]?.offset ?? 0) + at;
    this.#sink(offset, this.#bytes.subarray(offset, offset + sizeBytes));
  }
}
