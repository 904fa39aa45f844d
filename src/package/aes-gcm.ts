import { gcm } from "@noble/ciphers/aes.js";
import { concatBytes } from "../bytes/bytes.ts";

/** Size of the tag that every SFI structure carries: the full GCM tag. */
export const tagSizeBytes = 16;

/** AES-GCM's three inputs beside the text. */
export interface GcmContext {
  /** 16 bytes for AES-128. */
  readonly key: Uint8Array;
  /** 12 bytes, or another length, which then goes through GHASH (NIST SP 800-38D 7.1 step 2). */
  readonly iv: Uint8Array;
  /** Authenticated, not encrypted. */
  readonly additionalData: Uint8Array;
}

/** Encrypts and authenticates (NIST SP 800-38D 7.1). An empty plaintext gives a tag over the additional data alone. */
export function gcmSeal(
  { key, iv, additionalData }: GcmContext,
  plaintext: Uint8Array,
): { readonly ciphertext: Uint8Array; readonly tag: Uint8Array } {
  const sealed = gcm(key, iv, additionalData).encrypt(plaintext);
  return { ciphertext: sealed.subarray(0, plaintext.length), tag: sealed.subarray(plaintext.length) };
}

/**
 * Checks the tag and decrypts (NIST SP 800-38D 7.2).
 * @returns the plaintext, or undefined when the tag does not match
 */
export function gcmOpen(
  { key, iv, additionalData }: GcmContext,
  ciphertext: Uint8Array,
  tag: Uint8Array,
): Uint8Array | undefined {
  if (tag.length !== tagSizeBytes) throw new RangeError(`a tag is ${tagSizeBytes} bytes, got ${tag.length}`);
  const cipher = gcm(key, iv, additionalData);
  try {
    return cipher.decrypt(concatBytes(ciphertext, tag));
  } catch {
    // With every length checked above, a tag that does not match is the only failure left.
    return undefined;
  }
}
