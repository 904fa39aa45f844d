import { hexNumber } from "../bytes/hex.ts";
import type { SfiRules } from "../package/sfi-verify.ts";
import { bankBytes, banksOf, flashRanges } from "../target/flash-layout.ts";
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
  const variant = chip?.variant ?? installVariant(manifest);
  const wholeFlashBytes = banksOf(manifest, variant).reduce(
    (sum, bank) => sum + bankBytes(manifest, bank),
    0,
  );
  const ranges = flashRanges(manifest, variant, chip?.flashSizeBytes ?? wholeFlashBytes);
  const { trustZone } = manifest;
  const secure =
    trustZone === undefined
      ? []
      : ranges.map((range) => ({ ...range, address: range.address + trustZone.flashOffset }));
  return {
    device: hexNumber(manifest.device.id, 3),
    protocolVersions: sfi.protocolVersions,
    flash: [...ranges, ...secure],
    tokenAlignmentBytes: sfi.token.alignBytes,
    optionRowCount: sfi.csvRows.length,
    maximumPartSizeBytes: sfi.ramSizeBytes,
    flashWordBytes: flash.wordBytes,
  };
}
