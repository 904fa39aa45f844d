import { describe, expect, it } from "vitest";
import { asciiBytes, concatBytes } from "../../../src/bytes/bytes.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";
import { isStationError, StationError } from "../../../src/errors/station-error.ts";
import { gcmSeal } from "../../../src/package/aes-gcm.ts";
import { parseSfi } from "../../../src/package/sfi.ts";
import { buildSfi } from "../../../src/package/sfi-build.ts";
import {
  areaContext,
  encodeAreaHeaderBody,
  encodeImageHeaderBody,
  imageHeaderTag,
} from "../../../src/package/sfi-layout.ts";
import { checkStructure, openSfi, partsOf, type SfiRules } from "../../../src/package/sfi-verify.ts";
import {
  patternSegment,
  sampleKey,
  sampleNonce,
  sampleOptionWords,
  samplePackage,
  sampleRules,
} from "../../support/sfi-samples.ts";

interface AreaSketch {
  readonly type: string;
  readonly sizeBytes: number;
  readonly address?: number;
  readonly index?: number;
  readonly version?: number;
  readonly totalAreas?: number;
}

/** A package without encryption or tags, packed here by hand: for structure checks only. */
function sketch(areas: readonly AreaSketch[], protocolVersion = 1) {
  const header = new ByteWriter(28)
    .bytes(asciiBytes("SFIMAGIC"))
    .u16(protocolVersion)
    .u16(areas.length)
    .finish();
  const bodies = areas.map(({ type, sizeBytes, address = 0, index, version = 7, totalAreas }, i) =>
    new ByteWriter(30 + sizeBytes)
      .u8(type.charCodeAt(0))
      .u8(version)
      .u16(index ?? i + 1)
      .u32(sizeBytes)
      .u32(address)
      .u16(totalAreas ?? areas.length)
      .finish(),
  );
  return parseSfi(concatBytes(header, ...bodies), "sketch.sfi");
}

const firmware = { type: "F", sizeBytes: 256, address: 0x08000000 };
const options = { type: "C", sizeBytes: 36 };
const token = 0x081ff000;
const pause = { type: "P", sizeBytes: 32, address: token };
const resume = { type: "R", sizeBytes: 32, address: token };

function findings(areas: readonly AreaSketch[], rules: Partial<SfiRules> = {}): string[] {
  return checkStructure(sketch(areas), { ...sampleRules, ...rules }).map(
    ({ code, parameters: { detail } }) => `${code} ${detail}`,
  );
}

describe("checkStructure", () => {
  it.each([
    ["one part", [firmware, options]],
    ["two parts", [firmware, pause, resume, { ...firmware, address: 0x08010000 }, options]],
    ["an area across both banks", [{ ...firmware, address: 0x080fff80 }, options]],
    ["an area up to the end of flash", [{ ...firmware, address: 0x081fff00 }, options]],
    [
      "P and R of size 0, as AN5054 figure 4 has them",
      [firmware, { ...pause, sizeBytes: 0 }, { ...resume, sizeBytes: 0 }, options],
    ],
    ["option bytes alone", [options]],
    ["areas in any address order", [{ ...firmware, address: 0x08010000 }, firmware, options]],
  ])("finds nothing in %s", (_, areas) => {
    expect(findings(areas)).toEqual([]);
  });

  it.each([
    ["a wrong index", [{ ...firmware, index: 2 }, options], "index 2 instead of 1"],
    ["another version", [firmware, { ...options, version: 8 }], "is of image version 8, the first of 7"],
    ["another total", [firmware, { ...options, totalAreas: 9 }], "counts 9 areas, the image header 2"],
    ["a module", [firmware, { ...firmware, type: "M" }, options], "area 2 (M) is a module area"],
    ["external flash", [firmware, { ...firmware, type: "E" }, options], "area 2 (E)"],
    [
      "firmware before flash",
      [{ ...firmware, address: 0x07ffffff }, options],
      "outside the flash of device 0x450",
    ],
    ["firmware past flash", [{ ...firmware, address: 0x081fff01 }, options], "outside the flash"],
    ["firmware past 32 bits", [{ ...firmware, address: 0xffffffff }, options], "outside the flash"],
    ["empty firmware", [{ ...firmware, sizeBytes: 0 }, options], "area 1 (F) is empty"],
    [
      "overlap",
      [firmware, { ...firmware, address: 0x080000ff }, options],
      "area 1 (F) and area 2 (F) overlap at 0x080000FF",
    ],
    ["no option bytes", [firmware], "no option-byte (C) area"],
    ["option bytes first", [options, firmware], "area 1 (C) is not the last area"],
    ["option bytes twice", [firmware, options, options], "area 3 (C) is one C area too many"],
    ["too few option words", [firmware, { ...options, sizeBytes: 32 }], "holds 32 bytes; the 9 option words"],
    [
      "an address for option bytes",
      [firmware, { ...options, address: 4 }],
      "address 0x00000004 instead of 0",
    ],
    ["a pause without resume", [firmware, pause, options], "area 2 (P) is not followed by an R area"],
    ["a resume without pause", [firmware, resume, options], "area 2 (R) does not follow a P area"],
    ["a pause at the end", [firmware, options, pause], "area 3 (P) is not followed"],
    [
      "two token addresses",
      [firmware, pause, { ...resume, address: token + 32 }, options],
      "different token addresses",
    ],
    [
      "a pause of 16 bytes",
      [firmware, { ...pause, sizeBytes: 16 }, resume, options],
      "area 2 (P) holds 16 bytes",
    ],
    [
      "a token outside flash",
      [firmware, { ...pause, address: 0x081ffff0 }, { ...resume, address: 0x081ffff0 }, options],
      "continuation token at 0x081FFFF0 lies outside the flash",
    ],
    [
      "an unaligned token",
      [firmware, { ...pause, address: token + 8 }, { ...resume, address: token + 8 }, options],
      "not aligned to 32 bytes",
    ],
    [
      "a token inside firmware",
      [firmware, { ...pause, address: 0x080000e0 }, { ...resume, address: 0x080000e0 }, options],
      "lies inside area 1 (F)",
    ],
  ])("finds %s", (_, areas, detail) => {
    expect(findings(areas)).toContainEqual(expect.stringContaining(detail));
  });

  it("counts a part's RAM without its P and R areas", () => {
    const areas = [firmware, pause, resume, options];
    expect(findings(areas, { maximumPartSizeBytes: 28 + 30 + 256 })).toEqual([]);
    expect(findings([options, ...areas.slice(1)], { maximumPartSizeBytes: 28 + 30 + 36 })).not.toContainEqual(
      expect.stringContaining("bytes of RAM"),
    );
    expect(findings(areas, { maximumPartSizeBytes: 28 + 30 + 255 })).toEqual([
      "PACKAGE_STRUCTURE part 1 takes 314 bytes of RAM; device 0x450 has 313 for it",
    ]);
  });

  it("finds areas that share a flash word only where the device has one", () => {
    const areas = [
      firmware,
      { ...firmware, address: 0x08000100, sizeBytes: 8 },
      { ...firmware, address: 0x08000110 },
      options,
    ];
    expect(findings(areas)).toEqual([]);
    expect(findings(areas, { flashWordBytes: 32 })).toEqual([
      "PACKAGE_STRUCTURE area 2 (F) and area 3 (F) share the 32-byte flash word at 0x08000100",
    ]);
  });

  it("takes other area types where the rules name them", () => {
    const areas = [firmware, { type: "M", sizeBytes: 48 }, options];
    expect(findings(areas, { areaTypes: ["F", "C", "P", "R", "M"] })).toEqual([]);
  });

  it("reports the protocol version against the device, beside all other findings", () => {
    const errors = checkStructure(sketch([firmware], 2), sampleRules);
    expect(errors.map(({ code }) => code)).toEqual(["PACKAGE_PROTOCOL", "PACKAGE_STRUCTURE"]);
    expect(errors[0]?.message).toBe("package protocol version 2 is refused by device 0x450 (it takes 1)");
  });

  it("reports everything at once", () => {
    expect(
      findings([{ ...options, sizeBytes: 4 }, { ...firmware, index: 5, address: 0x20000000 }, pause]).length,
    ).toBe(5);
  });
});

describe("openSfi", () => {
  const code = (action: () => unknown): string => {
    try {
      action();
    } catch (error) {
      if (error instanceof StationError) {
        const { part = "" } = error.parameters;
        return `${error.code} ${part}`.trim();
      }
      throw error;
    }
    return "none";
  };

  it("gives plaintext, option words and firmware", () => {
    const segments = [patternSegment(0x08000000, 5000)];
    const bytes = samplePackage({ segments, split: { ramSizeBytes: 2048, tokenAddress: token } });
    const opened = openSfi(parseSfi(bytes, "x"), sampleKey, sampleNonce);
    expect(opened.firmware).toEqual(segments);
    expect(opened.optionWords).toEqual(sampleOptionWords);
    expect(opened.areas.filter(({ area }) => area.type === "P").map(({ plaintext }) => plaintext)).toEqual([
      new Uint8Array(32),
      new Uint8Array(32),
    ]);
  });

  it("has no option words where there is no C area", () => {
    const bytes = buildSfi({
      segments: [patternSegment(0x08000000, 64)],
      key: sampleKey,
      nonce: sampleNonce,
      imageVersion: 0,
      protocolVersion: 1,
    });
    expect(openSfi(parseSfi(bytes, "x"), sampleKey, sampleNonce).optionWords).toEqual([]);
  });

  it("refuses an authentic C area that is not made of words", () => {
    // Every tag is right: only the key's owner can make such a package.
    const body = encodeAreaHeaderBody({
      type: "C",
      version: 0,
      index: 1,
      sizeBytes: 34,
      address: 0,
      totalAreas: 1,
    });
    const { ciphertext, tag } = gcmSeal(areaContext(body, 1, sampleKey, sampleNonce), new Uint8Array(34));
    const header = encodeImageHeaderBody(1, 1);
    const bytes = concatBytes(header, imageHeaderTag(header, sampleKey, sampleNonce), body, tag, ciphertext);
    expect(code(() => openSfi(parseSfi(bytes, "x"), sampleKey, sampleNonce))).toBe("PACKAGE_STRUCTURE");
  });

  it("names the image header under a wrong key or nonce", () => {
    const pkg = parseSfi(samplePackage(), "x");
    expect(
      code(() =>
        openSfi(
          pkg,
          sampleKey.map((byte) => byte ^ 1),
          sampleNonce,
        ),
      ),
    ).toBe("PACKAGE_TAG_WRONG image header");
    expect(
      code(() =>
        openSfi(
          pkg,
          sampleKey,
          sampleNonce.map((byte) => byte ^ 1),
        ),
      ),
    ).toBe("PACKAGE_TAG_WRONG image header");
    expect(code(() => openSfi(pkg, new Uint8Array(32), sampleNonce))).toBe("KEY_LENGTH");
    expect(code(() => openSfi(pkg, sampleKey, new Uint8Array(16)))).toBe("KEY_LENGTH");
  });

  it("names the area whose content, address or tag was changed", () => {
    const second = 28 + 30 + 844;
    const expected = "PACKAGE_TAG_WRONG area 2 (F)";
    for (const offset of [second + 8, second + 14, second + 29, second + 30, second + 145]) {
      const bytes = samplePackage();
      bytes[offset] = (bytes[offset] ?? 0) ^ 0x80;
      expect(code(() => openSfi(parseSfi(bytes, "x"), sampleKey, sampleNonce))).toBe(expected);
    }
  });

  it("notices areas in another order", () => {
    const segments = [patternSegment(0x08000000, 64), patternSegment(0x08001000, 64)];
    const bytes = samplePackage({ segments });
    const swapped = concatBytes(
      bytes.subarray(0, 28),
      bytes.subarray(28 + 94, 28 + 188),
      bytes.subarray(28, 28 + 94),
      bytes.subarray(28 + 188),
    );
    const pkg = parseSfi(swapped, "x");
    expect(checkStructure(pkg, sampleRules).length).toBe(2);
    expect(code(() => openSfi(pkg, sampleKey, sampleNonce))).toBe("PACKAGE_TAG_WRONG area 2 (F)");
  });

  it("together with parseSfi notices a change of any byte of the file", () => {
    const bytes = samplePackage({
      segments: [patternSegment(0x08000000, 200), patternSegment(0x08001000, 40)],
      split: { ramSizeBytes: 300, tokenAddress: token },
    });
    expect(partsOf(parseSfi(bytes, "x")).length).toBeGreaterThan(1);
    for (let offset = 0; offset < bytes.length; offset++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const changed = Uint8Array.from(bytes);
        changed[offset] = (changed[offset] ?? 0) ^ mask;
        const found = code(() => openSfi(parseSfi(changed, "x"), sampleKey, sampleNonce));
        expect(found, `byte ${offset} ^ ${mask}`).toMatch(/^PACKAGE_(CORRUPT|TAG_WRONG)/);
      }
    }
  });

  it("without a key notices every change of what is not covered by a tag alone", () => {
    const bytes = samplePackage();
    const sound = parseSfi(bytes, "x");
    // Version, index, size and total of every area, and magic, protocol version and total of the image header.
    const offsets = [
      ...Array.from({ length: 12 }, (_, i) => i),
      ...sound.areas.flatMap(({ offset }) => [0, 1, 2, 3, 4, 5, 6, 7, 12, 13].map((i) => offset + i)),
    ];
    for (const offset of offsets) {
      const changed = Uint8Array.from(bytes);
      changed[offset] = (changed[offset] ?? 0) ^ 0x10;
      let noticed = false;
      try {
        noticed = checkStructure(parseSfi(changed, "x"), sampleRules).length > 0;
      } catch (error) {
        noticed = isStationError(error, "PACKAGE_CORRUPT");
      }
      expect(noticed, `byte ${offset}`).toBe(true);
    }
  });
});

describe("partsOf", () => {
  it("ends a part with its P area and begins the next with the R area", () => {
    const parts = partsOf(sketch([firmware, firmware, pause, resume, firmware, pause, resume, options]));
    expect(
      parts.map(({ number, areas, sizeBytes, last }) => [
        number,
        areas.map(({ type }) => type).join(""),
        sizeBytes,
        last,
      ]),
    ).toEqual([
      [1, "FFP", 286 + 286 + 62, false],
      [2, "RFP", 62 + 286 + 62, false],
      [3, "RC", 62 + 66, true],
    ]);
  });

  it("has one part where there is no pause", () => {
    expect(partsOf(sketch([firmware, options]))).toMatchObject([{ number: 1, sizeBytes: 352, last: true }]);
  });
});
