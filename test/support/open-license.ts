import { createDecipheriv, createECDH, createHash } from "node:crypto";
import { concatBytes } from "../../src/bytes/bytes.ts";

/**
 * Opens a development license from its written description alone, with OpenSSL's ECDH, SHA-256 and AES-GCM.
 * Throws when the tag does not match.
 * @returns 16 bytes IV, 16 bytes key
 */
export function openDevelopmentLicense(license: Uint8Array, privateKey: Uint8Array): Uint8Array {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(privateKey);
  const z = ecdh.computeSecret(concatBytes(Uint8Array.of(4), license.subarray(24, 88)));
  const block = (counter: number) =>
    createHash("sha256")
      .update(z)
      .update(Uint8Array.of(0, 0, 0, counter))
      .digest();
  const t = concatBytes(block(1), block(2));
  const cipher = createDecipheriv("aes-128-gcm", t.subarray(0, 16), t.subarray(16, 32));
  cipher.setAAD(concatBytes(license.subarray(0, 88), t.subarray(32, 64)));
  cipher.setAuthTag(license.subarray(120, 136));
  return concatBytes(cipher.update(license.subarray(88, 120)), cipher.final());
}
