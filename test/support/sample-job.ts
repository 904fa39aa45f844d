import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { filledBytes } from "../../src/bytes/bytes.ts";
import type { Segment } from "../../src/firmware/segments.ts";
import { createExpectation, type Expectation } from "../../src/install/expectation.ts";
import { installVariant } from "../../src/install/variants.ts";
import { parseSfi, type SfiPackage } from "../../src/package/sfi.ts";
import { buildSfi } from "../../src/package/sfi-build.ts";
import { decodeManifest } from "../../src/target/manifest.ts";
import type { DeviceManifest, FieldValues } from "../../src/target/manifest-types.ts";
import { applyFields, csvWordsOf, defaultOptionBytes } from "../../src/target/option-bytes.ts";

/** The folder of package.json, from these sources and from a build of them alike. */
export const projectRoot = resolve(dirname(createRequire(import.meta.url).resolve("#rsse/0x450.json")), "..");

/** The device data of the H75x, as shipped. */
export const h7Manifest: DeviceManifest = decodeManifest(
  JSON.parse(readFileSync(join(projectRoot, "rsse/0x450.json"), "utf8")),
  "0x450.json",
);

export const sampleKey = filledBytes(16, 0x4b);
export const sampleNonce = filledBytes(12, 0x4e);

/** Firmware bytes that differ from place to place. */
export function sampleFirmware(sizeBytes: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, i) => (Math.imul(i + seed, 2654435761) >>> 13) & 0xff);
}

/** Option words in CSV order: factory defaults with security on, and whatever else is asked for. */
export function sampleOptionWords(fields: FieldValues = {}): number[] {
  const variant = installVariant(h7Manifest);
  const bytes = applyFields(h7Manifest, variant, defaultOptionBytes(h7Manifest, variant), {
    SECURITY: 1,
    ...fields,
  });
  return csvWordsOf(h7Manifest, variant, bytes);
}

export interface SampleJob {
  readonly segments: readonly Segment[];
  readonly optionWords: readonly number[];
  readonly bytes: Uint8Array;
  readonly package: SfiPackage;
  readonly expectation: Expectation;
}

export interface SampleJobOptions {
  readonly segments?: readonly Segment[];
  readonly optionFields?: FieldValues;
  readonly split?: { readonly ramSizeBytes: number; readonly tokenAddress: number };
}

/** A small package with everything that is known of it. */
export function sampleJob(options: SampleJobOptions = {}): SampleJob {
  const segments = options.segments ?? [{ address: 0x08000000, data: sampleFirmware(4096) }];
  const optionWords = sampleOptionWords(options.optionFields);
  const bytes = buildSfi({
    segments,
    optionWords,
    key: sampleKey,
    nonce: sampleNonce,
    imageVersion: 7,
    protocolVersion: 1,
    ...(options.split === undefined ? {} : { split: options.split }),
  });
  return {
    segments,
    optionWords,
    bytes,
    package: parseSfi(bytes, "sample.sfi"),
    expectation: createExpectation({ optionWords, firmware: segments, source: "sample.csv" }),
  };
}

/** Two parts: small on purpose, so that tests that run hundreds of installs stay quick. */
export const twoPartJob = (): SampleJob =>
  sampleJob({
    segments: [{ address: 0x08000000, data: sampleFirmware(3000) }],
    split: { ramSizeBytes: 2048, tokenAddress: 0x081ff000 },
  });
