import { sha256Hex } from "../bytes/digest.ts";
import type { Segment } from "../firmware/segments.ts";
import type { DeviceManifest, RdpLevel } from "../target/manifest-types.ts";
import { type OptionBytes, optionWordsFromCsv } from "../target/option-bytes.ts";
import { closesPort, rdpLevelOf } from "../target/security.ts";
import { installVariant } from "./variants.ts";

/** What the chip must hold after the install, as far as the station was told. */
export interface Expectation {
  /** The option-byte words of the package's C area in CSV row order. */
  readonly optionWords: readonly number[];
  /** Plain firmware, where key and nonce or the firmware files were given. */
  readonly firmware: readonly Segment[] | undefined;
  /** SHA-256 over the expectation, for plan, journal and resume. */
  readonly digest: string;
  /** Where it came from, for people: "OB.csv" or "the package opened with its key". */
  readonly source: string;
}

/** An expectation with its digest. */
export function createExpectation(parts: Omit<Expectation, "digest">): Expectation {
  const digest = sha256Hex(
    JSON.stringify(parts.optionWords),
    ...(parts.firmware ?? []).flatMap(({ address, data }) => [String(address), data]),
  );
  return { ...parts, digest };
}

/**
 * The expected option bytes by register.
 * @throws EXPECTATION_INVALID when the number of words is not the device's
 */
export function expectedOptionBytes(expectation: Expectation, manifest: DeviceManifest): OptionBytes {
  return optionWordsFromCsv(manifest, expectation.optionWords);
}

/** True when the part's debug port will not answer once the expectation is met. */
export function expectsClosedPort(expectation: Expectation, manifest: DeviceManifest): boolean {
  return closesPort(manifest, installVariant(manifest), expectedOptionBytes(expectation, manifest));
}

/** The RDP level the part will be at when the expectation is met. */
export function expectedRdpLevel(expectation: Expectation, manifest: DeviceManifest): RdpLevel {
  return rdpLevelOf(manifest, installVariant(manifest), expectedOptionBytes(expectation, manifest));
}
