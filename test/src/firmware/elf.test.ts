import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStationError } from "../../../src/errors/station-error.ts";
import { readFirmware } from "../../../src/firmware/read-firmware.ts";
import { writeElf } from "../../support/firmware-writers.ts";
import { patternSegment } from "../../support/sfi-samples.ts";

function complaint(bytes: Uint8Array): string {
  try {
    readFirmware(bytes, { source: "a.elf", format: "elf" });
  } catch (error) {
    if (!isStationError(error, "FIRMWARE_INVALID", "FIRMWARE_OVERLAP")) throw error;
    return error.message;
  }
  return "accepted";
}

function changed(offset: number, sizeBytes: 1 | 2 | 4, value: number): Uint8Array {
  const bytes = writeElf([patternSegment(0x08000000, 100)], {
    sections: [{ segment: 0, offset: 0, sizeBytes: 100 }],
  });
  const view = new DataView(bytes.buffer);
  if (sizeBytes === 1) view.setUint8(offset, value);
  else if (sizeBytes === 2) view.setUint16(offset, value, true);
  else view.setUint32(offset, value, true);
  return bytes;
}

describe("ELF", () => {
  it("reads loadable segments at their physical addresses, and the entry point", () => {
    const segments = [patternSegment(0x08010000, 100), patternSegment(0x08000000, 300)];
    expect(readFirmware(writeElf(segments, { entry: 0x08000199 }), { source: "a.elf" })).toEqual({
      format: "elf",
      source: "a.elf",
      segments: [segments[1], segments[0]],
      entry: 0x08000199,
    });
  });

  it("leaves out segments without bytes in the file and of other types", () => {
    const code = patternSegment(0x08000000, 64);
    const bytes = writeElf([
      { address: 0x20000000, data: new Uint8Array(0), memorySizeBytes: 4096 },
      code,
      { type: 0x70000001, ...patternSegment(0x08001000, 8) },
    ]);
    expect(readFirmware(bytes, { source: "a.elf" })).toEqual({
      format: "elf",
      source: "a.elf",
      segments: [code],
    });
  });

  it("trims a segment to its allocated sections: linkers put the ELF header in front of the flash", () => {
    const segment = patternSegment(0x07fffff0, 0x110);
    const bytes = writeElf([segment], {
      sections: [
        { segment: 0, offset: 0x10, sizeBytes: 0x80 },
        { segment: 0, offset: 0x90, sizeBytes: 0x40 },
        { segment: 0, offset: 0xd0, sizeBytes: 0x40, flags: 0 },
        { segment: 0, offset: 0x00, sizeBytes: 0x10, type: 8 },
      ],
    });
    expect(readFirmware(bytes, { source: "a.elf" }).segments).toEqual([
      { address: 0x08000000, data: segment.data.subarray(0x10, 0xd0) },
    ]);
  });

  it("leaves out a segment that holds none of the allocated sections", () => {
    const [headers, code] = [patternSegment(0x07ff0000, 52), patternSegment(0x08000000, 64)];
    const bytes = writeElf([headers, code], { sections: [{ segment: 1, offset: 0, sizeBytes: 64 }] });
    expect(readFirmware(bytes, { source: "a.elf" }).segments).toEqual([code]);
  });

  it.each([
    ["another magic", 0, 1, 0x7e, "at offset 0x0: it does not begin as an ELF"],
    ["64 bits", 4, 1, 2, "at offset 0x4: it is not a 32-bit file"],
    ["big-endian", 5, 1, 2, "at offset 0x5: it is not little-endian"],
    ["an object file", 16, 2, 1, "at offset 0x10: it is not a linked executable (type 1)"],
    ["another machine", 18, 2, 62, "at offset 0x12: it is not for Arm (machine 62)"],
    ["program headers behind the end", 28, 4, 0xffffff00, "program header 0 lies behind the end"],
    ["program headers too small", 42, 2, 16, "program headers of 16 bytes are too small"],
    ["section headers behind the end", 32, 4, 0xffffff00, "section header 0 lies behind the end"],
    ["section headers too small", 46, 2, 8, "section headers of 8 bytes are too small"],
    ["more program headers than there are", 44, 2, 9, "lies behind the end"],
    [
      "a segment behind the end",
      52 + 4,
      4,
      0xffffff00,
      "at offset 0x34: segment 0 passes the end of the file",
    ],
    ["a segment longer than the file", 52 + 16, 4, 0xffffff00, "segment 0 passes the end of the file"],
    ["a segment past the end of memory", 52 + 12, 4, 0xffffffff, "segment 0 passes the end of memory"],
    ["nothing to load", 52, 4, 0, "it holds no bytes to load"],
  ] as const)("refuses %s", (_, offset, sizeBytes, value, message) => {
    expect(complaint(changed(offset, sizeBytes, value))).toContain(message);
  });

  it("refuses segments that overlap, naming them", () => {
    const bytes = writeElf([patternSegment(0x08000000, 100), patternSegment(0x08000063, 4)]);
    expect(complaint(bytes)).toBe(
      "a.elf (segment 0) and a.elf (segment 1) both define the bytes from 0x08000063",
    );
  });

  it("refuses every truncation", () => {
    const bytes = writeElf([patternSegment(0x08000000, 100)], {
      sections: [{ segment: 0, offset: 0, sizeBytes: 100 }],
    });
    for (let length = 0; length < bytes.length; length++) {
      expect(complaint(bytes.subarray(0, length)), `first ${length}`).not.toBe("accepted");
    }
  });

  it("never throws anything but a StationError on a damaged file", () => {
    const sound = writeElf([patternSegment(0x08000000, 100), patternSegment(0x08001000, 10)], {
      sections: [{ segment: 0, offset: 0, sizeBytes: 100 }],
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(180), fc.nat(255)), { minLength: 1, maxLength: 6 }), (edits) => {
        const bytes = Uint8Array.from(sound);
        for (const [offset, value] of edits) bytes[offset] = value;
        complaint(bytes);
      }),
      { numRuns: 1000 },
    );
  });
});
