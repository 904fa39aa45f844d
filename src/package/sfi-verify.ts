import { toWords } from "../bytes/bytes.ts";
import { hex32 } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import { joinSegments, type Segment } from "../firmware/segments.ts";
import { gcmOpen } from "./aes-gcm.ts";
import { checkKey, checkNonce } from "./keys.ts";
import { areaName, type SfiArea, type SfiPackage } from "./sfi.ts";
import { areaFindings } from "./sfi-checks.ts";
import {
  type AreaType,
  areaContext,
  areaHeaderBodySizeBytes,
  imageHeaderBodySizeBytes,
  imageHeaderTagMatches,
} from "./sfi-layout.ts";
import { budgetBytes } from "./sfi-split.ts";

/** What a device asks of a package. All of it comes from the device's data. */
export interface SfiRules {
  /** Device id for messages, e.g. "0x450". */
  readonly device: string;
  /** SFI protocol versions that the device's RSS takes. */
  readonly protocolVersions: readonly number[];
  /** Where F areas and the continuation token may lie. Ranges that touch count as one. */
  readonly flash: readonly { readonly address: number; readonly sizeBytes: number }[];
  /** The continuation token's address must be a multiple of this. */
  readonly tokenAlignmentBytes: number;
  /** Rows of the device's option-byte CSV: the C area holds one word a row. */
  readonly optionRowCount: number;
  /** Most that one part may take of the RAM, counted as `SfiSplit.ramSizeBytes` is. */
  readonly maximumPartSizeBytes: number;
  /** Area types that can be installed on it; F, C, P and R when not given. */
  readonly areaTypes?: readonly AreaType[];
  /** Given: no two F areas may share a unit of this size, since RSS can program each only once. */
  readonly flashWordBytes?: number;
}

/** The areas that go to the chip in one go: up to a P area, or up to the end. */
export interface SfiPart {
  /** From 1. */
  readonly number: number;
  readonly areas: readonly SfiArea[];
  /** Of all its areas, headers and content: what is written to RAM behind the image header. */
  readonly sizeBytes: number;
  readonly last: boolean;
}

/**
 * Judges a package by the format's and the device's rules, without its key.
 * @returns every finding, not only the first; empty when the package can be installed as far as can be seen.
 *   PACKAGE_PROTOCOL for the protocol version, PACKAGE_STRUCTURE for everything else.
 */
export function checkStructure(pkg: SfiPackage, rules: SfiRules): StationError[] {
  const findings = [...areaFindings(pkg, rules), ...partFindings(pkg, rules)].map((detail) =>
    StationError.of("PACKAGE_STRUCTURE", { file: pkg.name, detail }),
  );
  return rules.protocolVersions.includes(pkg.protocolVersion)
    ? findings
    : [protocolFinding(pkg, rules), ...findings];
}

/** The package's parts in order: each ends with its P area, the next begins with the R area behind it (AN5054 2.2). */
export function partsOf(pkg: Pick<SfiPackage, "areas">): SfiPart[] {
  const groups: SfiArea[][] = [[]];
  pkg.areas.forEach((area, i) => {
    (groups.at(-1) as SfiArea[]).push(area);
    if (area.type === "P" && i + 1 < pkg.areas.length) groups.push([]);
  });
  return groups.map((areas, i) => ({
    number: i + 1,
    areas,
    sizeBytes: areas.reduce((sum, { bytes }) => sum + bytes.length, 0),
    last: i + 1 === groups.length,
  }));
}

/** An area with its decrypted content. */
export interface OpenedArea {
  readonly area: SfiArea;
  readonly plaintext: Uint8Array;
}

/** A package whose every tag was right under a key and nonce. */
export interface OpenedSfi {
  readonly areas: readonly OpenedArea[];
  /** The words of the C area; empty when the package has none. */
  readonly optionWords: readonly number[];
  /** The F areas' content, sorted, adjacent areas merged. */
  readonly firmware: readonly Segment[];
}

/**
 * Checks every tag and decrypts the whole package.
 * Together with `parseSfi` this notices a change of any byte of the file.
 * @param key 16 bytes
 * @param nonce 12 bytes
 * @throws KEY_LENGTH
 * @throws PACKAGE_TAG_WRONG naming the image header or the first area that does not match
 * @throws PACKAGE_STRUCTURE when the authentic C area is not made of words
 * @throws FIRMWARE_OVERLAP when authentic F areas overlap
 */
export function openSfi(pkg: SfiPackage, key: Uint8Array, nonce: Uint8Array): OpenedSfi {
  checkKey(key);
  checkNonce(nonce);
  const headerBody = pkg.header.subarray(0, imageHeaderBodySizeBytes);
  if (!imageHeaderTagMatches(headerBody, pkg.headerTag, key, nonce)) {
    throw StationError.of("PACKAGE_TAG_WRONG", { file: pkg.name, part: "image header" });
  }
  const areas = pkg.areas.map((area, i) => openArea(pkg, area, i + 1, key, nonce));
  return { areas, optionWords: optionWordsOf(pkg, areas), firmware: firmwareOf(areas) };
}

function openArea(
  pkg: SfiPackage,
  area: SfiArea,
  place: number,
  key: Uint8Array,
  nonce: Uint8Array,
): OpenedArea {
  const body = area.bytes.subarray(0, areaHeaderBodySizeBytes);
  // The index by the area's place in the file, so that areas that changed places do not open.
  const plaintext = gcmOpen(areaContext(body, place, key, nonce), area.content, area.tag);
  if (plaintext === undefined) {
    throw StationError.of("PACKAGE_TAG_WRONG", { file: pkg.name, part: areaName(area) });
  }
  return { area, plaintext };
}

function optionWordsOf(pkg: SfiPackage, areas: readonly OpenedArea[]): number[] {
  const options = areas.find(({ area }) => area.type === "C");
  if (options === undefined) return [];
  if (options.plaintext.length % 4 !== 0) {
    throw StationError.of("PACKAGE_STRUCTURE", {
      file: pkg.name,
      detail: `${areaName(options.area)} holds ${options.plaintext.length} bytes, no whole number of words`,
    });
  }
  return toWords(options.plaintext);
}

function firmwareOf(areas: readonly OpenedArea[]): Segment[] {
  return joinSegments(
    areas
      .filter(({ area }) => area.type === "F")
      .map(({ area, plaintext }) => ({
        format: "bin",
        source: `${areaName(area)} at ${hex32(area.address)}`,
        segments: [{ address: area.address, data: plaintext }],
      })),
  );
}

function protocolFinding(pkg: SfiPackage, { device, protocolVersions }: SfiRules): StationError {
  const accepted = protocolVersions.join(", ");
  return StationError.of("PACKAGE_PROTOCOL", { version: pkg.protocolVersion, device, accepted });
}

function partFindings(pkg: SfiPackage, { device, maximumPartSizeBytes }: SfiRules): string[] {
  return partsOf(pkg)
    .map(({ number, areas }) => ({ number, needed: budgetBytes(areas) }))
    .filter(({ needed }) => needed > maximumPartSizeBytes)
    .map(
      ({ number, needed }) =>
        `part ${number} takes ${needed} bytes of RAM; device ${device} has ${maximumPartSizeBytes} for it`,
    );
}
