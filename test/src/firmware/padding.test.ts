import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { padSegments } from "../../../src/firmware/padding.ts";
import type { Segment } from "../../../src/firmware/segments.ts";

const rule = { fillByte: 0xff, maximumGapBytes: 0, unitBytes: 32 };
const segment = (address: number, ...bytes: number[]): Segment => ({ address, data: Uint8Array.from(bytes) });

describe("padSegments", () => {
  it("leaves aligned segments alone, without copying them", () => {
    const given = [segment(0x08000000, 1, 2), segment(0x08000040, 3)];
    expect(padSegments(given, rule).map(({ data }) => data)).toEqual(given.map(({ data }) => data));
    expect(padSegments(given, rule)[0]!.data).toBe(given[0]!.data);
  });

  it("fills up to the unit's beginning and between segments that share a unit", () => {
    expect(padSegments([segment(0x08000002, 1), segment(0x08000005, 2)], { ...rule, unitBytes: 8 })).toEqual([
      segment(0x08000000, 0xff, 0xff, 1, 0xff, 0xff, 2),
    ]);
  });

  it("fills gaps that are small enough with the chosen byte", () => {
    const given = [segment(0x08000000, 1), segment(0x08000020, 2), segment(0x08000100, 3)];
    const merged = padSegments(given, { fillByte: 0, maximumGapBytes: 31, unitBytes: 32 });
    expect(merged.map(({ address, data }) => [address, data.length])).toEqual([
      [0x08000000, 33],
      [0x08000100, 1],
    ]);
    expect(merged[0]!.data.subarray(1, 32).every((byte) => byte === 0)).toBe(true);
  });

  it("keeps every byte where it was, adds only padding, and never shares a unit", () => {
    const gaps = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 80 }), fc.uint8Array({ minLength: 1, maxLength: 70 })),
      { maxLength: 12 },
    );
    const rules = fc.record({
      fillByte: fc.constantFrom(0, 0xff),
      maximumGapBytes: fc.nat(60),
      unitBytes: fc.constantFrom(1, 8, 16, 32),
    });
    fc.assert(
      fc.property(gaps, rules, (spans, given) => {
        let at = 0x08000000;
        const segments = spans.map(([gap, data]) => {
          const address = at + gap;
          at = address + data.length;
          return { address, data };
        });
        const wanted = new Map(
          segments.flatMap(({ address, data }) => [...data].map((byte, i) => [address + i, byte] as const)),
        );
        const padded = padSegments(segments, given);
        let end = 0;
        for (const { address, data } of padded) {
          expect(address % given.unitBytes).toBe(0);
          expect(Math.floor(address / given.unitBytes)).toBeGreaterThanOrEqual(
            Math.ceil(end / given.unitBytes),
          );
          data.forEach((byte, i) => {
            expect(byte).toBe(wanted.get(address + i) ?? given.fillByte);
            wanted.delete(address + i);
          });
          end = address + data.length;
        }
        expect(wanted.size).toBe(0);
      }),
    );
  });
});
