import { asciiBytes, asciiText } from "../../src/bytes/bytes.ts";
import { parseElf } from "../../src/firmware/elf.ts";
import { parseIntelHex } from "../../src/firmware/intel-hex.ts";
import { readFirmware } from "../../src/firmware/read-firmware.ts";
import { parseSRecords } from "../../src/firmware/s-record.ts";
import { parseCertificate } from "../../src/package/certificate.ts";
import { createDaCertificate, encodeDaChain, parseDaChain } from "../../src/package/da-certificate.ts";
import { encodePasswordFile, parsePasswordFile, passwordObject } from "../../src/package/da-objects.ts";
import { factsOf } from "../../src/package/file-facts.ts";
import { flashMap } from "../../src/package/flash-map.ts";
import { mapText } from "../../src/package/flash-map-draw.ts";
import { parseRegister } from "../../src/package/key-register.ts";
import { parseLicense } from "../../src/package/license.ts";
import { parseObKey } from "../../src/package/obk.ts";
import { objectFromXml } from "../../src/package/obk-xml.ts";
import { formatOptionCsv, parseOptionCsv } from "../../src/package/option-csv.ts";
import { keyPairOf } from "../../src/package/p256.ts";
import { keyOfPem, publicKeyObject } from "../../src/package/pem-keys.ts";
import { parseSfi } from "../../src/package/sfi.ts";
import { buildSfi } from "../../src/package/sfi-build.ts";
import { checkStructure } from "../../src/package/sfi-verify.ts";
import { parseKeyAreaCsv, parseModulesCsv } from "../../src/package/sfix.ts";
import { parseSmi } from "../../src/package/smi.ts";
import { buildSsp, parseSsp } from "../../src/package/ssp.ts";
import { parseStm32Image } from "../../src/package/stm32-image.ts";
import {
  patternBytes,
  patternSegment,
  sampleKey,
  sampleNonce,
  sampleOptionRows,
  sampleOptionWords,
  samplePackage,
  sampleRules,
} from "../support/sfi-samples.ts";
import { elf32, hexFile, sRecordFile } from "./seeds.ts";

/** A parser and inputs that it takes, from which the broken ones are made. */
export interface FuzzTarget {
  readonly name: string;
  /** The result must depend on the input's bytes alone. Only StationErrors may be thrown. */
  readonly parse: (input: Uint8Array) => unknown;
  readonly seeds: readonly Uint8Array[];
}

const pair = keyPairOf(new Uint8Array(32).fill(9));
const certificate = createDaCertificate(
  {
    role: "root",
    usage: 1,
    lifecycle: 0,
    oemConstraint: 0,
    socClass: 0,
    socId: new Uint8Array(16),
    permissions: 0x5077n,
    publicKey: pair.publicKey,
  },
  pair.privateKey,
);
const chain = asciiBytes(encodeDaChain([certificate]));
const obk = passwordObject("h5", asciiBytes("a pass word!"));
const sfix = buildSfi({
  segments: [patternSegment(0x08000000, 300)],
  external: [{ segments: [patternSegment(0x90000000, 300)], region: 0, mode: 2, keyAddress: 0x08010000 }],
  keyAreas: [{ sizeBytes: 16, address: 0x08010000 }],
  optionWords: sampleOptionWords,
  key: sampleKey,
  nonce: sampleNonce,
  imageVersion: 1,
  protocolVersion: 1,
  split: { ramSizeBytes: 4096, tokenAddress: 0x081ff000 },
});
const ssp = buildSsp({
  device: "mp15",
  oemKey: pair.publicKey,
  rmaPassword: 1,
  secrets: patternBytes(148),
  key: sampleKey,
  nonce: new Uint8Array(16),
});
const chipCertificate = new Uint8Array(136);
chipCertificate.set(asciiBytes("45002001"));
chipCertificate.set(pair.publicKey, 8);
const smi = new Uint8Array(64);
smi.set(asciiBytes("SMIMAGIC"));
smi.set([0, 0, 8, 8, 16, 0, 0, 0], 8);
const stm32 = new Uint8Array(300);
stm32.set(asciiBytes("STM2"));
stm32.set([0, 0, 1, 0, 44, 0, 0, 0], 72);
const xml = asciiBytes(
  `<?xml version="1.0"?><Obdata><Info><ObDestAddress>0x0FFD0100</ObDestAddress><DoEncryption>1</DoEncryption><GlobalAlign>16</GlobalAlign></Info><Hash/><Data><Width>4</Width><Value>0x12</Value><Align>8</Align></Data><Text><Value>abcd</Value></Text><Permission><Value>0x1</Value></Permission><File><Value>a.bin</Value><Type></Type></File><!-- c --></Obdata>`,
);
const register = asciiBytes(
  `{"keyId":"${"0a".repeat(16)}","place":"${"01".repeat(12)}","ivCount":3,"image":"${"ab".repeat(32)}","time":"t","file":"f"}\n`,
);
const text = (parse: (given: string) => unknown) => (input: Uint8Array) => parse(asciiText(input));
const sfiSeeds = [samplePackage(), sfix];

/** Every reader of bytes that come from outside. */
export const fuzzTargets: readonly FuzzTarget[] = [
  { name: "SFI container", parse: (input) => parseSfi(input, "f"), seeds: sfiSeeds },
  {
    name: "SFI rules",
    parse: (input) => checkStructure(parseSfi(input, "f"), sampleRules).map(({ message }) => message),
    seeds: sfiSeeds,
  },
  { name: "flash map", parse: (input) => mapText(flashMap(parseSfi(input, "f"), [])), seeds: sfiSeeds },
  { name: "SSP image", parse: (input) => parseSsp(input, "f"), seeds: [ssp] },
  { name: "OBKey", parse: (input) => parseObKey(input, "f"), seeds: [obk] },
  {
    name: "OBKey description",
    parse: text((given) => {
      const { fileNames, build } = objectFromXml(given, "f");
      return build(new Map(fileNames.map((name) => [name, sampleKey])), () => {});
    }),
    seeds: [xml],
  },
  {
    name: "password file",
    parse: (input) => parsePasswordFile(input, "f"),
    seeds: [encodePasswordFile(asciiBytes("12345678"))],
  },
  { name: "debug-authentication chain", parse: text((given) => parseDaChain(given, "f")), seeds: [chain] },
  { name: "chip certificate", parse: (input) => parseCertificate(input, "f"), seeds: [chipCertificate] },
  { name: "license", parse: (input) => parseLicense(input, "f"), seeds: [patternBytes(136)] },
  { name: "SMI module", parse: (input) => parseSmi(input, "f"), seeds: [smi] },
  { name: ".stm32 image", parse: (input) => parseStm32Image(input, "f"), seeds: [stm32] },
  {
    name: "any file's table",
    parse: (input) => factsOf(input, "f"),
    seeds: [ssp, obk, chain, chipCertificate, smi, stm32, encodePasswordFile(asciiBytes("12345678"))],
  },
  {
    name: "option-byte CSV",
    parse: text((given) => parseOptionCsv(given, { source: "f", rows: sampleOptionRows })),
    seeds: [asciiBytes(formatOptionCsv(sampleOptionRows, sampleOptionWords))],
  },
  {
    name: "key-area file",
    parse: text((given) => parseKeyAreaCsv(given, "f")),
    seeds: [asciiBytes("0x00000010,0x0C020000\n")],
  },
  {
    name: "modules list",
    parse: text((given) => parseModulesCsv(given, "f")),
    seeds: [asciiBytes("./module.bin, ./LicenseV0.bin, 0x8172000\n")],
  },
  { name: "key register", parse: text((given) => parseRegister(given, "f")), seeds: [register] },
  {
    name: "PEM key",
    parse: text((given) => keyOfPem(given, "f")),
    seeds: [asciiBytes(String(publicKeyObject(pair.publicKey).export({ type: "spki", format: "pem" })))],
  },
  { name: "Intel HEX", parse: (input) => parseIntelHex(input, "f"), seeds: [hexFile] },
  { name: "S-record", parse: (input) => parseSRecords(input, "f"), seeds: [sRecordFile] },
  { name: "ELF", parse: (input) => parseElf(input, "f"), seeds: [elf32] },
  {
    name: "any firmware",
    parse: (input) => readFirmware(input, { source: "f" }),
    seeds: [hexFile, sRecordFile, elf32],
  },
];
