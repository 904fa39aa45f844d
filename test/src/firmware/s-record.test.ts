import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStationError } from "../../../src/errors/station-error.ts";
import { type FirmwareImage, readFirmware } from "../../../src/firmware/read-firmware.ts";
import { joinSegments } from "../../../src/firmware/segments.ts";
import { sRecord, textBytes, writeSRecords } from "../../support/firmware-writers.ts";
import { patternSegment } from "../../support/sfi-samples.ts";

const end = "S9030000FC\n";

function read(text: string): FirmwareImage {
  return readFirmware(textBytes(text), { source: "a.srec", format: "srec" });
}

function complaint(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (!isStationError(error, "FIRMWARE_INVALID", "FIRMWARE_OVERLAP")) throw error;
    return error.message;
  }
  return "accepted";
}

describe("S-records", () => {
  it("reads the example of the M68000 Family Programmer's Reference Manual, appendix C", () => {
    const image = read(
      "S00600004844521B\n" +
        "S1130000285F245F2212226A000424290008237C2A\n" +
        "S11300100002000800082629001853812341001813\n" +
        "S113002041E900084E42234300182342000824A952\n" +
        "S107003000144ED492\n" +
        "S9030000FC\n",
    );
    expect(image.segments.length).toBe(1);
    expect(image.segments[0]?.address).toBe(0);
    expect(image.segments[0]?.data.length).toBe(0x34);
    expect(image.segments[0]?.data.subarray(0x30)).toEqual(Uint8Array.of(0x00, 0x14, 0x4e, 0xd4));
    expect(image).not.toHaveProperty("entry");
  });

  it("reads addresses of two, three and four bytes and their entry points", () => {
    const segments = [patternSegment(0x1234, 50)];
    for (const type of [1, 2, 3] as const) {
      expect(read(writeSRecords(segments, { type, entry: 0x1235 }))).toEqual({
        format: "srec",
        source: "a.srec",
        segments,
        entry: 0x1235,
      });
    }
    const high = [patternSegment(0xfffffff0, 16)];
    expect(read(writeSRecords(high)).segments).toEqual(high);
  });

  const data = sRecord(1, 2, 0x100, Uint8Array.of(1, 2, 3));
  it.each([
    ["a wrong checksum", `${data.slice(0, -1)}0\n${end}`, "at line 1: the checksum is 0xF0 instead of 0xF2"],
    [
      "a character that is no digit",
      `${data.slice(0, 9)}G${data.slice(10)}\n${end}`,
      "at line 1: a character is not a hexadecimal digit",
    ],
    ["a count that is no digit", `S1X${data.slice(3)}\n${end}`, "at line 1: a character is not"],
    ["another letter", `${data}\nT${data.slice(1)}\n${end}`, "at line 2: a record must begin with S"],
    ["the reserved S4", `S4030000FC\n${end}`, "at line 1: unknown record type S4"],
    ["a lone S", `${data}\nS`, "at line 2: a record must begin with S"],
    ["a record cut off", `${data}\nS113`, "at line 2: the record is cut off"],
    [
      "a record that goes on",
      `${data}00\n${end}`,
      "at line 1: the record is longer than its count of 6 bytes",
    ],
    [
      "a count without room for the address",
      `S10200FD\n${end}`,
      "at line 1: a record of this type cannot have a count of 2",
    ],
    [
      "data in the termination record",
      `${data}\nS904000000FB\n`,
      "at line 2: a record of this type cannot have a count of 4",
    ],
    [
      "a wrong record count",
      `${data}\n${sRecord(5, 2, 2, new Uint8Array(0))}\n${end}`,
      "at line 2: the file should have 2 data records, 1 were found",
    ],
    ["no termination record", `${data}\n`, "at line 2: the termination record is missing"],
    [
      "something behind the end",
      `${data}\n${end}${data}`,
      "at line 3: something follows the termination record",
    ],
    [
      "a wrap around memory",
      `${sRecord(3, 4, 0xffffffff, Uint8Array.of(1, 2))}\n${end}`,
      "at line 1: the record passes the end of memory",
    ],
    ["a file without data", end, "it holds no bytes to load"],
  ])("refuses %s", (_, text, message) => {
    expect(complaint(text)).toContain(message);
  });

  it("refuses a byte defined twice", () => {
    expect(complaint(`${data}\n${sRecord(1, 2, 0x300, Uint8Array.of(1))}\n${data}\n${end}`)).toBe(
      "a.srec (from line 1) and a.srec (from line 3) both define the bytes from 0x00000100",
    );
  });

  it("takes a 24-bit record count", () => {
    expect(read(`${data}\n${sRecord(6, 3, 1, new Uint8Array(0))}\n${end}`).segments.length).toBe(1);
  });

  it("round-trips any segments with any record length", () => {
    fc.assert(
      fc.property(
        fc.nat(0x8000),
        fc.uint8Array({ minLength: 1, maxLength: 600 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 250 }),
        fc.constantFrom(1, 2, 3),
        fc.integer({ min: 1, max: 0xffff }),
        (address, bytes, gap, recordBytes, type, entry) => {
          const segments = [
            { address, data: bytes },
            { address: address + bytes.length + gap, data: bytes },
          ];
          const image = read(writeSRecords(segments, { type, recordBytes, entry }));
          expect(image.segments).toEqual(joinSegments([{ format: "bin", source: "x", segments }]));
          expect(image.entry).toBe(entry);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("notices every truncation and every change of one character", () => {
    const text = writeSRecords([patternSegment(0x08000000, 40)]);
    for (let length = 0; length < text.trimEnd().length; length++) {
      expect(complaint(text.slice(0, length)), `first ${length}`).not.toBe("accepted");
    }
    const bytes = textBytes(text.trimEnd());
    for (let offset = 0; offset < bytes.length; offset++) {
      // The format's weak spot: no checksum covers the record type.
      if (text[offset - 1] === "S") continue;
      const changed = Uint8Array.from(bytes);
      changed[offset] = (changed[offset] ?? 0) ^ 0x02;
      if (bytes[offset] !== 0x0a) {
        expect(complaint(new TextDecoder().decode(changed)), `character ${offset}`).not.toBe("accepted");
      }
    }
  });

  it("never throws anything but a StationError, whatever the bytes", () => {
    const characters = fc.constantFrom(..."0123456789abcdefABCDEFSSS\r\n \tGz");
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 120 }), (text) => {
        complaint(text);
        complaint(`S1${text}`);
      }),
      { numRuns: 500 },
    );
  });
});
