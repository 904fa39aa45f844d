import { hexNumber } from "../bytes/hex.ts";
import type { SfiRules } from "../package/sfi-verify.ts";
import type { DeviceManifest } from "../target/manifest-types.ts";

/**
 * What a device asks of a package, out of its data.
 * @param flashSizeBytes the size the chip reports; without it the largest of the device's variants
 */
export function packageRules(manifest: DeviceManifest, flashSizeBytes?: number): SfiRules {
  const { flash, sfi } = manifest;
  const first = flash.banks[0]?.address ?? 0;
  const endOfFlash = flashSizeBytes === undefined ? Number.POSITIVE_INFINITY : first + flashSizeBytes;
  return {
    device: hexNumber(manifest.device.id, 3),
    protocolVersions: sfi.protocolVersions,
    flash: flash.banks
      .map(({ address, sectors }) => ({
        address,
        sizeBytes: Math.min(sectors * flash.sectorBytes, endOfFlash - address),
      }))
      .filter(({ sizeBytes }) => sizeBytes > 0),
    tokenAlignmentBytes: sfi.token.alignBytes,
    optionRowCount: sfi.csvRows.length,
    maximumPartSizeBytes: sfi.ramSizeBytes,
    flashWordBytes: flash.wordBytes,
  };
}
