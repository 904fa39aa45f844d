import { fromWords } from "../bytes/bytes.ts";
import { hex32 } from "../bytes/hex.ts";
import { ByteReader } from "../bytes/reader.ts";
import { StationError } from "../errors/station-error.ts";
import type { Segment } from "../firmware/segments.ts";

/** Region number, region mode and key address stand before the firmware of an E area (AN5054 2.3, "Area E"). */
export const externalPrefixSizeBytes = 12;

/** Where external flash is mapped: "The destination address of area E is in external flash memory (0x9... / 0x7...)". */
export const externalRanges = [
  { address: 0x70000000, sizeBytes: 0x10000000 },
  { address: 0x90000000, sizeBytes: 0x10000000 },
] as const;

/** What a region mode means (AN5054 2.3, "OTFD region_mode", bits 1:0). */
export const regionModes = [
  "instruction only (AES-CTR)",
  "data only (AES-CTR)",
  "instruction and data (AES-CTR)",
  "instruction only (EnhancedCipher)",
] as const;

/** How the on-the-fly decryption engine treats the external flash that an E area fills. */
export interface RegionSettings {
  /** 0..3: OTFD1, 4..7: OTFD2. */
  readonly region: number;
  /** 0..3, see `regionModes`. */
  readonly mode: number;
  /** Of the region's key, in internal flash. */
  readonly keyAddress: number;
}

/** Firmware for external flash. */
export interface ExternalFirmware extends RegionSettings {
  readonly segments: readonly Segment[];
}

/** A piece of internal flash that RSS fills with random key bytes (AN5054 2.3, "Area K"). */
export interface KeyArea {
  readonly sizeBytes: number;
  readonly address: number;
}

/**
 * The twelve bytes before an E area's firmware.
 * @throws USAGE_INVALID when region or mode is out of range
 */
export function encodeExternalPrefix({ region, mode, keyAddress }: RegionSettings): Uint8Array {
  for (const [what, value, most] of [
    ["region number", region, 7],
    ["region mode", mode, 3],
    ["key address", keyAddress, 0xffffffff],
  ] as const) {
    if (!Number.isInteger(value) || value < 0 || value > most) {
      throw StationError.of("USAGE_INVALID", {
        detail: `${what} of external firmware must be 0..${most}, not ${value}`,
      });
    }
  }
  return fromWords([region, mode, keyAddress]); // 0, 4, 8
}

/** The settings before an E area's firmware, or undefined when the content is too short or a word is out of range. */
export function decodeExternalPrefix(content: Uint8Array): RegionSettings | undefined {
  if (content.length < externalPrefixSizeBytes) return undefined;
  const reader = new ByteReader(content);
  const region = reader.u32(); // 0
  const mode = reader.u32(); // 4
  const keyAddress = reader.u32(); // 8
  return region <= 7 && mode <= 3 ? { region, mode, keyAddress } : undefined;
}

/** K area content: for each key area its size, then its address. */
export function encodeKeyAreas(areas: readonly KeyArea[]): Uint8Array {
  return fromWords(areas.flatMap(({ sizeBytes, address }) => [sizeBytes, address]));
}

/** The key areas of a K area's content, or undefined when it is not made of pairs. */
export function decodeKeyAreas(content: Uint8Array): KeyArea[] | undefined {
  if (content.length === 0 || content.length % 8 !== 0) return undefined;
  const reader = new ByteReader(content);
  return Array.from({ length: content.length / 8 }, () => ({
    sizeBytes: reader.u32(),
    address: reader.u32(),
  }));
}

/**
 * Reads a key-area file (.kcsv): one line `SIZE,ADDRESS` a key area, both in 0x hexadecimal (AN5054 2.3, example).
 * @throws INPUT_INVALID with the line
 */
export function parseKeyAreaCsv(text: string, source: string): KeyArea[] {
  const areas = csvLines(text).map(({ line, number }) => {
    const match = /^\s*(0[xX][0-9a-fA-F]{1,8})\s*,\s*(0[xX][0-9a-fA-F]{1,8})\s*$/.exec(line);
    const invalid = (detail: string) =>
      StationError.of("INPUT_INVALID", {
        file: source,
        format: "key-area file",
        position: `line ${number}`,
        detail,
      });
    if (match === null) throw invalid("a line is a size, a comma and an address in 0x hexadecimal");
    const [sizeBytes, address] = [Number(match[1]), Number(match[2])];
    if (sizeBytes === 0 || sizeBytes % 16 !== 0) {
      throw invalid(`${sizeBytes} bytes are no whole number of 128-bit keys`);
    }
    return { sizeBytes, address };
  });
  if (areas.length === 0) {
    throw StationError.of("INPUT_INVALID", {
      file: source,
      format: "key-area file",
      position: "line 1",
      detail: "it names no key area",
    });
  }
  return areas;
}

/** One line of a modules list. */
export interface ModuleLine {
  /** File names as they stand in the list; relative to it. */
  readonly moduleFile: string;
  readonly licenseFile: string;
  readonly address: number;
}

/**
 * Reads a modules list (.mcsv): one line `MODULE, LICENSE, ADDRESS` a module (AN5054 13.3.2:
 * `./module.bin, ./LicenseV0.bin, 0x8172000`). The licenses go to the chip beside the package, not in it.
 * @throws INPUT_INVALID with the line
 */
export function parseModulesCsv(text: string, source: string): ModuleLine[] {
  return csvLines(text).map(({ line, number }) => {
    const match = /^\s*([^,]+?)\s*,\s*([^,]+?)\s*,\s*(0[xX][0-9a-fA-F]{1,8})\s*$/.exec(line);
    if (match === null) {
      throw StationError.of("INPUT_INVALID", {
        file: source,
        format: "modules list",
        position: `line ${number}`,
        detail: "a line is a module file, a license file and an address in 0x hexadecimal",
      });
    }
    return { moduleFile: match[1] as string, licenseFile: match[2] as string, address: Number(match[3]) };
  });
}

/** How people read an E area's settings. */
export function regionText({ region, mode, keyAddress }: RegionSettings): string {
  const engine = region < 4 ? "OTFD1" : "OTFD2";
  return `${engine} region ${region}, ${regionModes[mode] ?? "unknown mode"}, key at ${hex32(keyAddress)}`;
}

function csvLines(text: string): { readonly line: string; readonly number: number }[] {
  return text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\n|\r/)
    .map((line, i) => ({ line, number: i + 1 }))
    .filter(({ line }) => line.trim() !== "");
}
