import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalBytes } from "../../../src/bytes/bytes.ts";
import { toHex } from "../../../src/bytes/hex.ts";
import { isStationError } from "../../../src/errors/station-error.ts";
import { type FirmwareImage, readFirmware } from "../../../src/firmware/read-firmware.ts";
import { joinSegments } from "../../../src/firmware/segments.ts";
import { hexRecord, textBytes, writeIntelHex } from "../../support/firmware-writers.ts";
import { patternBytes, patternSegment } from "../../support/sfi-samples.ts";

const end = ":00000001FF\n";

function read(text: string): FirmwareImage {
  return readFirmware(textBytes(text), { source: "a.hex", format: "ihex" });
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

const extended = (type: number, value: number) =>
  hexRecord(type, 0, Uint8Array.of(value >>> 8, value & 0xff));

describe("Intel HEX", () => {
  it("reads the records printed in the format's specification", () => {
    // Data at 0x0100, the usual published example.
    const image = read(
      ":10010000214601360121470136007EFE09D2190140\n" +
        ":100110002146017E17C20001FF5F16002148011928\n" +
        ":10012000194E79234623965778239EDA3F01B2CAA7\n" +
        ":100130003F0156702B5E712B722B732146013421C7\n" +
        end,
    );
    expect(image.segments.length).toBe(1);
    expect(image.segments[0]?.address).toBe(0x0100);
    expect(image.segments[0]?.data.length).toBe(64);
    expect(toHex(image.segments[0]?.data.subarray(60) ?? new Uint8Array(0))).toBe("46013421");
  });

  it("reads all six record types", () => {
    const linear = read(
      [
        extended(4, 0x0800),
        hexRecord(0, 0xfffe, Uint8Array.of(1, 2)),
        extended(4, 0x0801),
        hexRecord(0, 0, Uint8Array.of(3)),
        hexRecord(5, 0, Uint8Array.of(0x08, 0x00, 0x01, 0x99)),
        end,
      ].join("\n"),
    );
    expect(linear).toEqual({
      format: "ihex",
      source: "a.hex",
      segments: [{ address: 0x0800fffe, data: Uint8Array.of(1, 2, 3) }],
      entry: 0x08000199,
    });
    const segmented = read(
      [
        extended(2, 0x1234),
        hexRecord(0, 0x0010, Uint8Array.of(9)),
        hexRecord(3, 0, Uint8Array.of(0x12, 0x00, 0x34, 0x56)),
        end,
      ].join("\n"),
    );
    expect(segmented.segments).toEqual([{ address: 0x12350, data: Uint8Array.of(9) }]);
    expect(segmented.entry).toBe(0x12000 + 0x3456);
  });

  it("has no entry point where the file names none", () => {
    expect(read(`${hexRecord(0, 0, Uint8Array.of(1))}\n${end}`)).not.toHaveProperty("entry");
  });

  it("continues a data record past 64 KiB in linear mode, as the address is a sum", () => {
    const image = read([extended(4, 0x0800), hexRecord(0, 0xffff, Uint8Array.of(1, 2)), end].join("\n"));
    expect(image.segments).toEqual([{ address: 0x0800ffff, data: Uint8Array.of(1, 2) }]);
  });

  it.each([
    ["LF", "\n"],
    ["CR LF", "\r\n"],
    ["CR", "\r"],
    ["blank lines", " \t\n\n"],
  ])("takes %s line ends", (_, lineEnd) => {
    const segments = [patternSegment(0x08000000, 100)];
    expect(read(writeIntelHex(segments, { lineEnd })).segments).toEqual(segments);
  });

  it("takes lower-case digits, records in any order and a missing last line end", () => {
    const text = `${hexRecord(0, 0x10, Uint8Array.of(0xab))}\n${hexRecord(0, 0, Uint8Array.of(0xcd))}\n${end}`;
    expect(read(text.toLowerCase().trimEnd()).segments).toEqual([
      { address: 0, data: Uint8Array.of(0xcd) },
      { address: 0x10, data: Uint8Array.of(0xab) },
    ]);
  });

  const data = hexRecord(0, 0, Uint8Array.of(1, 2, 3));
  it.each([
    [
      "a wrong checksum",
      `${data}\n${data.slice(0, -1)}0\n${end}`,
      "at line 2: the checksum is 0xF0 instead of 0xF7",
    ],
    [
      "a character that is no digit",
      `${data.slice(0, 9)}G${data.slice(10)}\n${end}`,
      "at line 1: a character is not a hexadecimal digit",
    ],
    ["a count that is no digit", `:X${data.slice(2)}\n${end}`, "at line 1: a character is not"],
    [
      "a record without colon",
      `${data}\n\n03${data.slice(3)}\n${end}`,
      "at line 3: a record must begin with a colon",
    ],
    ["a record cut off", `${data}\r\n:0300`, "at line 2: the record is cut off"],
    ["a lone colon", `${data}\r:`, "at line 2: the record is cut off"],
    [
      "a record that goes on",
      `${data}00\n${end}`,
      "at line 1: the record is longer than its count of 3 bytes",
    ],
    ["a record shorter than its count", `${data.slice(0, -2)}\n${end}`, "at line 1: a character is not"],
    [
      "an unknown type",
      `${hexRecord(6, 0, new Uint8Array(0))}\n${end}`,
      "at line 1: unknown record type 0x06",
    ],
    [
      "an extended address of one byte",
      `${hexRecord(4, 0, Uint8Array.of(8))}\n${end}`,
      "type 0x04 must have 2 data bytes, this one has 1",
    ],
    [
      "a start address of two bytes",
      `${hexRecord(5, 0, Uint8Array.of(8, 0))}\n${end}`,
      "type 0x05 must have 4 data bytes",
    ],
    [
      "data in the end record",
      `${data}\n${hexRecord(1, 0, Uint8Array.of(0))}`,
      "type 0x01 must have 0 data bytes",
    ],
    ["no end record", `${data}\n`, "at line 2: the end record is missing"],
    ["an empty file", "", "at line 1: the end record is missing"],
    ["something behind the end", `${data}\n${end}${data}\n`, "at line 3: something follows the end record"],
    [
      "a wrap around the segment",
      `${extended(2, 0)}\n${hexRecord(0, 0xffff, Uint8Array.of(1, 2))}\n${end}`,
      "at line 2: the record passes the end of its segment",
    ],
    [
      "a wrap around memory",
      `${extended(4, 0xffff)}\n${hexRecord(0, 0xffff, Uint8Array.of(1, 2))}\n${end}`,
      "at line 2: the record passes the end of memory",
    ],
    ["a file without data", end, "it holds no bytes to load"],
  ])("refuses %s", (_, text, message) => {
    expect(complaint(text)).toContain(message);
  });

  it("refuses a byte defined twice, naming where both runs begin", () => {
    expect(complaint([data, hexRecord(0, 0x20, Uint8Array.of(1)), data, end].join("\n"))).toBe(
      "a.hex (from line 1) and a.hex (from line 3) both define the bytes from 0x00000000",
    );
  });

  it("round-trips any segments with any record length", () => {
    const segmentLists = fc
      .array(
        fc.record({
          gap: fc.integer({ min: 1, max: 70_000 }),
          data: fc.uint8Array({ minLength: 1, maxLength: 600 }),
        }),
        {
          minLength: 1,
          maxLength: 5,
        },
      )
      .map((items) => {
        let address = 0x0800_0000 - 1;
        return items.map(({ gap, data }) => {
          const segment = { address: address + gap, data };
          address += gap + data.length;
          return segment;
        });
      });
    fc.assert(
      fc.property(
        segmentLists,
        fc.integer({ min: 1, max: 255 }),
        fc.option(fc.nat(0xffffffff), { nil: undefined }),
        (segments, recordBytes, entry) => {
          const image = read(
            writeIntelHex(segments, { recordBytes, ...(entry === undefined ? {} : { entry }) }),
          );
          expect(image.segments).toEqual(joinSegments([{ format: "bin", source: "x", segments }]));
          expect(image.entry).toBe(entry);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("reads 4 MiB in one segment without a copy for each record", () => {
    const segments = [{ address: 0x08000000, data: patternBytes(4 * 2 ** 20) }];
    const [segment, ...others] = read(writeIntelHex(segments)).segments;
    expect(others).toEqual([]);
    expect(equalBytes(segment?.data ?? new Uint8Array(0), segments[0]?.data ?? new Uint8Array(1))).toBe(true);
  });

  it("notices every truncation and every change of one character", () => {
    const text = writeIntelHex([patternSegment(0x08000000, 40)]);
    for (let length = 0; length < text.trimEnd().length; length++) {
      expect(complaint(text.slice(0, length)), `first ${length}`).not.toBe("accepted");
    }
    const bytes = textBytes(text.trimEnd());
    for (let offset = 0; offset < bytes.length; offset++) {
      const changed = Uint8Array.from(bytes);
      changed[offset] = (changed[offset] ?? 0) ^ 0x01;
      const result = complaint(new TextDecoder().decode(changed));
      // A line feed turned into a tab or a vertical tab separates records no worse.
      if (bytes[offset] !== 0x0a) expect(result, `character ${offset}`).not.toBe("accepted");
    }
  });

  it("never throws anything but a StationError, whatever the bytes", () => {
    const characters = fc.constantFrom(..."0123456789abcdefABCDEF:::\r\n \tGz");
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 120 }), (text) => {
        complaint(text);
        complaint(`:02000004080${text}`);
      }),
      { numRuns: 500 },
    );
  });
});

const sample = resolve(import.meta.dirname, "../../../../shared/samples/firmware/STM32H750B-DK.hex");

describe.skipIf(!existsSync(sample))("ST sample STM32H750B-DK.hex (shared/samples)", () => {
  it("is read as the linker laid it out", () => {
    const text = readFileSync(sample, "latin1");
    const image = readFirmware(readFileSync(sample), { source: "STM32H750B-DK.hex" });
    expect(image.format).toBe("ihex");
    // Counted with a second, slow reading of the text by lines.
    let upper = 0;
    const bytes = new Map<number, number>();
    for (const line of text.split(/\r?\n/).filter((record) => record !== "")) {
      const record =
        line
          .slice(1)
          .match(/../g)
          ?.map((digits) => Number.parseInt(digits, 16)) ?? [];
      const [count = 0, high = 0, low = 0, type = -1] = record;
      if (type === 4) upper = ((record[4] ?? 0) << 8) | (record[5] ?? 0);
      if (type !== 0) continue;
      for (let i = 0; i < count; i++)
        bytes.set(upper * 0x10000 + high * 0x100 + low + i, record[4 + i] ?? -1);
    }
    expect(image.segments.reduce((sum, { data }) => sum + data.length, 0)).toBe(bytes.size);
    for (const { address, data } of image.segments) {
      expect(data.every((byte, i) => bytes.get(address + i) === byte)).toBe(true);
    }
    expect(image.segments[0]?.address).toBe(0x08000000);
  });
});
