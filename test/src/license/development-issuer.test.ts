import { createDecipheriv, createECDH, createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asciiText, concatBytes } from "../../../src/bytes/bytes.ts";
import { toHex } from "../../../src/bytes/hex.ts";
import { isStationError } from "../../../src/errors/station-error.ts";
import { developmentIssuer, issueDevelopmentLicense } from "../../../src/license/development-issuer.ts";
import { parseLicense } from "../../../src/package/license.ts";
import { sampleCertificate, sampleKeyPair } from "../../support/license-samples.ts";
import { sampleKey, sampleNonce } from "../../support/sfi-samples.ts";

const chip = sampleKeyPair(1);
const certificate = sampleCertificate(chip);
const request = { certificate, packageDigest: "ab".repeat(32) };

/**
 * Opens a development license from its written description alone, with OpenSSL's ECDH, SHA-256 and AES-GCM.
 * Throws when the tag does not match.
 */
function open(license: Uint8Array, privateKey: Uint8Array): Uint8Array {
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

describe("issueDevelopmentLicense", () => {
  it("is opened by the chip's private key and gives IV and key", () => {
    const license = issueDevelopmentLicense({ certificate, key: sampleKey, nonce: sampleNonce });
    expect(license.length).toBe(136);
    expect(toHex(open(license, chip.privateKey))).toBe(
      "a0a1a2a3a4a5a6a7a8a9aaab00000000000102030405060708090a0b0c0d0e0f",
    );
  });

  it("has the header that marks it as a development license", () => {
    const license = issueDevelopmentLicense({ certificate, key: sampleKey, nonce: sampleNonce });
    expect(asciiText(license.subarray(0, 4))).toBe("SDEV");
    expect(toHex(license.subarray(4, 16))).toBe("000000000100000000000000");
    expect(asciiText(license.subarray(16, 24))).toBe("NOT-REAL");
    expect(parseLicense(license, "x")).toEqual({
      type: "SDEV",
      sessionId: 0,
      protocolVersion: 1,
      minimumVersion: 0,
      development: true,
    });
  });

  it("is another one every time, and the same one for the same issuer key pair", () => {
    const input = { certificate, key: sampleKey, nonce: sampleNonce };
    expect(toHex(issueDevelopmentLicense(input))).not.toBe(toHex(issueDevelopmentLicense(input)));
    const fixed = { ...input, randomKeyPair: () => sampleKeyPair(9) };
    expect(toHex(issueDevelopmentLicense(fixed))).toBe(toHex(issueDevelopmentLicense(fixed)));
    expect(toHex(issueDevelopmentLicense(fixed).subarray(24, 88))).toBe(toHex(sampleKeyPair(9).publicKey));
  });

  it("is opened by no other chip, nor after a change of any byte that matters", () => {
    const license = issueDevelopmentLicense({ certificate, key: sampleKey, nonce: sampleNonce });
    expect(() => open(license, sampleKeyPair(2).privateKey)).toThrow();
    for (let offset = 0; offset < license.length; offset++) {
      const changed = Uint8Array.from(license);
      changed[offset] = (changed[offset] ?? 0) ^ 0x04;
      expect(() => open(changed, chip.privateKey), `byte ${offset}`).toThrow();
    }
  });

  it("carries any key and nonce to any chip", () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(bytes(16), bytes(12), fc.integer({ min: 1, max: 1000 }), (key, nonce, seed) => {
        const pair = sampleKeyPair(seed);
        const license = issueDevelopmentLicense({ certificate: sampleCertificate(pair), key, nonce });
        expect(open(license, pair.privateKey)).toEqual(concatBytes(nonce, new Uint8Array(4), key));
      }),
      { numRuns: 30 },
    );
  });

  it("refuses a certificate that is none and secrets of a wrong length", () => {
    const code = (input: Parameters<typeof issueDevelopmentLicense>[0]) => {
      try {
        issueDevelopmentLicense(input);
      } catch (error) {
        if (isStationError(error)) return error.code;
        throw error;
      }
      return "none";
    };
    const input = { certificate, key: sampleKey, nonce: sampleNonce };
    expect(code({ ...input, certificate: certificate.subarray(1) })).toBe("CERTIFICATE_INVALID");
    expect(code({ ...input, key: new Uint8Array(15) })).toBe("KEY_LENGTH");
    expect(code({ ...input, nonce: new Uint8Array(16) })).toBe("KEY_LENGTH");
  });
});

describe("developmentIssuer", () => {
  it("is a source that costs nothing and issues for the requested chip", async () => {
    const source = developmentIssuer({ key: sampleKey, nonce: sampleNonce });
    expect(source).toMatchObject({ name: "development", counted: false });
    await source.check(false);
    expect(open(await source.issue(request), chip.privateKey).length).toBe(32);
  });

  it("fails its check before anything is issued when a secret has the wrong length", async () => {
    await expect(
      developmentIssuer({ key: sampleNonce, nonce: sampleNonce }).check(false),
    ).rejects.toMatchObject({
      code: "KEY_LENGTH",
    });
    await expect(developmentIssuer({ key: sampleKey, nonce: sampleKey }).check(false)).rejects.toMatchObject({
      code: "KEY_LENGTH",
    });
  });
});
