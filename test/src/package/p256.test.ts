import { createECDH } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../../src/bytes/hex.ts";
import { isOnCurve, keyPairOf, randomKeyPair, sharedSecret } from "../../../src/package/p256.ts";

/** RFC 5903 section 8.1. */
const rfc5903 = {
  i: "C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433",
  gi: "DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C37725811805271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3",
  r: "C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53",
  gr: "D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF6356FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB",
  z: "D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE",
};

/** NIST CAVP, KAS_ECC_CDH_PrimitiveTest.txt, P-256, COUNT = 0. */
const cavp = {
  public:
    "700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac",
  private: "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534",
  z: "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b",
};

describe("sharedSecret", () => {
  it("is that of RFC 5903 8.1, from both sides", () => {
    expect(toHex(sharedSecret(fromHex(rfc5903.i), fromHex(rfc5903.gr)))).toBe(rfc5903.z.toLowerCase());
    expect(toHex(sharedSecret(fromHex(rfc5903.r), fromHex(rfc5903.gi)))).toBe(rfc5903.z.toLowerCase());
  });

  it("is that of NIST CAVP", () => {
    expect(toHex(sharedSecret(fromHex(cavp.private), fromHex(cavp.public)))).toBe(cavp.z);
  });

  it("always has 32 bytes, leading zeros included", () => {
    const mine = keyPairOf(fromHex(cavp.private));
    let shortest = 32;
    for (let scalar = 1; scalar <= 600; scalar++) {
      const other = keyPairOf(scalarBytes(scalar));
      const secret = sharedSecret(mine.privateKey, other.publicKey);
      expect(secret.length).toBe(32);
      expect(secret).toEqual(sharedSecret(other.privateKey, mine.publicKey));
      if (secret[0] === 0) shortest = 31;
    }
    // The sample is large enough to have met a leading zero.
    expect(shortest).toBe(31);
  });

  it("refuses a point off the curve and a private key out of range", () => {
    const off = fromHex(cavp.public);
    off[63] = (off[63] ?? 0) ^ 1;
    expect(() => sharedSecret(fromHex(cavp.private), off)).toThrow(RangeError);
    expect(() => sharedSecret(new Uint8Array(32), fromHex(cavp.public))).toThrow(RangeError);
    expect(() => sharedSecret(new Uint8Array(32).fill(0xff), fromHex(cavp.public))).toThrow(RangeError);
  });
});

describe("keyPairOf", () => {
  it("has the public keys of RFC 5903 8.1", () => {
    expect(toHex(keyPairOf(fromHex(rfc5903.i)).publicKey)).toBe(rfc5903.gi.toLowerCase());
    expect(toHex(keyPairOf(fromHex(rfc5903.r)).publicKey)).toBe(rfc5903.gr.toLowerCase());
  });

  it("keeps a small private key at 32 bytes", () => {
    expect(toHex(keyPairOf(scalarBytes(1)).privateKey)).toBe(toHex(scalarBytes(1)));
  });
});

describe("randomKeyPair", () => {
  it("makes different pairs, each consistent", () => {
    const [a, b] = [randomKeyPair(), randomKeyPair()];
    expect(toHex(a.privateKey)).not.toBe(toHex(b.privateKey));
    expect(keyPairOf(a.privateKey)).toEqual(a);
  });
});

describe("isOnCurve", () => {
  /** y^2 = x^3 - 3x + b over the prime field (SP 800-186 3.2.1.3): the definition itself, in plain integers. */
  const p = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
  const b = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
  const satisfies = (key: Uint8Array): boolean => {
    const x = BigInt(`0x${toHex(key.subarray(0, 32))}`);
    const y = BigInt(`0x${toHex(key.subarray(32))}`);
    return x < p && y < p && (y * y - (x * x * x - 3n * x + b)) % p === 0n;
  };

  it("agrees with the curve equation on points and near misses", () => {
    const scalars = fc.integer({ min: 1, max: 0xffffff });
    fc.assert(
      fc.property(scalars, fc.nat(64), fc.nat(255), (scalar, offset, mask) => {
        const key = Uint8Array.from(keyPairOf(scalarBytes(scalar)).publicKey);
        if (offset < 64) key[offset] = (key[offset] ?? 0) ^ mask;
        expect(isOnCurve(key)).toBe(satisfies(key));
      }),
    );
  });

  it("refuses coordinates beyond the prime, zeros and other lengths", () => {
    const ecdh = createECDH("prime256v1");
    ecdh.generateKeys();
    expect(isOnCurve(new Uint8Array(64).fill(0xff))).toBe(false);
    expect(isOnCurve(new Uint8Array(64))).toBe(false);
    expect(isOnCurve(new Uint8Array(ecdh.getPublicKey()))).toBe(false);
    expect(isOnCurve(new Uint8Array(0))).toBe(false);
  });
});

function scalarBytes(scalar: number): Uint8Array {
  const bytes = new Uint8Array(32);
  new DataView(bytes.buffer).setUint32(28, scalar);
  return bytes;
}
