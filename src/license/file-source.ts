import { equalBytes } from "../bytes/bytes.ts";
import type { LicenseSource } from "../ports/index.ts";
import { checkUsable } from "./usable.ts";

/** A source whose license the operator brought along: it exists before it is asked for. */
export interface GivenLicenseSource extends LicenseSource {
  /** The license itself, so that the broker can compare it with a stored one. */
  readonly given: Uint8Array;
}

/**
 * A license file as a source. It gives the same bytes for every request; whether they are for this chip, only the chip
 * can tell.
 * @param bytes the file's content
 * @param name file name, for messages
 */
export function fileLicense(bytes: Uint8Array, name: string): GivenLicenseSource {
  const given = Uint8Array.from(bytes);
  const source = `file:${name}`;
  return {
    name: source,
    counted: false,
    given,
    check: async (real) => checkUsable(given, source, real),
    issue: async () => Uint8Array.from(given),
  };
}

/** True for a source that brings its license and it is another than `license`. */
export function contradicts(source: LicenseSource, license: Uint8Array): boolean {
  return isGiven(source) && !equalBytes(source.given, license);
}

/** True when the source already holds its license. */
export function isGiven(source: LicenseSource): source is GivenLicenseSource {
  return "given" in source && source.given instanceof Uint8Array;
}
