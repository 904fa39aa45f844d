import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStationError } from "../../../src/errors/station-error.ts";
import {
  type FirmwareImage,
  gapsBetween,
  joinSegments,
  type Segment,
} from "../../../src/firmware/segments.ts";
import { patternBytes, patternSegment } from "../../support/sfi-samples.ts";

function image(source: string, ...segments: Segment[]): FirmwareImage {
  return { format: "bin", source, segments };
}

function complaint(images: readonly FirmwareImage[]): string {
  try {
    joinSegments(images);
  } catch (error) {
    if (!isStationError(error, "FIRMWARE_OVERLAP")) throw error;
    return error.message;
  }
  return "accepted";
}

describe("joinSegments", () => {
  it("sorts segments of several files and merges those that touch", () => {
    const joined = joinSegments([
      image("app.hex", patternSegment(0x08020000, 100), patternSegment(0x08000100, 0x100)),
      image("boot.hex", patternSegment(0x08000000, 0x100)),
    ]);
    expect(joined.map(({ address, data }) => [address, data.length])).toEqual([
      [0x08000000, 0x200],
      [0x08020000, 100],
    ]);
    expect(joined[0]?.data).toEqual(
      Uint8Array.from([...patternSegment(0x08000000, 0x100).data, ...patternSegment(0x08000100, 0x100).data]),
    );
  });

  it("merges neighbors in one buffer without copying", () => {
    const bytes = patternBytes(300);
    const [joined] = joinSegments([
      image(
        "a",
        { address: 0x1000, data: bytes.subarray(0, 100) },
        { address: 0x1064, data: bytes.subarray(100) },
      ),
    ]);
    expect(joined?.data).toEqual(bytes);
    expect(joined?.data.buffer).toBe(bytes.buffer);
  });

  it("does not take neighbors in memory for neighbors in address", () => {
    const bytes = patternBytes(8);
    const joined = joinSegments([
      image(
        "a",
        { address: 0x1004, data: bytes.subarray(0, 4) },
        { address: 0x1000, data: bytes.subarray(4) },
      ),
    ]);
    expect(joined).toEqual([
      { address: 0x1000, data: Uint8Array.from([...bytes.subarray(4), ...bytes.subarray(0, 4)]) },
    ]);
  });

  it("refuses overlap, naming both files and the first address in both", () => {
    expect(
      complaint([
        image("app.hex", patternSegment(0x080000fe, 8)),
        image("boot.hex", patternSegment(0x08000000, 0x100)),
      ]),
    ).toBe("boot.hex and app.hex both define the bytes from 0x080000FE");
  });

  it("refuses overlap of the same bytes, and containment", () => {
    const segment = patternSegment(0x08000000, 64);
    expect(complaint([image("a", segment), image("b", segment)])).toContain("0x08000000");
    expect(complaint([image("a", segment), image("b", patternSegment(0x08000010, 1))])).toContain(
      "0x08000010",
    );
  });

  it("leaves out empty segments", () => {
    expect(joinSegments([image("a", { address: 5, data: new Uint8Array(0) })])).toEqual([]);
  });

  it("keeps every byte at its address, or finds the overlap", () => {
    const segment = fc.record({
      address: fc.nat(400),
      data: fc.uint8Array({ minLength: 1, maxLength: 60 }),
    });
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 8 }), (segments) => {
        const expected = new Map<number, number>();
        let overlap = false;
        for (const { address, data } of segments) {
          data.forEach((byte, i) => {
            overlap ||= expected.has(address + i);
            expected.set(address + i, byte);
          });
        }
        if (overlap) {
          expect(complaint([image("a", ...segments)])).toContain("both define the bytes");
          return;
        }
        const joined = joinSegments([image("a", ...segments)]);
        const found = new Map(
          joined.flatMap(({ address, data }) => [...data].map((byte, i) => [address + i, byte] as const)),
        );
        expect([...found].sort(([a], [b]) => a - b)).toEqual([...expected].sort(([a], [b]) => a - b));
        for (const { sizeBytes } of gapsBetween(joined)) expect(sizeBytes).toBeGreaterThan(0);
        expect(gapsBetween(joined).length).toBe(Math.max(0, joined.length - 1));
      }),
    );
  });
});

describe("gapsBetween", () => {
  it("names what lies between", () => {
    expect(
      gapsBetween([patternSegment(0x100, 0x10), patternSegment(0x120, 0x10), patternSegment(0x200, 1)]),
    ).toEqual([
      { address: 0x110, sizeBytes: 0x10 },
      { address: 0x130, sizeBytes: 0xd0 },
    ]);
    expect(gapsBetween([patternSegment(0x100, 0x10)])).toEqual([]);
    expect(gapsBetween([])).toEqual([]);
  });
});
