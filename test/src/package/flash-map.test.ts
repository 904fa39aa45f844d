import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flashMap, usedFraction } from "../../../src/package/flash-map.ts";
import { mapSvg, mapText } from "../../../src/package/flash-map-draw.ts";
import { parseSfi } from "../../../src/package/sfi.ts";
import { diffContents, diffPackages } from "../../../src/package/sfi-diff.ts";
import { openSfi } from "../../../src/package/sfi-verify.ts";
import {
  patternSegment,
  sampleKey,
  sampleNonce,
  sampleOptionRows,
  sampleOptionWords,
  samplePackage,
} from "../../support/sfi-samples.ts";

const banks = [
  { address: 0x08000000, sizeBytes: 0x100000, sectorBytes: 0x20000 },
  { address: 0x08100000, sizeBytes: 0x100000, sectorBytes: 0x20000 },
];
const split = { ramSizeBytes: 0x1e000, tokenAddress: 0x081ff000 };
const pkg = (overrides = {}) => parseSfi(samplePackage(overrides), "a.sfi");

describe("flashMap", () => {
  it("covers each bank without holes, with areas, parts, gaps and the token", () => {
    const map = flashMap(pkg({ segments: [patternSegment(0x08000000, 182592)], split }), banks);
    expect(map[0]!.spans.map(({ kind, part }) => [kind, part])).toEqual([
      ["area", 1],
      ["area", 2],
      ["gap", undefined],
    ]);
    expect(map[1]!.spans.map(({ kind }) => kind)).toEqual(["gap", "token", "gap"]);
    expect(usedFraction(map[0]!)).toBeCloseTo(182592 / 0x100000);
    const text = mapText(map);
    expect(text).toContain("area 4 (F), part 2, sectors 0..1");
    expect(text).toMatch(/\[\.+T\]/);
  });

  it("always adds up to the memory", () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 0x8000 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(lengths, fc.boolean(), (sizes, known) => {
        const segments = sizes.map((size, i) => patternSegment(0x08000100 + i * 0x20000, size));
        for (const { spans, address, sizeBytes } of flashMap(pkg({ segments }), known ? banks : [])) {
          let at = address;
          for (const span of spans) {
            expect(span.address).toBe(at);
            at += span.sizeBytes;
          }
          expect(at).toBe(address + sizeBytes);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("as a picture has a rectangle for each span and a line for each sector boundary", () => {
    const map = flashMap(pkg({ split }), banks);
    const svg = mapSvg(map, "a<b&c");
    expect(svg).toContain("<title>a&lt;b&amp;c</title>");
    expect(svg.match(/<rect /g)).toHaveLength(map.flatMap(({ spans }) => spans).length);
    expect(svg.match(/<line class="sector"/g)).toHaveLength(18);
    expect(svg).toBe(mapSvg(map, "a<b&c"));
  });
});

describe("diff", () => {
  it("says nothing about the same package", () => {
    expect(diffPackages(pkg(), pkg())).toEqual([]);
  });

  it("names header fields, sizes, missing areas and contents", () => {
    const other = pkg({ imageVersion: 24, segments: [patternSegment(0x08000000, 845)] });
    expect(diffPackages(pkg(), other).map(({ what }) => what)).toEqual([
      "image version",
      "number of areas",
      "size in bytes",
      "image header tag",
      "area 1 (F) at 0x08000000 size",
      "area 2 (F) at 0x08030000",
      "area 3 (C) at 0x00000000 encrypted content",
    ]);
  });

  it("with the key names the first byte and the option words", () => {
    const segments = [patternSegment(0x08000000, 844), patternSegment(0x08030000, 116)];
    const changed = segments.map((segment) => ({ ...segment, data: segment.data.slice() }));
    changed[1]!.data[100]! ^= 1;
    const words = sampleOptionWords.map((word, i) => (i === 7 ? 0x08000800 : word));
    const [a, b] = [pkg({ segments }), pkg({ segments: changed, optionWords: words })].map((one) =>
      openSfi(one, sampleKey, sampleNonce),
    );
    expect(diffContents(a!, b!, sampleOptionRows).map(({ what }) => what)).toEqual([
      "option word FBOOT7_PRG",
      "firmware from 0x08030064",
    ]);
  });
});
