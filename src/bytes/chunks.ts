/** A piece of a longer transfer: where it goes and its bytes (a view, not a copy). */
export interface Chunk {
  readonly address: number;
  readonly data: Uint8Array;
}

/**
 * Cuts `data` that belongs at `address` into pieces of at most `limitBytes` bytes, in order.
 * The only place where a transfer's address is advanced, so that address and data cannot drift apart.
 */
export function* chunks(address: number, data: Uint8Array, limitBytes: number): Generator<Chunk> {
  for (const { address: at, sizeBytes } of spans(address, data.length, limitBytes)) {
    yield { address: at, data: data.subarray(at - address, at - address + sizeBytes) };
  }
}

/** The same cutting for a transfer whose bytes are not there yet (a read). */
export function* spans(
  address: number,
  sizeBytes: number,
  limitBytes: number,
): Generator<{ readonly address: number; readonly sizeBytes: number }> {
  if (!(limitBytes > 0)) throw new RangeError(`chunk limit must be positive, got ${limitBytes}`);
  for (let done = 0; done < sizeBytes; done += limitBytes) {
    yield { address: address + done, sizeBytes: Math.min(limitBytes, sizeBytes - done) };
  }
}
