import { StationError } from "../errors/station-error.ts";
import { parseLicense } from "../package/license.ts";

/**
 * That a license has the right length and is of the kind the chip can open: both are known before the chip refuses it.
 * @param license the bytes
 * @param source where they come from, for the message
 * @param real true for silicon, false for a virtual chip
 * @throws LICENSE_LENGTH, LICENSE_DEVELOPMENT, LICENSE_GENUINE_ON_VIRTUAL
 */
export function checkUsable(license: Uint8Array, source: string, real: boolean): void {
  const { development } = parseLicense(license, source);
  if (real && development) throw StationError.of("LICENSE_DEVELOPMENT", { source });
  if (!real && !development) throw StationError.of("LICENSE_GENUINE_ON_VIRTUAL", { source });
}
