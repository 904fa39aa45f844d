import { describe, expect, it } from "vitest";
import { asciiBytes, concatBytes } from "../../../src/bytes/bytes.ts";
import { isStationError } from "../../../src/errors/station-error.ts";
import { parseLicense } from "../../../src/package/license.ts";

function license(head: Uint8Array): Uint8Array {
  return concatBytes(head, new Uint8Array(136 - head.length).fill(0x5a));
}

describe("parseLicense", () => {
  it("reads the header where RSS.h has it", () => {
    const bytes = license(
      concatBytes(
        asciiBytes("SSP."), // 0
        Uint8Array.of(4, 3, 2, 1), // 4
        Uint8Array.of(1, 0, 0, 0), // 8
        Uint8Array.of(0x02, 0x01, 0, 0), // 12
      ),
    );
    expect(parseLicense(bytes, "l.bin")).toEqual({
      type: "SSP.",
      sessionId: 0x01020304,
      protocolVersion: 1,
      minimumVersion: 0x0102,
      development: false,
    });
  });

  it("shows a type that is no text as a number", () => {
    expect(parseLicense(license(Uint8Array.of(1, 0, 0, 0x80)), "l.bin").type).toBe("0x80000001");
    expect(parseLicense(license(Uint8Array.of(0x53, 0x53, 0x50, 0x20)), "l.bin").type).toBe("0x20505353");
  });

  it("knows a development license by its type or by its reserved bytes", () => {
    const none = new Uint8Array(12);
    const development = (head: Uint8Array) => parseLicense(license(head), "l.bin").development;
    expect(development(concatBytes(asciiBytes("SDEV"), none, asciiBytes("NOT-REAL")))).toBe(true);
    expect(development(concatBytes(asciiBytes("SDEV"), none, new Uint8Array(8)))).toBe(true);
    expect(development(concatBytes(asciiBytes("SDEW"), none, asciiBytes("NOT-REAL")))).toBe(true);
    expect(development(concatBytes(asciiBytes("SDEW"), none, asciiBytes("NOT-READ")))).toBe(false);
  });

  it("refuses every other length", () => {
    for (const length of [0, 1, 4, 135, 137, 272]) {
      try {
        parseLicense(new Uint8Array(length), "l.bin");
        expect.unreachable();
      } catch (error) {
        if (!isStationError(error, "LICENSE_LENGTH")) throw error;
        expect(error.message).toBe(`license l.bin is ${length} bytes long; a license is 136 bytes`);
      }
    }
  });
});
