import { sha256Hex } from "../bytes/digest.ts";
import { hexNumber } from "../bytes/hex.ts";
import type { SfiPart } from "../package/sfi.ts";
import type { DeviceManifest } from "../target/manifest.ts";
import { assumedFacts } from "../target/manifest.ts";
import { type State, stateTitles } from "./machine.ts";
import type { InstallJob } from "./session.ts";

/**
 * What doing a step means for the part.
 * - read: changes nothing that outlives a reset
 * - reversible: can be put back
 * - license: may spend a license
 * - irreversible: cannot be taken back, or only by erasing the part
 */
export type StepKind = "read" | "reversible" | "license" | "irreversible";

export interface PlanStep {
  readonly number: number;
  readonly state: State;
  readonly kind: StepKind;
  readonly title: string;
  /** What exactly is read or written. */
  readonly detail: string;
}

export interface InstallPlan {
  /** SHA-256 over everything that decides what will be done; what `--approve` takes. */
  readonly digest: string;
  readonly deviceId: string;
  readonly steps: readonly PlanStep[];
  /** Number of the first step that cannot be taken back. */
  readonly pointOfNoReturn: number;
  /** Facts this plan rests on that nobody published and no recording confirms. */
  readonly assumedFacts: readonly string[];
  readonly warnings: readonly string[];
}

type Draft = Omit<PlanStep, "number" | "title"> & { readonly title?: string };

/**
 * The ordered steps of an install, from the inputs alone: no probe, no chip, no clock.
 * @param parts the package's parts, in order
 */
export function planInstall(
  job: Pick<InstallJob, "package" | "expectation">,
  manifest: DeviceManifest,
  parts: readonly SfiPart[],
  licenseSource: string,
): InstallPlan {
  const drafts: Draft[] = [
    ...stepsBeforeLicense(job, manifest),
    { state: "ready", kind: "license", detail: `from ${licenseSource}; stored before use, reused for this chip` },
    ...parts.flatMap((part) => stepsOfPart(part, manifest)),
    { state: "verifying", kind: "read", detail: proofDetail(job) },
  ];
  const steps = drafts.map((draft, i) => ({ title: stateTitles[draft.state], ...draft, number: i + 1 }));
  const deviceId = hexNumber(manifest.deviceId, 3);
  const facts = assumedFacts(manifest, "sfi");
  return {
    digest: sha256Hex(
      JSON.stringify({
        deviceId,
        package: job.package.digest,
        expectation: job.expectation?.digest ?? null,
        contract: manifest.digest,
        steps: steps.map(({ state, kind, detail }) => [state, kind, detail]),
      }),
    ),
    deviceId,
    steps,
    pointOfNoReturn: steps.find((step) => step.kind === "irreversible")?.number ?? steps.length,
    assumedFacts: facts,
    warnings: planWarnings(job),
  };
}
