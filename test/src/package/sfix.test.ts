import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { areaIv, openSealed, readAreas, readImageHeader } from "../../../drivers/virtual/rss/formats.ts";
import { fromWords, toWords } from "../../../src/bytes/bytes.ts";
import { parseSfi } from "../../../src/package/sfi.ts";
import { buildSfi, type SfiBuildInput } from "../../../src/package/sfi-build.ts";
import { checkPlaces } from "../../../src/package/sfi-places.ts";
import { checkStructure, partsOf } from "../../../src/package/sfi-verify.ts";
import {
  decodeExternalPrefix,
  decodeKeyAreas,
  encodeExternalPrefix,
  encodeKeyAreas,
  parseKeyAreaCsv,
  parseModulesCsv,
  regionText,
} from "../../../src/package/sfix.ts";
import { parseSmi } from "../../../src/package/smi.ts";
import { readPackageAgain } from "../../support/second-reader.ts";
import {
  patternBytes,
  patternSegment,
  sampleKey,
  sampleNonce,
  sampleOptionWords,
  sampleRules,
} from "../../support/sfi-samples.ts";

const token = 0x081ff000;
const external = { segments: [patternSegment(0x90000000, 5000)], region: 0, mode: 2, keyAddress: 0x081e0000 };
const base: SfiBuildInput = {
  segments: [patternSegment(0x08000000, 3000)],
  optionWords: sampleOptionWords,
  key: sampleKey,
  nonce: sampleNonce,
  imageVersion: 4,
  protocolVersion: 1,
};
const whole: SfiBuildInput = {
  ...base,
  external: [external],
  keyAreas: [{ sizeBytes: 0x10, address: 0x081e0000 }],
  opaque: [
    { type: "M", address: 0x08080000, data: patternBytes(77) },
    { type: "O", address: 0x0ffd0100, data: patternBytes(108) },
    { type: "S", address: 0x08090000, data: patternBytes(64) },
  ],
  split: { ramSizeBytes: 4096, tokenAddress: token },
};
const everything = { ...sampleRules, areaTypes: ["F", "C", "P", "R", "M", "E", "K", "O", "S"] as const };

function codes(bytes: Uint8Array): string[] {
  return checkStructure(parseSfi(bytes, "x.sfix"), everything).map(({ message }) => message);
}

describe("packages with every area type", () => {
  it("have external flash in parts of its own, and the region settings before each of its pieces", () => {
    const bytes = buildSfi(whole);
    const { areas } = readPackageAgain(bytes, sampleKey, sampleNonce);
    expect(areas.map(({ type }) => type).join("")).toBe("FMOSKPREPREPRC");
    const pieces = areas.filter(({ type }) => type === "E");
    expect(pieces.map(({ plain }) => toWords(plain.slice(0, 12)))).toEqual([
      [0, 2, 0x081e0000],
      [0, 2, 0x081e0000],
    ]);
    const first = pieces[0]!.plain.length - 12;
    expect(pieces[1]!.address).toBe(0x90000000 + first);
    expect(Buffer.concat(pieces.map(({ plain }) => plain.subarray(12)))).toEqual(
      Buffer.from(external.segments[0]!.data),
    );
    expect(toWords(areas.find(({ type }) => type === "K")!.plain.slice())).toEqual([0x10, 0x081e0000]);
    expect(codes(bytes)).toEqual([]);
    expect(partsOf(parseSfi(bytes, "x")).every(({ sizeBytes }) => sizeBytes <= 4096)).toBe(true);
  });

  it("carry modules, OBKeys and SSFI images untouched", () => {
    const { areas } = readPackageAgain(buildSfi(whole), sampleKey, sampleNonce);
    for (const { type, address, data } of whole.opaque!) {
      const area = areas.find((one) => one.type === type)!;
      expect([area.address, Buffer.from(area.plain)]).toEqual([address, Buffer.from(data)]);
    }
  });

  it("are opened by the virtual chip's reader and by the second one alike, split and unsplit", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 6000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        sizes,
        fc.boolean(),
        fc.boolean(),
        fc.nat(255),
        (lengths, split, withExternal, imageVersion) => {
          const segments = lengths.map((length, i) => patternSegment(0x08000000 + i * 0x4000, length));
          const bytes = buildSfi({
            ...base,
            imageVersion,
            segments,
            ...(split || withExternal ? { split: { ramSizeBytes: 4096, tokenAddress: token } } : {}),
            ...(withExternal ? { external: [external], keyAreas: whole.keyAreas! } : {}),
          });
          const again = readPackageAgain(bytes, sampleKey, sampleNonce);
          const header = readImageHeader(bytes.subarray(0, 28));
          const areas = readAreas(bytes.subarray(28))!;
          expect(header).toMatchObject({ magic: "SFIMAGIC", totalAreas: again.total });
          const none = new Uint8Array(0);
          expect(openSealed(sampleKey, sampleNonce, header.authenticated, none, header.tag)).toEqual(none);
          const plain = areas.map((area) =>
            openSealed(
              sampleKey,
              areaIv(sampleNonce, area.index),
              area.authenticated,
              area.content,
              area.tag,
            ),
          );
          expect(plain).toEqual(again.areas.map((area) => area.plain));
          expect(
            again.areas.every((area) => area.version === imageVersion && area.total === again.total),
          ).toBe(true);
          const flash = new Map(
            again.areas
              .filter(({ type }) => type === "F")
              .flatMap((area) => [...area.plain].map((byte, i) => [area.address + i, byte] as const)),
          );
          for (const { address, data } of segments) {
            data.forEach((byte, i) => {
              expect(flash.get(address + i)).toBe(byte);
            });
          }
          expect(flash.size).toBe(lengths.reduce((sum, length) => sum + length, 0));
          expect(again.areas.at(-1)!.plain).toEqual(fromWords(sampleOptionWords));
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);

  it("are refused without a token, with keys that nothing uses, and with settings out of range", () => {
    const { split: _, ...unsplit } = whole;
    expect(() => buildSfi(unsplit)).toThrow("continuation-token");
    expect(() => buildSfi({ ...base, keyAreas: whole.keyAreas! })).toThrow("there is none");
    expect(() => buildSfi({ ...whole, external: [{ ...external, mode: 4 }] })).toThrow("region mode");
  });

  it("are judged: place and overlap of external flash", () => {
    const at = (address: number) => ({ ...external, segments: [patternSegment(address, 100)] });
    expect(codes(buildSfi({ ...whole, external: [at(0x60000000)] })).join()).toContain(
      "lies outside external flash",
    );
    expect(codes(buildSfi({ ...whole, external: [at(0x90000000), at(0x90000010)] })).join()).toContain(
      "overlap at 0x90000010",
    );
  });
});

describe("words before and in areas", () => {
  it("come back as they went in", () => {
    const settings = fc.record({ region: fc.nat(7), mode: fc.nat(3), keyAddress: fc.nat(0xffffffff) });
    const keys = fc.array(fc.record({ sizeBytes: fc.nat(0xffffffff), address: fc.nat(0xffffffff) }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(settings, keys, (given, areas) => {
        expect(decodeExternalPrefix(encodeExternalPrefix(given))).toEqual(given);
        expect(decodeKeyAreas(encodeKeyAreas(areas))).toEqual(areas);
      }),
    );
    expect(decodeExternalPrefix(fromWords([8, 0, 0]))).toBeUndefined();
    expect(decodeKeyAreas(new Uint8Array(7))).toBeUndefined();
    expect(regionText({ region: 5, mode: 3, keyAddress: 0x0c020000 })).toBe(
      "OTFD2 region 5, instruction only (EnhancedCipher), key at 0x0C020000",
    );
  });

  it("key-area and modules files are read as published and refused with the line", () => {
    expect(parseKeyAreaCsv("0x00000010, 0x0C020000\r\n0x00000010,0x08000060\n", "k.kcsv")).toEqual([
      { sizeBytes: 16, address: 0x0c020000 },
      { sizeBytes: 16, address: 0x08000060 },
    ]);
    expect(() => parseKeyAreaCsv("0x10,0x0C020000\n16,0x0\n", "k")).toThrow("line 2");
    expect(() => parseKeyAreaCsv("0x11,0x0C020000\n", "k")).toThrow("128-bit");
    expect(parseModulesCsv("./module.bin, ./LicenseV0.bin, 0x8172000", "m.mcsv")).toEqual([
      { moduleFile: "./module.bin", licenseFile: "./LicenseV0.bin", address: 0x08172000 },
    ]);
    expect(() => parseModulesCsv("a.bin, 0x0", "m")).toThrow("line 1");
  });

  it("an SMI module names its address", () => {
    const module = new Uint8Array(48 + 1640);
    module.set(Buffer.from("SMIMAGIC"));
    module.set(fromWords([0x08080000, 1640]), 8);
    expect(parseSmi(module, "m.smi")).toEqual({ address: 0x08080000, sizeBytes: 1640 });
    expect(() => parseSmi(module.subarray(0, 100), "m.smi")).toThrow("offset 12");
  });
});

describe("checkPlaces", () => {
  it("names the file and the first address outside, and lets firmware cross touching banks", () => {
    const image = (address: number, length: number) => [
      { format: "bin" as const, source: "app.bin", segments: [patternSegment(address, length)] },
    ];
    checkPlaces(image(0x080fff00, 0x200), sampleRules.flash, "0x450");
    expect(() => checkPlaces(image(0x081fff00, 0x200), sampleRules.flash, "0x450")).toThrow(
      "app.bin has bytes at 0x08200000, outside the flash of device 0x450",
    );
  });
});
