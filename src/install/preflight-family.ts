import { hex32, hexNumber } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import { readRsse } from "../package/rsse.ts";
import type { TargetIdentity } from "../target/identify.ts";
import type { DeviceManifest, VersionName } from "../target/manifest-types.ts";
import { fieldValue, type OptionBytes } from "../target/option-bytes.ts";
import { rdpNameOf } from "../target/security.ts";
import { expectedOptionBytes, expectsClosedPort } from "./expectation.ts";
import type { InstallJob, RsseInput } from "./session.ts";
import { installVariant } from "./variants.ts";

/**
 * What speaks against the versions in the part: an install on a part below them fails after the license is spent
 * (community.st.com thread 741981: SFSP 0.1.1).
 */
export function versionFindings({ manifest, ...identity }: TargetIdentity): StationError[] {
  const actual: Readonly<Record<VersionName, number | undefined>> = {
    bootloader: identity.bootloaderVersion,
    sfsp: identity.sfspVersion,
  };
  return manifest.sfi.minimumVersions.flatMap(({ what, minimum, why }) => {
    const version = actual[what];
    if (version === undefined || version >= minimum) return [];
    return [
      StationError.of("VERSION_TOO_OLD", {
        what: what === "sfsp" ? "SFSP (secure part of the system flash)" : "bootloader",
        actual: versionText(what, version),
        minimum: versionText(what, minimum),
        why,
      }),
    ];
  });
}

/** SFSP: three bytes from bit 31 down (02050000 is 2.5.0); bootloader: two nibbles. */
export function versionText(what: VersionName, version: number): string {
  if (what === "bootloader") return `${version >>> 4}.${version & 15}`;
  return `${version >>> 24}.${(version >>> 16) & 0xff}.${(version >>> 8) & 0xff}`;
}

/** What speaks against the RSSe binary. @param real the probe is a real one */
export function rsseFindings(
  rsse: RsseInput | undefined,
  manifest: DeviceManifest,
  real: boolean,
): StationError[] {
  const needed = manifest.sfi.rsse;
  if (needed === undefined) return [];
  if (rsse === undefined) return [StationError.of("RSSE_MISSING", { device: manifest.device.name })];
  const wrong = (detail: string): StationError[] => [
    StationError.of("RSSE_WRONG", { name: rsse.name, detail }),
  ];
  const header = readRsse(rsse.bytes);
  if (header === undefined) return wrong("it is too short to be one");
  if (rsse.bytes.length > needed.window.sizeBytes) {
    return wrong(`${rsse.bytes.length} bytes do not fit the ${needed.window.sizeBytes} bytes kept for it`);
  }
  const { development } = header;
  const family = development?.family ?? rsse.knownFamily;
  if (family !== undefined && family !== needed.family)
    return wrong(`it is for ${family}, the part is ${needed.family}`);
  if (development === undefined) return real ? [] : wrong("virtual chips take only development binaries");
  if (real) return wrong("it is a development binary, which real parts refuse");
  if (!development.intact) return wrong("its digest or size is not what its header says");
  if (development.loadAddress !== needed.window.address) {
    return wrong(`it is made for ${hex32(development.loadAddress)}, not ${hex32(needed.window.address)}`);
  }
  return [];
}

/** What to tell of an RSSe binary that works but should not be used. */
export function rsseWarnings(rsse: RsseInput | undefined, { sfi }: DeviceManifest): string[] {
  const version = rsse === undefined ? undefined : readRsse(rsse.bytes)?.version;
  if (version === undefined || sfi.rsse?.affected.includes(version) !== true) return [];
  return [
    `RSSe ${version} is listed in ST security advisory SA0022; X-CUBE-RSSE 1.0.0 and later are not affected`,
  ];
}

/** Option bytes that do not stand as an install needs them at its beginning. */
export function preconditionFindings(
  { manifest, variant }: TargetIdentity,
  optionBytes: OptionBytes,
): StationError[] {
  return manifest.sfi.preconditions.fields.flatMap(({ field, value, why }) => {
    const actual = fieldValue(manifest, variant, optionBytes, field);
    if (actual === undefined || actual === value) return [];
    return [
      StationError.of("OPTION_PRECONDITION", {
        field,
        actual: hexNumber(actual),
        needed: hexNumber(value),
        why,
      }),
    ];
  });
}

/** What speaks against the option bytes that the package is expected to set. */
export function endFindings(
  {
    expectation,
    package: pkg,
    allowPermanent,
  }: Pick<InstallJob, "expectation" | "package" | "allowPermanent">,
  manifest: DeviceManifest,
): StationError[] {
  if (expectation === undefined) return [];
  const words = expectedOptionBytes(expectation, manifest);
  const variant = installVariant(manifest);
  const findings = manifest.sfi.endRules.flatMap(({ field, only, never, why }) => {
    const value = fieldValue(manifest, variant, words, field);
    if (value === undefined) return [];
    const wrong = only?.includes(value) === false || never?.includes(value) === true;
    return wrong ? [StationError.of("END_OPTIONS_CONTRADICT", { field, value: hexNumber(value), why })] : [];
  });
  const closes =
    manifest.rdp.regression.by === "debug-authentication" && expectsClosedPort(expectation, manifest);
  const opens = pkg.areas.some(({ type }) => type === "K");
  if (closes && !opens && allowPermanent !== true) {
    findings.push(StationError.of("CLOSES_FOR_GOOD", { state: rdpNameOf(manifest, variant, words) }));
  }
  return findings;
}
