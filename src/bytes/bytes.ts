/** True when both views hold the same bytes. Not for secrets: the time taken tells where they differ. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && firstDifference(a, b) === -1;
}

/** Index of the first byte in which the views differ (or where the shorter one ends); -1 when they do not. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) if (a[i] !== b[i]) return i;
  return a.length === b.length ? -1 : common;
}

/** Views joined into one new array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** `sizeBytes` bytes that all hold `value`. */
export function filledBytes(sizeBytes: number, value: number): Uint8Array {
  return new Uint8Array(sizeBytes).fill(value);
}

/** The 32-bit words of `bytes`, little-endian. @throws RangeError when the length is no multiple of 4. */
export function toWords(bytes: Uint8Array): number[] {
  if (bytes.length % 4 !== 0) throw new RangeError(`${bytes.length} bytes are no whole number of words`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}

/** 32-bit words as little-endian bytes. */
export function fromWords(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => {
    view.setUint32(4 * i, word, true);
  });
  return bytes;
}

/** ASCII text to bytes. @throws RangeError on a character outside 0..127. */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    if (code > 127) throw new RangeError(`not ASCII: ${JSON.stringify(text)}`);
    return code;
  });
}

/** Bytes as text, one character a byte. */
export function asciiText(bytes: Uint8Array): string {
  // In pieces: a call takes only so many arguments.
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192)
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

/** The same memory as a plain Uint8Array: file reading gives a Buffer, whose `slice` and `toString` mean other things. */
export function plainView(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
