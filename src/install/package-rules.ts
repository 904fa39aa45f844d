import { hexNumber } from "../bytes/hex.ts";
import type { SfiRules } from "../package/sfi-verify.ts";
import { flashRanges } from "../target/flash-layout.ts";
import type { TargetIdentity } from "../target/identify.ts";
import type { DeviceManifest } from "../target/manifest-types.ts";
import { installVariant } from "./variants.ts";

/**
 * What a device asks of a package, out of its data.
 * @param chip the attached chip's variant and flash size; without it, the largest part that secure installs are for
 */
export function packageRules(
  manifest: DeviceManifest,
  chip?: Pick<TargetIdentity, "variant" | "flashSizeBytes">,
): SfiRules {
  const { flash, sfi } = manifest;
  const wholeFlashBytes = flash.banks.reduce((sum, { sectors }) => sum + sectors * flash.sectorBytes, 0);
  return {
    device: hexNumber(manifest.device.id, 3),
    protocolVersions: sfi.protocolVersions,
    flash: flashRanges(
      manifest,
      chip?.variant ?? installVariant(manifest),
      chip?.flashSizeBytes ?? wholeFlashBytes,
    ),
    tokenAlignmentBytes: sfi.token.alignBytes,
    optionRowCount: sfi.csvRows.length,
    maximumPartSizeBytes: sfi.ramSizeBytes,
    flashWordBytes: flash.wordBytes,
  };
}
