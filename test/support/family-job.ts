import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { VirtualBench } from "../../drivers/virtual/bench.ts";
import { createExpectation } from "../../src/install/expectation.ts";
import type { InstallJob } from "../../src/install/session.ts";
import { installVariant } from "../../src/install/variants.ts";
import { buildDevelopmentRsse } from "../../src/package/rsse.ts";
import { parseSfi } from "../../src/package/sfi.ts";
import { buildSfi } from "../../src/package/sfi-build.ts";
import { decodeManifest } from "../../src/target/manifest.ts";
import type { DeviceManifest, FieldValues } from "../../src/target/manifest-types.ts";
import { applyFields, csvWordsOf, defaultOptionBytes } from "../../src/target/option-bytes.ts";
import { type BenchRun, type BenchRunOptions, runOnBench } from "./bench-run.ts";
import { projectRoot, type SampleJob, sampleFirmware, sampleKey, sampleNonce } from "./sample-job.ts";

/** A device of rsse/ as shipped. */
export function deviceManifest(id: string): DeviceManifest {
  const file = `${id}.json`;
  return decodeManifest(JSON.parse(readFileSync(join(projectRoot, "rsse", file), "utf8")), file);
}

/** A small package for a device, with the option bytes it sets. */
export function familyJob(manifest: DeviceManifest, fields: FieldValues, parts: 1 | 2 = 1): SampleJob {
  const variant = installVariant(manifest);
  const optionBytes = applyFields(manifest, variant, defaultOptionBytes(manifest, variant), fields, {
    readOnly: true,
  });
  const optionWords = csvWordsOf(manifest, variant, optionBytes);
  const segments = [{ address: 0x08000000, data: sampleFirmware(3000) }];
  const { flash, sfi } = manifest;
  const last = flash.banks.reduce(
    (end, bank) => Math.max(end, bank.address + bank.sectors * (bank.sectorBytes ?? flash.sectorBytes)),
    0,
  );
  const bytes = buildSfi({
    segments,
    optionWords,
    key: sampleKey,
    nonce: sampleNonce,
    imageVersion: 1,
    protocolVersion: sfi.protocolVersions[0] ?? 1,
    ...(parts === 1 ? {} : { split: { ramSizeBytes: 2048, tokenAddress: last - sfi.token.belowEndBytes } }),
  });
  return {
    segments,
    optionWords,
    bytes,
    package: parseSfi(bytes, "family.sfi"),
    expectation: createExpectation({ optionWords, firmware: segments, source: "family.csv" }),
  };
}

/** The development RSSe of a device, where it is installed with one. */
export function familyRsse({ sfi: { rsse } }: DeviceManifest): InstallJob["rsse"] {
  if (rsse === undefined) return undefined;
  const bytes = buildDevelopmentRsse({
    family: rsse.family,
    loadAddress: rsse.window.address,
    version: [2, 0, 2],
  });
  return { name: "development.bin", bytes };
}

/** One install of a device on its bench. */
export function runFamily(
  manifest: DeviceManifest,
  bench: VirtualBench,
  job: SampleJob,
  options: Partial<BenchRunOptions> = {},
): Promise<BenchRun> {
  return runOnBench({
    job,
    bench,
    manifests: [manifest],
    ...options,
    overrides: { deviceId: manifest.device.id, rsse: familyRsse(manifest), ...options.overrides },
  });
}
