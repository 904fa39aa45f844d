/**
 * A number as users write it: decimal or `0x` hexadecimal, not negative, at most 2^53-1.
 * @returns undefined for anything else (empty text, signs, fractions, stray characters).
 */
export function parseNumber(text: string): number | undefined {
  if (!/^(0[xX][0-9a-fA-F]+|[0-9]+)$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** `value` rounded down to a multiple of `unit`. Works beyond 31 bits, unlike `&`. */
export function alignDown(value: number, unit: number): number {
  return value - (value % unit);
}

/** `value` rounded up to a multiple of `unit`. */
export function alignUp(value: number, unit: number): number {
  return alignDown(value + unit - 1, unit);
}

/** The field of `width` bits at bit `offset` of a 32-bit word. */
export function bitField(word: number, offset: number, width: number): number {
  return width === 32 ? word >>> 0 : (word >>> offset) & (2 ** width - 1);
}

/** `word` with the field of `width` bits at bit `offset` replaced by `value`. */
export function withBitField(word: number, offset: number, width: number, value: number): number {
  const mask = width === 32 ? 0xffffffff : ((2 ** width - 1) << offset) >>> 0;
  return ((word & ~mask) | ((value << offset) & mask)) >>> 0;
}
