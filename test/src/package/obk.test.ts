import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asciiBytes, plainView } from "../../../src/bytes/bytes.ts";
import { sha256 } from "../../../src/bytes/digest.ts";
import { fromHex, toHex } from "../../../src/bytes/hex.ts";
import {
  boardPassword,
  certificateObject,
  decodeDebugAuthentication,
  encodePasswordFile,
  lockObject,
  oemIrotConfigObject,
  oemIrotDataObject,
  parsePasswordFile,
  passwordObject,
} from "../../../src/package/da-objects.ts";
import { publicDigestName, publicKeyName } from "../../../src/package/known-keys.ts";
import { describeDestination, encodeObKey, parseObKey } from "../../../src/package/obk.ts";
import { randomKeyPair } from "../../../src/package/p256.ts";
import { privateKeyDer, publicKeyDer } from "../../../src/package/pem-keys.ts";
import { projectRoot } from "../../support/sample-job.ts";

const password = asciiBytes("0123456789012345");

describe("OBKey files", () => {
  it("come back as they went in", () => {
    const key = fc.record({
      destination: fc.nat(0xffffffff),
      encrypted: fc.boolean(),
      payload: fc.uint8Array({ minLength: 1, maxLength: 400 }),
    });
    fc.assert(
      fc.property(key, (given) => {
        expect(parseObKey(encodeObKey(given), "a.obk")).toMatchObject(given);
      }),
    );
  });

  it("are refused with the offset of what is wrong", () => {
    const file = encodeObKey({ destination: 1, encrypted: true, payload: new Uint8Array(4) });
    expect(() => parseObKey(file.subarray(0, 11), "a.obk")).toThrow("offset 11");
    expect(() => parseObKey(file.subarray(0, 15), "a.obk")).toThrow("offset 4");
    expect(() =>
      parseObKey(
        Uint8Array.from(file, (b, i) => (i === 8 ? 2 : b)),
        "a.obk",
      ),
    ).toThrow("offset 8");
  });

  it("password object of H5 has the published hashes", () => {
    const { destination, encrypted, payload, hashed } = parseObKey(passwordObject("h5", password), "da.obk");
    expect({ destination, encrypted, hashed }).toEqual({
      destination: 0x0ffd0100,
      encrypted: true,
      hashed: true,
    });
    expect(toHex(payload)).toBe(
      "5e9bd65fe48ea17e40ae126f76e7c1013a73bf35c95d48975c5d1575a7198442" +
        "184aa46d813411727da0dc9e64186bb9907289b5aab4b320d26fff5ea45d8e3d" +
        "77500000000000000000000000000000" +
        "00000000000000000000000000000000",
    );
  });

  it("objects of H7RS name their method in the destination", () => {
    const { publicKey } = randomKeyPair();
    const byKey = parseObKey(certificateObject("h7rs", publicKey), "a.obk");
    expect(byKey.destination).toBe(0x00510008);
    expect(decodeDebugAuthentication(byKey)).toEqual({
      secretHash: sha256(publicKey),
      permissions: 0x80000000000000000000000000004007n,
      method: "certificate",
    });
    const byWord = parseObKey(passwordObject("h7rs", password), "a.obk");
    expect(byWord.destination).toBe(0x008a0008);
    expect(decodeDebugAuthentication(byWord)).toMatchObject({ permissions: 0n, method: "password" });
    expect(toHex(lockObject())).toBe(
      `0800b400${"20000000"}${"01000000"}${toHex(asciiBytes("STDALOCKMGC"))}${"ff".repeat(21)}`,
    );
  });

  it("describes where an object goes", () => {
    expect(describeDestination(0x0ffd0160)).toEqual({ family: "h5", text: "HDPL1 + 0x60" });
    expect(describeDestination(0x00510008).text).toBe("slot 8, HDPL 0, debug authentication by certificate");
    expect(describeDestination(0x108).text).toBe("slot 8, HDPL 1");
    expect(describeDestination(0x12345678).family).toBeUndefined();
  });

  it("OEMiRoT objects have the sizes and places of the boot code", () => {
    const keys = [randomKeyPair(), randomKeyPair(), randomKeyPair()] as const;
    const file = oemIrotConfigObject({
      secure: keys[0].publicKey,
      nonSecure: keys[1].publicKey,
      decryption: keys[2].privateKey,
    });
    expect(file.length).toBe(300);
    const { destination, payload, hashed } = parseObKey(file, "c.obk");
    expect({ destination, hashed }).toEqual({ destination: 0x0ffd0160, hashed: true });
    expect(payload.subarray(32, 123)).toEqual(publicKeyDer(keys[0].publicKey));
    expect(payload.subarray(124, 215)).toEqual(publicKeyDer(keys[1].publicKey));
    expect(payload.subarray(216, 286)).toEqual(privateKeyDer(keys[2].privateKey));
    expect(oemIrotDataObject().length).toBe(204);
  });
});

describe("password files", () => {
  it("have the TLV that the mailbox takes", () => {
    expect(toHex(encodePasswordFile(password))).toBe(`00000080${"10000000"}${toHex(password)}`);
    expect(toHex(boardPassword(fromHex("000102030405060708090a0b")))).toMatch(/^fff3a9bcdd37363d/);
  });

  it("come back as they went in; other lengths are refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (word) => {
        if (word.length >= 4 && word.length <= 16 && word.length % 4 === 0) {
          expect(parsePasswordFile(encodePasswordFile(word), "p")).toEqual(word);
        } else expect(() => encodePasswordFile(word)).toThrow("4, 8, 12 or 16");
      }),
    );
  });
});

describe("published keys", () => {
  it("are recognized by their bytes and by their hash", () => {
    expect(publicKeyName(password)).toContain("example password");
    expect(publicKeyName(fromHex("000102030405060708090a0b"))).toContain("H503");
    expect(publicDigestName(`cc05b01317775c86${"0".repeat(48)}`)).toContain("root key");
    expect(publicKeyName(asciiBytes("0123456789012346"))).toBeUndefined();
  });
});

const samples = join(projectRoot, "../shared/samples/h5-provisioning");
describe.skipIf(!existsSync(samples))("ST sample OBKeys (shared/samples/h5-provisioning)", () => {
  const read = (name: string) => new Uint8Array(readFileSync(join(samples, name)));

  it("DA_ConfigWithPassword.obk is rebuilt byte for byte", () => {
    expect(passwordObject("h5", password)).toEqual(read("DA_ConfigWithPassword.obk"));
  });

  it("DA_Config.obk is rebuilt byte for byte from the root key of cert_root.b64", () => {
    const certificate = Uint8Array.from(atob(readFileSync(join(samples, "cert_root.b64"), "latin1")), (c) =>
      c.charCodeAt(0),
    );
    expect(certificateObject("h5", certificate.subarray(8 + 52, 8 + 116))).toEqual(read("DA_Config.obk"));
  });

  it("OEMiRoT_Data.obk and OEMiRoT_Config.obk are rebuilt byte for byte from their keys", () => {
    expect(oemIrotDataObject()).toEqual(read("OEMiRoT_Data.obk"));
    const config = read("OEMiRoT_Config.obk");
    const { payload } = parseObKey(config, "OEMiRoT_Config.obk");
    const keys = {
      secure: payload.slice(32 + 27, 32 + 91),
      nonSecure: payload.slice(124 + 27, 124 + 91),
      decryption: payload.slice(216 + 36, 216 + 68),
    };
    expect(oemIrotConfigObject(keys)).toEqual(config);
    for (const key of Object.values(keys)) expect(publicKeyName(key)).toContain("OEMiRoT");
  });

  it("password files are rebuilt byte for byte, and every object is recognized as published", () => {
    expect(encodePasswordFile(password)).toEqual(read("password.bin"));
    const word = read("h503_user_password.bin");
    expect(encodePasswordFile(word)).toEqual(read("h503_da_password.bin"));
    expect(boardPassword(word)).toEqual(read("h503_board_password.bin"));
    for (const name of ["DA_Config.obk", "DA_ConfigWithPassword.obk", "password.bin"]) {
      expect(publicKeyName(plainView(read(name))), name).toBeDefined();
    }
  });
});
