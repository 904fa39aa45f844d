import { createPrivateKey } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { asciiBytes } from "../../../src/bytes/bytes.ts";
import { certificateObject, oemIrotConfigObject, passwordObject } from "../../../src/package/da-objects.ts";
import { objectFromXml } from "../../../src/package/obk-xml.ts";
import { keyPairOf } from "../../../src/package/p256.ts";
import { publicKeyObject } from "../../../src/package/pem-keys.ts";
import { parseXml } from "../../../src/package/xml.ts";
import { projectRoot } from "../../support/sample-job.ts";

const info = (destination: string) =>
  `<Info><Title>t</Title><ObDestAddress>${destination}</ObDestAddress><DoEncryption>1</DoEncryption><GlobalAlign>16</GlobalAlign></Info>`;
const keys = [1, 2, 3].map((fill) => keyPairOf(new Uint8Array(32).fill(fill)));
const publicPem = (i: number) =>
  asciiBytes(String(publicKeyObject(keys[i]!.publicKey).export({ type: "spki", format: "pem" })));
function privatePem(i: number): Uint8Array {
  const { publicKey, privateKey } = keys[i]!;
  const [x, y, d] = [publicKey.subarray(0, 32), publicKey.subarray(32), privateKey].map((part) =>
    Buffer.from(part).toString("base64url"),
  );
  const key = createPrivateKey({ key: { kty: "EC", crv: "P-256", x: x!, y: y!, d: d! }, format: "jwk" });
  return asciiBytes(String(key.export({ type: "pkcs8", format: "pem" })));
}
const build = (xml: string, files: Record<string, Uint8Array> = {}) =>
  objectFromXml(xml, "d.xml").build(new Map(Object.entries(files)), () => {});

describe("OBKey descriptions", () => {
  it("give the debug-authentication objects", () => {
    const password = `<Obdata>${info("0x0FFD0100")}<Hash/><DA/><Text><Value>0123456789012345</Value></Text><Permission><Value>0x5077</Value></Permission></Obdata>`;
    expect(build(password)).toEqual(passwordObject("h5", asciiBytes("0123456789012345")));
    const key = `<Obdata>${info("0x0FFD0100")}<Hash/><DA/><File><Value>root.pem</Value><Type>Public</Type></File><Permission><Value>0x5077</Value></Permission></Obdata>`;
    expect(objectFromXml(key, "d.xml").fileNames).toEqual(["root.pem"]);
    expect(build(key, { "root.pem": publicPem(0) })).toEqual(certificateObject("h5", keys[0]!.publicKey));
  });

  const oemIrot = `<?xml version="1.0" encoding="UTF-8"?><!-- keys --><Obdata>${info("0x0FFD0160")}<Hash/>
    <File><Value>s.pem</Value><Type>Public</Type><Align>4</Align></File>
    <File><Value>ns.pem</Value><Type>Public</Type><Align>4</Align></File>
    <File><Value>enc.pem</Value><Type></Type><Align>4</Align></File></Obdata>`;

  it("give the OEMiRoT keys", () => {
    const files = { "s.pem": publicPem(0), "ns.pem": publicPem(1), "enc.pem": privatePem(2) };
    expect(build(oemIrot, files)).toEqual(
      oemIrotConfigObject({
        secure: keys[0]!.publicKey,
        nonSecure: keys[1]!.publicKey,
        decryption: keys[2]!.privateKey,
      }),
    );
  });

  it("without a destination give a bare binary, integers little-endian", () => {
    const xml = `<Obdata><Info/><Data><Width>2</Width><Value>0x1234</Value></Data><Bool><Width>1</Width><Value>1</Value><Align>4</Align></Bool></Obdata>`;
    expect([...build(xml)]).toEqual([0x34, 0x12, 1, 0, 0, 0]);
  });

  it("are refused with the line", () => {
    expect(() => build("<Obdata>\n<Info></Info>\n<Odd/></Obdata>")).toThrow("line 3: Odd is not known");
    expect(() => parseXml("<a>\n<b></a>", "x")).toThrow("line 2");
    expect(() => parseXml(`<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>`, "x")).toThrow("no tag of this form");
    expect(() => parseXml("<a>&e;</a>", "x")).toThrow("&e; is no entity");
    expect(() => parseXml("<a>".repeat(40), "x")).toThrow("too deep");
    expect(() => parseXml("<a></a><b></b>", "x")).toThrow("second root");
    expect(parseXml("<a>1 &lt; 2</a>", "x").text).toBe("1 < 2");
  });
});

const sample = join(projectRoot, "../shared/samples/h5-provisioning/DA_ConfigWithPassword.obk");
describe.skipIf(!existsSync(sample))("ST sample DA_ConfigWithPassword.obk (shared/samples)", () => {
  it("is what the description gives", () => {
    const xml = `<Obdata>${info("0x0FFD0100")}<Hash/><DA/><Text><Value>0123456789012345</Value></Text><Permission><Value>0x5077</Value></Permission></Obdata>`;
    expect(build(xml)).toEqual(new Uint8Array(readFileSync(sample)));
  });
});
