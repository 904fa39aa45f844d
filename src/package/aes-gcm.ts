import { createCipheriv, createDecipheriv } from "node:crypto";
import { plainView } from "../bytes/bytes.ts";

/** AES-128 for packages; AES-256 when the key is that long. */
const algorithmOf = (key: Uint8Array) => (key.length === 32 ? "aes-256-gcm" : "aes-128-gcm");

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
  const cipher = createCipheriv(algorithmOf(key), key, iv, { authTagLength: tagSizeBytes });
  cipher.setAAD(additionalData);
  const ciphertext = plainView(cipher.update(plaintext));
  cipher.final(); // GCM is a stream: nothing is left to come
  return { ciphertext, tag: plainView(cipher.getAuthTag()) };
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
  const decipher = createDecipheriv(algorithmOf(key), key, iv, { authTagLength: tagSizeBytes });
  decipher.setAAD(additionalData);
  decipher.setAuthTag(tag);
  const plaintext = plainView(decipher.update(ciphertext));
  try {
    decipher.final();
    return plaintext;
  } catch {
    // With every length checked above, a tag that does not match is the only failure left.
    return undefined;
  }
}
