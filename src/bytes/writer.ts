/**
 * A cursor that fills a buffer of a size known beforehand.
 * Multi-byte integers are little-endian unless the method's name says otherwise.
 * Every method returns the writer, so that a layout reads as one chain.
 */
export class ByteWriter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  /** @param sizeBytes the whole size of the result; bytes never written stay 0. */
  constructor(sizeBytes: number) {
    this.#bytes = new Uint8Array(sizeBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Offset of the next byte to write. */
  get offset(): number {
    return this.#offset;
  }

  u8(value: number): this {
    this.#view.setUint8(this.#take(1), value);
    return this;
  }

  u16(value: number): this {
    this.#view.setUint16(this.#take(2), value, true);
    return this;
  }

  u16be(value: number): this {
    this.#view.setUint16(this.#take(2), value, false);
    return this;
  }

  u32(value: number): this {
    this.#view.setUint32(this.#take(4), value, true);
    return this;
  }

  u32be(value: number): this {
    this.#view.setUint32(this.#take(4), value, false);
    return this;
  }

  /** A 64-bit integer; a negative one as its two's complement. */
  u64(value: bigint): this {
    this.#view.setBigUint64(this.#take(8), value, true);
    return this;
  }

  bytes(data: Uint8Array): this {
    this.#bytes.set(data, this.#take(data.length));
    return this;
  }

  /** Step over `sizeBytes` bytes, leaving them 0. */
  skip(sizeBytes: number): this {
    this.#take(sizeBytes);
    return this;
  }

  /** The whole buffer, including what was never written. */
  finish(): Uint8Array {
    return this.#bytes;
  }

  #take(sizeBytes: number): number {
    if (this.#offset + sizeBytes > this.#bytes.length) {
      throw new RangeError(
        `write of ${sizeBytes} bytes at offset ${this.#offset} passes the end at ${this.#bytes.length}`,
      );
    }
    const start = this.#offset;
    this.#offset += sizeBytes;
    return start;
  }
}
