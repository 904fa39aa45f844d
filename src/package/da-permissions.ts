import { toHex } from "../bytes/hex.ts";
import type { ObkFamily } from "./obk.ts";

/** What a debug authentication can be asked for, by bit (Arm ADAC permission mask; letters of the vendor's `per=`). */
export const permissionBits: readonly (readonly [bit: number, name: string])[] = [
  [0, "debug-ns-1"],
  [1, "debug-ns-2"],
  [2, "debug-ns-3"],
  [4, "debug-1"],
  [5, "debug-2"],
  [6, "debug-3"],
  [12, "partial-regression"],
  [14, "full-regression"],
  [127, "forced-download"],
];

/** The masks of ST's examples: everything that the family knows. */
export const fullPermissions: Readonly<Record<ObkFamily, bigint>> = {
  h5: 0x5077n,
  h7rs: 0x80000000000000000000000000004007n,
};

/** A mask as 16 bytes, little-endian. @throws RangeError when it is negative or longer than 128 bits */
export function encodePermissions(mask: bigint): Uint8Array {
  if (mask < 0n || mask >= 1n << 128n) throw new RangeError("a permission mask has 128 bits");
  return Uint8Array.from({ length: 16 }, (_, i) => Number((mask >> BigInt(8 * i)) & 0xffn));
}

/** 16 little-endian bytes as a mask. */
export function decodePermissions(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.slice().reverse())}`);
}

/** The names of a mask's bits; a bit without a name as `bit-9`. */
export function permissionNames(mask: bigint): string[] {
  return Array.from({ length: 128 }, (_, bit) => bit)
    .filter((bit) => (mask >> BigInt(bit)) & 1n)
    .map((bit) => permissionBits.find(([known]) => known === bit)?.[1] ?? `bit-${bit}`);
}

/**
 * A mask as people write it: a number (0x hexadecimal, digits may be grouped with `_`), or names joined by commas.
 * @returns undefined for anything else
 */
export function parsePermissions(text: string): bigint | undefined {
  if (/^0[xX][0-9a-fA-F_]+$/.test(text)) {
    const mask = BigInt(text.replaceAll("_", ""));
    return mask < 1n << 128n ? mask : undefined;
  }
  let mask = 0n;
  for (const name of text.split(",")) {
    const bit = permissionBits.find(([, known]) => known === name.trim())?.[0];
    if (bit === undefined) return undefined;
    mask |= 1n << BigInt(bit);
  }
  return mask;
}
