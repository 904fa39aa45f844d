import { gcm } from "@noble/ciphers/aes.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../../src/bytes/hex.ts";
import { gcmOpen, gcmSeal } from "../../../src/package/aes-gcm.ts";

interface Vector {
  readonly name: string;
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly plaintext: string;
  readonly ciphertext: string;
  readonly tag: string;
}

const key3 = "feffe9928665731c6d6a8f9467308308";
const plaintext3 =
  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
const plaintext4 = plaintext3.slice(0, 120);
const aad4 = "feedfacedeadbeeffeedfacedeadbeefabaddad2";

/** McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test cases 1 to 6 (as submitted to NIST). */
const mcGrewViega: readonly Vector[] = [
  {
    name: "1: nothing at all",
    key: "00000000000000000000000000000000",
    iv: "000000000000000000000000",
    aad: "",
    plaintext: "",
    ciphertext: "",
    tag: "58e2fccefa7e3061367f1d57a4e7455a",
  },
  {
    name: "2: one zero block",
    key: "00000000000000000000000000000000",
    iv: "000000000000000000000000",
    aad: "",
    plaintext: "00000000000000000000000000000000",
    ciphertext: "0388dace60b6a392f328c2b971b2fe78",
    tag: "ab6e47d42cec13bdf53a67b21257bddf",
  },
  {
    name: "3: four blocks",
    key: key3,
    iv: "cafebabefacedbaddecaf888",
    aad: "",
    plaintext: plaintext3,
    ciphertext:
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
    tag: "4d5c2af327cd64a62cf35abd2ba6fab4",
  },
  {
    name: "4: a broken block and additional data",
    key: key3,
    iv: "cafebabefacedbaddecaf888",
    aad: aad4,
    plaintext: plaintext4,
    ciphertext:
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
    tag: "5bc94fbc3221a5db94fae95ae7121a47",
  },
  {
    name: "5: an 8-byte IV",
    key: key3,
    iv: "cafebabefacedbad",
    aad: aad4,
    plaintext: plaintext4,
    ciphertext:
      "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c742373806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598",
    tag: "3612d2e79e3b0785561be14aaca2fccb",
  },
  {
    name: "6: a 60-byte IV",
    key: key3,
    iv: "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b",
    aad: aad4,
    plaintext: plaintext4,
    ciphertext:
      "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca701e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5",
    tag: "619cc5aefffe0bfa462af43c1699d050",
  },
];

const zeros40 = "00".repeat(40);
const wrapKey = "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f";

/**
 * Wycheproof aes_gcm_test.json (0.9rc5): IVs of 15 and 20 bytes with AES-128; IVs of 16 bytes, which that file has
 * here with AES-256, among them counters that wrap.
 */
const wycheproof: readonly Vector[] = [
  {
    name: "259: a 15-byte IV",
    key: "34c74e28182948e03af02a01f46eb4f7",
    iv: "b0a73119a97d623806b49d45ddf4c7",
    aad: "",
    plaintext: "fe82ba66cf2e265741f2c86c",
    ciphertext: "2bc3ef8e7402b4631f48e9be",
    tag: "4b6f6f5be291a90b9e93a8a82ddbc8d8",
  },
  {
    name: "260: a 20-byte IV",
    key: "55cb7cac77efe18a1ea3b30c65f3f346",
    iv: "e22b6b144ab26b5781316e7a42a76202ac4b2278",
    aad: "",
    plaintext: "2f3d11ea32bf5bc72cbe2b8d",
    ciphertext: "4fe13ef29f118f85a63188f8",
    tag: "05975b175316df8045889f43e0c857e0",
  },
  {
    name: "240: a 16-byte IV",
    key: wrapKey,
    iv: "5c2ea9b695fcf6e264b96074d6bfa572",
    aad: "",
    plaintext: zeros40,
    ciphertext: "28e1c5232f4ee8161dbe4c036309e0b3254e9212bef0a93431ce5e5604c8f6a73c18a3183018b770",
    tag: "d5808a1bd11a01129bf3c6919aff2339",
  },
  {
    name: "242: a 16-byte IV whose counter block is all ones",
    key: wrapKey,
    iv: "ce20a7e870696a5e68533c465bad2ba1",
    aad: "",
    plaintext: zeros40,
    ciphertext: "4f4350565d91d9aa8c5f4048550492ad6d6fdabf66da5d1e2af7bfe1a8aadaa0baa3de38a41d9713",
    tag: "155da6441ec071ef2d8e6cffbacc1c7c",
  },
  {
    name: "246: a 16-byte IV whose counter wraps after one block",
    key: wrapKey,
    iv: "b37bbad104928ae89221d3520c2682e0",
    aad: "",
    plaintext: zeros40,
    ciphertext: "16929b773051f12b0adac95f65e21a7f36b3fbecd09178d04527fb37544f5579d20d60a41266f685",
    tag: "ca448bb7e52e897eca234ef343d057d0",
  },
  {
    name: "252: a 16-byte IV of zeros",
    key: wrapKey,
    iv: "00000000000000000000000000000000",
    aad: "",
    plaintext: "8d74f1c97243d362577ff376c393d2dc",
    ciphertext: "265c42e2b96ea1de9c24f7182e337390",
    tag: "00000000000000000000000000000000",
  },
];

describe.each([
  ["McGrew and Viega", mcGrewViega],
  ["Wycheproof", wycheproof],
])("AES-GCM, %s", (_, vectors) => {
  it.each(vectors)("test case $name", ({ key, iv, aad, plaintext, ciphertext, tag }) => {
    const context = { key: fromHex(key), iv: fromHex(iv), additionalData: fromHex(aad) };
    const sealed = gcmSeal(context, fromHex(plaintext));
    expect(toHex(sealed.ciphertext)).toBe(ciphertext);
    expect(toHex(sealed.tag)).toBe(tag);
    expect(toHex(gcmOpen(context, fromHex(ciphertext), fromHex(tag)) ?? new Uint8Array(1))).toBe(plaintext);
  });
});

describe("AES-GCM", () => {
  const bytes = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength });

  it("agrees with another implementation, with IVs of 12 and 16 bytes", () => {
    fc.assert(
      fc.property(
        bytes(16),
        fc.oneof(bytes(12), bytes(16)),
        bytes(0, 64),
        bytes(0, 300),
        (key, iv, additionalData, plaintext) => {
          const expected = toHex(gcm(key, iv, additionalData).encrypt(plaintext));
          const sealed = gcmSeal({ key, iv, additionalData }, plaintext);
          expect(toHex(sealed.ciphertext) + toHex(sealed.tag)).toBe(expected);
        },
      ),
    );
  });

  it("opens nothing when any input was changed", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("key", "iv", "additionalData", "ciphertext", "tag"),
        bytes(16),
        bytes(12),
        bytes(1, 64),
        bytes(1, 64),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (which, key, iv, additionalData, plaintext, place, mask) => {
          const { ciphertext, tag } = gcmSeal({ key, iv, additionalData }, plaintext);
          const inputs = {
            key,
            iv,
            additionalData,
            ciphertext: Uint8Array.from(ciphertext),
            tag: Uint8Array.from(tag),
          };
          expect(gcmOpen(inputs, inputs.ciphertext, inputs.tag)).toEqual(plaintext);
          const target = inputs[which];
          target[place % target.length] = (target[place % target.length] ?? 0) ^ mask;
          expect(gcmOpen(inputs, inputs.ciphertext, inputs.tag)).toBeUndefined();
        },
      ),
    );
  });

  it("takes only whole tags", () => {
    const context = { key: new Uint8Array(16), iv: new Uint8Array(12), additionalData: new Uint8Array(0) };
    expect(() => gcmOpen(context, new Uint8Array(16), new Uint8Array(12))).toThrow(RangeError);
  });
});
