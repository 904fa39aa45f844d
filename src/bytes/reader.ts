/**
 * A cursor over a byte view that refuses to read past its end.
 * Multi-byte integers are little-endian unless the method's name says otherwise.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  /** @param bytes the bytes to read; not copied. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Offset of the next byte, from the start of the view. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes left to read. */
  get remainingBytes(): number {
    return this.#bytes.length - this.#offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u16be(): number {
    return this.#view.getUint16(this.#take(2), false);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u32be(): number {
    return this.#view.getUint32(this.#take(4), false);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** The next `sizeBytes` bytes as a view on the same memory. */
  bytes(sizeBytes: number): Uint8Array {
    const start = this.#take(sizeBytes);
    return this.#bytes.subarray(start, start + sizeBytes);
  }

  /** Step over `sizeBytes` bytes. */
  skip(sizeBytes: number): void {
    this.#take(sizeBytes);
  }

  #take(sizeBytes: number): number {
    if (sizeBytes < 0 || sizeBytes > this.remainingBytes) {
      throw new RangeError(
        `read of ${sizeBytes} bytes at offset ${this.#offset} passes the end at ${this.#bytes.length}`,
      );
    }
    const start = this.#offset;
    this.#offset += sizeBytes;
    return start;
  }
}
