import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalBytes } from "../../../src/bytes/bytes.ts";
import { isStationError } from "../../../src/errors/station-error.ts";
import {
  type ReadFirmwareOptions,
  readFirmware,
  recognizeFormat,
} from "../../../src/firmware/read-firmware.ts";
import { textBytes, writeElf, writeIntelHex, writeSRecords } from "../../support/firmware-writers.ts";
import { patternBytes, patternSegment } from "../../support/sfi-samples.ts";

const segments = [patternSegment(0x08000000, 70)];
const hex = textBytes(writeIntelHex(segments));
const srec = textBytes(writeSRecords(segments));
const elf = writeElf(segments);
const binary = patternBytes(70, 5);

function complaint(bytes: Uint8Array, options: ReadFirmwareOptions): string {
  try {
    readFirmware(bytes, options);
  } catch (error) {
    if (!isStationError(error)) throw error;
    return `${error.code}: ${error.message}`;
  }
  return "accepted";
}

describe("recognizeFormat", () => {
  it.each([
    ["Intel HEX by content", hex, "firmware.bin", "ihex"],
    ["Intel HEX behind blank lines", textBytes(`\r\n  ${writeIntelHex(segments)}`), "x", "ihex"],
    ["Intel HEX of one record without a line end", textBytes(":00000001FF"), "x", "ihex"],
    ["S-records by content", srec, "firmware.hex", "srec"],
    ["ELF by content", elf, "firmware", "elf"],
    ["a damaged HEX file by its extension", textBytes("0200:"), "dir.bin/a.HEX", "ihex"],
    ["a damaged S-record file by its extension", textBytes("x"), "a.s19", "srec"],
    ["a damaged ELF by its extension", textBytes("x"), "a.axf", "elf"],
    ["a binary by its extension", binary, "a.bin", "bin"],
    ["anything else as a binary", binary, "a.dat", "bin"],
    ["a file without extension as a binary", binary, "dir.hex/firmware", "bin"],
    ["an extension that is a name every object has", binary, "a.constructor", "bin"],
    ["text that only begins like a record", textBytes(":this is no record\n"), "a", "bin"],
    ["an empty file as a binary", new Uint8Array(0), "a", "bin"],
  ])("takes %s", (_, bytes, source, format) => {
    expect(recognizeFormat(bytes, source)).toBe(format);
  });
});

describe("readFirmware", () => {
  it("gives the same segments whatever the format", () => {
    for (const bytes of [hex, srec, elf])
      expect(readFirmware(bytes, { source: "a" }).segments).toEqual(segments);
    expect(
      readFirmware(segments[0]?.data ?? new Uint8Array(0), { source: "a.bin", address: 0x08000000 }),
    ).toEqual({ format: "bin", source: "a.bin", segments });
  });

  it("obeys a given format over the content", () => {
    expect(readFirmware(hex, { source: "a.hex", format: "bin", address: 16 })).toEqual({
      format: "bin",
      source: "a.hex",
      segments: [{ address: 16, data: hex }],
    });
  });

  it("gives plain views, also of a file's Buffer", () => {
    const image = readFirmware(Buffer.from(binary), { source: "a.bin", address: 0 });
    expect(Object.getPrototypeOf(image.segments[0]?.data)).toBe(Uint8Array.prototype);
  });

  it("asks for the address of a binary", () => {
    expect(complaint(binary, { source: "a.bin" })).toBe(
      "FIRMWARE_ADDRESS_MISSING: a.bin is a plain binary and needs an address: a.bin@0x08000000",
    );
  });

  it("refuses an address for a file that carries its own", () => {
    for (const bytes of [hex, srec, elf]) {
      expect(complaint(bytes, { source: "a", address: 0x08000000 })).toContain(
        "it carries its own addresses",
      );
    }
  });

  it("refuses a binary without bytes or past the end of memory", () => {
    expect(complaint(new Uint8Array(0), { source: "a.bin", address: 0 })).toContain("no bytes to load");
    expect(complaint(binary, { source: "a.bin", address: 2 ** 32 - 69 })).toContain("32-bit address space");
    expect(complaint(binary, { source: "a.bin", address: 2 ** 32 - 70 })).toBe("accepted");
    expect(complaint(binary, { source: "a.bin", address: -1 })).toContain("32-bit address space");
    expect(complaint(binary, { source: "a.bin", address: 0.5 })).toContain("32-bit address space");
  });

  it("never throws anything but a StationError, whatever the bytes", () => {
    const beginnings = fc.constantFrom(
      new Uint8Array(0),
      textBytes(":10000000"),
      textBytes("S113"),
      elf.subarray(0, 52),
      elf.subarray(0, 84),
    );
    fc.assert(
      fc.property(
        beginnings,
        fc.uint8Array({ maxLength: 200 }),
        fc.constantFrom("a.hex", "a.srec", "a.elf", "a.bin"),
        (beginning, rest, source) => {
          complaint(Uint8Array.from([...beginning, ...rest]), { source });
        },
      ),
      { numRuns: 500 },
    );
  });
});

const sample = resolve(import.meta.dirname, "../../../../shared/samples/firmware/NUCLEO-WBA52CG.bin");

describe.skipIf(!existsSync(sample))("ST sample NUCLEO-WBA52CG.bin (shared/samples)", () => {
  it("is read as one segment at the given address", () => {
    const bytes = readFileSync(sample);
    const image = readFirmware(bytes, { source: "NUCLEO-WBA52CG.bin", address: 0x08000000 });
    expect(image.segments.map(({ address, data }) => [address, data.length])).toEqual([
      [0x08000000, 0x100000],
    ]);
    expect(equalBytes(image.segments[0]?.data ?? new Uint8Array(0), bytes)).toBe(true);
  });
});
