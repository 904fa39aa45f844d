import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asciiBytes } from "../../../src/bytes/bytes.ts";
import { fromHex, toHex } from "../../../src/bytes/hex.ts";
import { signDeterministic, verifySignature } from "../../../src/package/ecdsa.ts";
import { keyPairOf, randomKeyPair } from "../../../src/package/p256.ts";
import { keyOfPem, privateKeyOfPem, publicKeyDer } from "../../../src/package/pem-keys.ts";

describe("signDeterministic", () => {
  // RFC 6979 A.2.5, P-256 with SHA-256.
  const key = fromHex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
  it.each([
    [
      "sample",
      "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" +
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ],
    [
      "test",
      "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367" +
        "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ],
  ])("gives the published signature of %s", (text, signature) => {
    expect(toHex(signDeterministic(key, asciiBytes(text)))).toBe(signature);
  });

  it("gives what OpenSSL verifies, and nothing that differs in a byte", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(63), (message, place) => {
        const { privateKey, publicKey } = randomKeyPair();
        const signature = signDeterministic(privateKey, message);
        expect(verifySignature(publicKey, message, signature)).toBe(true);
        signature[place]! ^= 1;
        expect(verifySignature(publicKey, message, signature)).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  it("takes no key that is off the curve", () => {
    expect(verifySignature(new Uint8Array(64).fill(3), key, new Uint8Array(64))).toBe(false);
  });
});

describe("PEM keys", () => {
  const pair = (type: "pkcs8" | "sec1") =>
    generateKeyPairSync("ec", {
      namedCurve: "prime256v1",
      privateKeyEncoding: { type, format: "pem" },
      publicKeyEncoding: { type: "spki", format: "der" },
    });

  it.each(["pkcs8", "sec1"] as const)("reads a %s private key and derives its public one", (type) => {
    const { privateKey, publicKey } = pair(type);
    const key = privateKeyOfPem(privateKey, "k.pem");
    expect(keyPairOf(key.privateKey).publicKey).toEqual(key.publicKey);
    expect(publicKeyDer(key.publicKey)).toEqual(new Uint8Array(publicKey));
  });

  it("refuses other curves, encrypted keys, public keys where a private one is needed, and junk", () => {
    const other = generateKeyPairSync("ec", {
      namedCurve: "secp384r1",
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    expect(() => keyOfPem(other.publicKey, "k.pem")).toThrow("not a P-256 key");
    const { publicKey } = generateKeyPairSync("ec", {
      namedCurve: "prime256v1",
      privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "x" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    expect(() => privateKeyOfPem(publicKey, "k.pem")).toThrow("a private one is needed");
    expect(() => keyOfPem("-----BEGIN ENCRYPTED PRIVATE KEY-----", "k.pem")).toThrow("encrypted");
    expect(() => keyOfPem("hello", "k.pem")).toThrow("no readable key");
  });
});
