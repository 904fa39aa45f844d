import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asciiBytes, concatBytes } from "../../../src/bytes/bytes.ts";
import { sha256Hex } from "../../../src/bytes/digest.ts";
import { isStationError } from "../../../src/errors/station-error.ts";
import { parseSfi, type SfiPackage } from "../../../src/package/sfi.ts";
import { checkStructure, partsOf } from "../../../src/package/sfi-verify.ts";
import { samplePackage, sampleRules } from "../../support/sfi-samples.ts";

const dataSfi = resolve(import.meta.dirname, "../../../../shared/samples/data.sfi");

function failureOf(bytes: Uint8Array): { code: string; offset: unknown } {
  try {
    parseSfi(bytes, "test.sfi");
  } catch (error) {
    if (isStationError(error)) {
      const { offset } = error.parameters;
      return { code: error.code, offset };
    }
    throw error;
  }
  return { code: "none", offset: undefined };
}

function changed(change: (view: DataView) => void): Uint8Array {
  const bytes = samplePackage();
  change(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return bytes;
}

describe("parseSfi", () => {
  it("reads every field where the format has it", () => {
    const bytes = concatBytes(
      asciiBytes("SFIMAGIC"),
      Uint8Array.of(0x02, 0x01, 0x01, 0x00), // protocol 0x0102, one area
      new Uint8Array(16).fill(0xaa), // header tag
      Uint8Array.of(0x46, 0x17, 0x34, 0x12), // F, version 23, index 0x1234
      Uint8Array.of(0x05, 0x00, 0x00, 0x00), // size
      Uint8Array.of(0x78, 0x56, 0x34, 0x08), // address
      Uint8Array.of(0xcd, 0xab), // total areas
      new Uint8Array(16).fill(0xbb), // tag
      Uint8Array.of(1, 2, 3, 4, 5),
    );
    const pkg = parseSfi(bytes, "one.sfi");
    expect(pkg).toMatchObject({
      name: "one.sfi",
      digest: sha256Hex(bytes),
      sizeBytes: 63,
      protocolVersion: 0x0102,
      imageVersion: 23,
      header: bytes.subarray(0, 28),
      headerTag: new Uint8Array(16).fill(0xaa),
    });
    expect(pkg.areas).toEqual([
      {
        index: 0x1234,
        type: "F",
        version: 23,
        sizeBytes: 5,
        address: 0x08345678,
        totalAreas: 0xabcd,
        tag: new Uint8Array(16).fill(0xbb),
        content: Uint8Array.of(1, 2, 3, 4, 5),
        bytes: bytes.subarray(28),
        offset: 28,
      },
    ]);
  });

  it("refuses every truncation", () => {
    const bytes = samplePackage();
    for (let length = 0; length < bytes.length; length++) {
      expect(failureOf(bytes.subarray(0, length)).code, `first ${length} bytes`).toBe("PACKAGE_CORRUPT");
    }
  });

  it("refuses bytes behind the last area, at their offset", () => {
    const bytes = samplePackage();
    expect(failureOf(concatBytes(bytes, Uint8Array.of(0)))).toEqual({
      code: "PACKAGE_CORRUPT",
      offset: bytes.length,
    });
  });

  it.each([
    ["a wrong magic", (view: DataView) => view.setUint8(3, 0), 3],
    ["no areas", (view: DataView) => view.setUint16(10, 0, true), 10],
    ["more areas than there are", (view: DataView) => view.setUint16(10, 4, true), 28 + 874 + 146 + 66],
    ["fewer areas than there are", (view: DataView) => view.setUint16(10, 2, true), 28 + 874 + 146],
    ["an unknown area type", (view: DataView) => view.setUint8(28 + 874, 0x58), 28 + 874],
    ["a size past the end", (view: DataView) => view.setUint32(28 + 4, 0xffffffff, true), 28 + 4],
  ])("refuses %s", (_, change, offset) => {
    expect(failureOf(changed(change))).toEqual({ code: "PACKAGE_CORRUPT", offset });
  });

  it("never throws anything but a StationError, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, withMagic) => {
        const file = withMagic ? concatBytes(asciiBytes("SFIMAGIC"), bytes) : bytes;
        try {
          const pkg = parseSfi(file, "random");
          checkStructure(pkg, sampleRules);
          partsOf(pkg);
        } catch (error) {
          if (!isStationError(error)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });

  it("never throws anything but a StationError on a damaged package", () => {
    const sound = samplePackage();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (edits) => {
          const bytes = Uint8Array.from(sound);
          for (const [offset, value] of edits) bytes[offset] = value;
          try {
            checkStructure(parseSfi(bytes, "damaged"), sampleRules);
          } catch (error) {
            if (!isStationError(error)) throw error;
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe.skipIf(!existsSync(dataSfi))("ST sample data.sfi (shared/samples)", () => {
  const pkg = (): SfiPackage => parseSfi(readFileSync(dataSfi), "data.sfi");

  it("has the areas that its vendor's tool reports", () => {
    expect(pkg()).toMatchObject({ sizeBytes: 10_882, protocolVersion: 1, imageVersion: 23 });
    expect(
      pkg().areas.map(({ type, sizeBytes, address, index, totalAreas, version }) => ({
        type,
        sizeBytes,
        address,
        index,
        totalAreas,
        version,
      })),
    ).toEqual([
      { type: "F", sizeBytes: 844, address: 0x08000000, index: 1, totalAreas: 3, version: 23 },
      { type: "F", sizeBytes: 9_884, address: 0x08030000, index: 2, totalAreas: 3, version: 23 },
      { type: "C", sizeBytes: 36, address: 0, index: 3, totalAreas: 3, version: 23 },
    ]);
  });

  it("is structurally sound for the device it was made for", () => {
    expect(checkStructure(pkg(), sampleRules)).toEqual([]);
  });

  it("is refused at every truncated length", () => {
    const bytes = readFileSync(dataSfi);
    for (let length = 0; length < bytes.length; length += 7) {
      expect(failureOf(bytes.subarray(0, length)).code).toBe("PACKAGE_CORRUPT");
    }
  });
});
