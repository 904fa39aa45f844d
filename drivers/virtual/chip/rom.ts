import { fromWords } from "../../../src/bytes/bytes.ts";
import type { ChipModel, RomItem } from "../models/model.ts";

interface Block {
  readonly base: number;
  readonly bytes: Uint8Array;
  readonly accessPorts: readonly number[];
}

/**
 * The read-only memories of a chip: bootloader version, flash size, unique id, service tables. Everything else reads
 * as erased.
 */
export class Rom {
  readonly #blocks: readonly Block[];
  readonly #flashSizeKib: number;
  readonly #uid: Uint8Array;

  constructor(model: ChipModel, uid: Uint8Array) {
    this.#flashSizeKib = model.flashSizeKib;
    this.#uid = uid;
    this.#blocks = model.rom.map(({ base, sizeBytes, accessPorts }) => ({
      base,
      bytes: new Uint8Array(sizeBytes).fill(0xff),
      accessPorts,
    }));
    for (const { address, content } of model.romItems) this.put(address, this.#contentOf(content));
  }

  #contentOf(content: RomItem["content"]): Uint8Array {
    if (content === "uid") return this.#uid;
    if (content === "flash-size") return fromWords([this.#flashSizeKib]).subarray(0, 2);
    return content;
  }

  /** Bytes from `address` on, or undefined where no block holds them all. */
  read(ap: number, address: number, sizeBytes: number): Uint8Array | undefined {
    const block = this.#blockOf(address, sizeBytes);
    if (!block?.accessPorts.includes(ap)) return undefined;
    const at = address - block.base;
    return block.bytes.subarray(at, at + sizeBytes);
  }

  /** Bytes behind every gate; undefined where no block holds them all. */
  peek(address: number, sizeBytes: number): Uint8Array | undefined {
    const block = this.#blockOf(address, sizeBytes);
    return block?.bytes.subarray(address - block.base, address - block.base + sizeBytes);
  }

  /** What the factory puts there. */
  put(address: number, bytes: Uint8Array): void {
    const block = this.#blockOf(address, bytes.length);
    if (block === undefined) throw new RangeError(`no read-only memory at 0x${address.toString(16)}`);
    block.bytes.set(bytes, address - block.base);
  }

  #blockOf(address: number, sizeBytes: number): Block | undefined {
    return this.#blocks.find(
      ({ base, bytes }) => address >= base && address + sizeBytes <= base + bytes.length,
    );
  }
}
