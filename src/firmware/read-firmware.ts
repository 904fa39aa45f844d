import { asciiText, equalBytes, plainView } from "../bytes/bytes.ts";
import { hexNumber } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import { elfMagic, parseElf } from "./elf.ts";
import { parseIntelHex } from "./intel-hex.ts";
import { parseSRecords } from "./s-record.ts";
import { type FirmwareFormat, type FirmwareImage, mergePlaced } from "./segments.ts";
import type { ParsedFirmware } from "./text-records.ts";

export type { FirmwareFormat, FirmwareImage, Segment } from "./segments.ts";

/** How a firmware file is to be read. */
export interface ReadFirmwareOptions {
  /** The file's name: for messages, and its extension for files whose content says nothing. */
  readonly source: string;
  /** Where a plain binary belongs; not allowed for formats that carry addresses. */
  readonly address?: number;
  /** Overrides the recognition. */
  readonly format?: FirmwareFormat;
}

const formatNames: Record<FirmwareFormat, string> = {
  bin: "binary",
  ihex: "Intel HEX",
  srec: "S-record",
  elf: "ELF",
};

const extensions: Readonly<Record<string, FirmwareFormat>> = {
  bin: "bin",
  hex: "ihex",
  ihex: "ihex",
  ihx: "ihex",
  srec: "srec",
  s19: "srec",
  s28: "srec",
  s37: "srec",
  mot: "srec",
  elf: "elf",
  axf: "elf",
  out: "elf",
};

const parsers: Record<
  Exclude<FirmwareFormat, "bin">,
  (bytes: Uint8Array, source: string) => ParsedFirmware
> = { ihex: parseIntelHex, srec: parseSRecords, elf: parseElf };

/** Enough of a text file to recognize its first record, which is at most 521 characters long. */
const sniffedBytes = 1024;
const firstRecords: readonly (readonly [FirmwareFormat, RegExp])[] = [
  ["ihex", /^\s*:[0-9a-fA-F]{10,}\s/],
  ["srec", /^\s*S[0-9][0-9a-fA-F]{6,}\s/],
];

/**
 * Reads a firmware file of any of the formats of AN5054 2.2. The format is recognized by the content, then by the
 * extension; a file of neither is a plain binary.
 * @param file its bytes; segments may be views of them
 * @throws FIRMWARE_INVALID with line or offset, also for a file without any bytes to load and for an address given
 *   with a format that carries its own
 * @throws FIRMWARE_ADDRESS_MISSING for a plain binary without an address
 * @throws FIRMWARE_OVERLAP when records or segments define a byte twice
 */
export function readFirmware(file: Uint8Array, options: ReadFirmwareOptions): FirmwareImage {
  const bytes = plainView(file);
  const { source, address } = options;
  const format = options.format ?? recognizeFormat(bytes, source);
  const { pieces, entry } =
    format === "bin" ? binary(bytes, source, address) : addressed(bytes, source, format, address);
  const segments = mergePlaced(pieces);
  if (segments.length === 0) throw invalid(source, format, "its end", "it holds no bytes to load");
  return { format, source, segments, ...(entry === undefined ? {} : { entry }) };
}

/** The format that the content shows, else the one that the extension names, else "bin". */
export function recognizeFormat(bytes: Uint8Array, source: string): FirmwareFormat {
  if (equalBytes(bytes.subarray(0, elfMagic.length), elfMagic)) return "elf";
  // The appended line end lets a one-record file without one be recognized.
  const beginning = `${asciiText(bytes.subarray(0, sniffedBytes))}\n`;
  const recognized = firstRecords.find(([, pattern]) => pattern.test(beginning));
  if (recognized !== undefined) return recognized[0];
  const extension = /\.([^./\\]+)$/.exec(source)?.[1]?.toLowerCase() ?? "";
  return Object.hasOwn(extensions, extension) ? (extensions[extension] as FirmwareFormat) : "bin";
}

function addressed(
  bytes: Uint8Array,
  source: string,
  format: Exclude<FirmwareFormat, "bin">,
  address: number | undefined,
): ParsedFirmware {
  if (address !== undefined) {
    throw invalid(
      source,
      format,
      `@${hexNumber(address, 8)}`,
      "it carries its own addresses; leave out @ADDRESS",
    );
  }
  return parsers[format](bytes, source);
}

function binary(bytes: Uint8Array, source: string, address: number | undefined): ParsedFirmware {
  if (address === undefined) throw StationError.of("FIRMWARE_ADDRESS_MISSING", { file: source });
  if (!Number.isInteger(address) || address < 0 || address + bytes.length > 2 ** 32) {
    throw invalid(
      source,
      "bin",
      `@${hexNumber(address, 8)}`,
      "it passes the end of the 32-bit address space",
    );
  }
  return { pieces: [{ name: source, address, data: bytes }] };
}

function invalid(source: string, format: FirmwareFormat, position: string, detail: string): StationError {
  return StationError.of("FIRMWARE_INVALID", {
    file: source,
    format: formatNames[format],
    position,
    detail,
  });
}
