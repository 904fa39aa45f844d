const digits = Array.from({ length: 256 }, (_, value) => value.toString(16).padStart(2, "0"));

/** Bytes as lower-case hexadecimal text, two digits a byte, no separators. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += digits[byte];
  return text;
}

/**
 * Hexadecimal text to bytes. White space between digits is ignored.
 * @throws RangeError on an odd number of digits or a character that is no hexadecimal digit.
 */
export function fromHex(text: string): Uint8Array {
  const clean = text.replace(/\s+/g, "");
  if (clean.length % 2 !== 0) throw new RangeError(`odd number of hexadecimal digits (${clean.length})`);
  if (!/^[0-9a-fA-F]*$/.test(clean)) throw new RangeError("not hexadecimal text");
  const bytes = new Uint8Array(clean.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(clean.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** A 32-bit address or register value the way every output of the station prints it: `0x08000000`. */
export function hex32(value: number): string {
  return `0x${(value >>> 0).toString(16).toUpperCase().padStart(8, "0")}`;
}

/** A number as `0x` and at least `minDigits` upper-case hexadecimal digits. */
export function hexNumber(value: number, minDigits = 1): string {
  return `0x${value.toString(16).toUpperCase().padStart(minDigits, "0")}`;
}
