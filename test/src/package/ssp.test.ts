import { createDecipheriv } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, toWords } from "../../../src/bytes/bytes.ts";
import { toHex } from "../../../src/bytes/hex.ts";
import { listSecretWords, setSecretWords } from "../../../src/package/otp-words.ts";
import { randomKeyPair } from "../../../src/package/p256.ts";
import {
  buildSsp,
  openSsp,
  parseSsp,
  rmaWord,
  type SspBuildInput,
  sspDeviceOf,
} from "../../../src/package/ssp.ts";
import { patternBytes } from "../../support/sfi-samples.ts";

const key = patternBytes(16, 5);
const nonce = patternBytes(16, 6);
const secrets = patternBytes(148, 7);
const input = (device: "mp15" | "mp13", oemKey = randomKeyPair().publicKey): SspBuildInput => ({
  device,
  oemKey: device === "mp15" ? oemKey : oemKey.subarray(0, 32),
  rmaPassword: rmaWord(0x312, 0xeca),
  secrets,
  key,
  nonce,
});

/** A second reading of the payload: offsets as TF-A's boot_api.h has them, OpenSSL's AES-GCM with a 16-byte IV. */
function secondReading(file: Uint8Array, oemKeyBytes: number) {
  const view = new DataView(file.buffer, file.byteOffset);
  const headerBytes = 8 + oemKeyBytes + 4;
  const cipher = createDecipheriv("aes-128-gcm", key, nonce);
  cipher.setAAD(file.subarray(0, headerBytes));
  cipher.setAuthTag(file.subarray(headerBytes, headerBytes + 16));
  const plain = concatBytes(cipher.update(file.subarray(headerBytes + 16)), cipher.final());
  return {
    magic: view.getUint32(0, true),
    version: view.getUint32(4, true),
    oemKey: toHex(file.subarray(8, 8 + oemKeyBytes)),
    sizeBytes: view.getUint32(8 + oemKeyBytes, true),
    plain,
  };
}

describe("SSP images", () => {
  it.each([
    ["mp15", 64, 244],
    ["mp13", 32, 212],
  ] as const)("of %s are what the boot code expects", (device, oemKeyBytes, sizeBytes) => {
    const given = input(device);
    const file = buildSsp(given);
    expect(file.length).toBe(sizeBytes);
    const { magic, version, oemKey, sizeBytes: secretBytes, plain } = secondReading(file, oemKeyBytes);
    expect({ magic, version, oemKey, secretBytes }).toEqual({
      magic: 0x50505353,
      version: 1,
      oemKey: toHex(given.oemKey),
      secretBytes: 152,
    });
    expect(toWords(plain.slice(0, 4))).toEqual([0x312 | (0xeca << 15)]);
    expect(plain.slice(4)).toEqual(secrets);
  });

  it("come back as they went in, and no changed byte goes unnoticed", () => {
    const file = buildSsp(input("mp15"));
    const open = (bytes: Uint8Array) => openSsp(parseSsp(bytes, "a.ssp"), key, nonce, "a.ssp");
    expect(open(file)).toEqual({ rmaPassword: rmaWord(0x312, 0xeca), secrets });
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (place, change) => {
        const changed = file.slice();
        changed[place]! ^= change;
        expect(() => open(changed)).toThrow();
      }),
    );
  });

  it("refuse wrong sizes and values", () => {
    expect(() => buildSsp({ ...input("mp15"), secrets: secrets.subarray(1) })).toThrow("148 bytes, not 147");
    expect(() => buildSsp({ ...input("mp15"), nonce: nonce.subarray(4) })).toThrow("12 bytes");
    expect(() => rmaWord(0x8000, 0)).toThrow("RMA unlock");
    expect(() => parseSsp(buildSsp(input("mp15")).subarray(0, 243), "a.ssp")).toThrow("offset 243");
    expect(sspDeviceOf(0x501)).toBe("mp13");
    expect(() => sspDeviceOf(0x505)).toThrow("published nowhere");
  });
});

describe("secrets editor", () => {
  it("puts words where the OTP map has them", () => {
    const one = setSecretWords(new Uint8Array(148), 0x500, "otp60", Uint8Array.of(0x78, 0x56, 0x34, 0x12));
    const listed = listSecretWords(one, 0x500).filter(({ written }) => written);
    expect(listed).toEqual([{ word: 60, field: "customer", value: 0x12345678, written: true }]);
    const edmk = setSecretWords(one, 0x501, "edmk", new Uint8Array(16).fill(1));
    expect(listSecretWords(edmk, 0x501).filter(({ field }) => field === "edmk")).toHaveLength(4);
    expect(edmk.subarray(132)).toEqual(new Uint8Array(16).fill(1));
  });

  it("refuses words outside the file and bytes that do not fit", () => {
    const empty = new Uint8Array(148);
    for (const where of ["otp58", "otp96", "otp70..60", "rma", "edmk"]) {
      expect(() => setSecretWords(empty, 0x500, where, Uint8Array.of(1)), where).toThrow("no words");
    }
    expect(() => setSecretWords(empty, 0x500, "otp59", new Uint8Array(5))).toThrow("holds 4 bytes");
  });
});
