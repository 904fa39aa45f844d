import { describe, expect, it } from "vitest";
import { toHex } from "../../../src/bytes/hex.ts";
import { checkKey, checkNonce, firmwareSecret } from "../../../src/package/keys.ts";
import { sampleKey, sampleNonce } from "../../support/sfi-samples.ts";

describe("key and nonce", () => {
  it("are taken at their lengths and given back unchanged", () => {
    expect(checkKey(sampleKey, "key.bin")).toBe(sampleKey);
    expect(checkNonce(sampleNonce, "nonce.bin")).toBe(sampleNonce);
  });

  it("are refused at any other length, by name and without their bytes", () => {
    for (const length of [0, 11, 13, 15, 17, 24, 32]) {
      expect(() => checkKey(new Uint8Array(length), "key.bin")).toThrow(
        `key.bin is ${length} bytes long; a firmware key is 16 bytes`,
      );
      expect(() => checkNonce(new Uint8Array(length), "nonce.bin")).toThrow(
        `nonce.bin is ${length} bytes long; a nonce is 12 bytes`,
      );
    }
  });

  it("make the 32 secret bytes: IV with four zero bytes, then the key", () => {
    expect(toHex(firmwareSecret(sampleKey, sampleNonce))).toBe(
      "a0a1a2a3a4a5a6a7a8a9aaab00000000000102030405060708090a0b0c0d0e0f",
    );
    expect(() => firmwareSecret(sampleNonce, sampleKey)).toThrow("bytes long");
  });
});
