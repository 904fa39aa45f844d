import { sha256Hex } from "../bytes/digest.ts";
import { hex32, hexNumber } from "../bytes/hex.ts";
import { areaName, type SfiPackage } from "../package/sfi.ts";
import type { SfiPart } from "../package/sfi-verify.ts";
import { assumedFacts } from "../target/evidence.ts";
import type { DeviceManifest, FieldValues } from "../target/manifest-types.ts";
import { rssOf } from "../target/rss.ts";
import { type Expectation, expectedRdpLevel, expectsClosedPort } from "./expectation.ts";
import { type State, stateTitles } from "./machine.ts";

/**
 * What doing a step means for the part.
 * - read: changes nothing that outlives a reset
 * - reversible: can be put back
 * - license: may spend a license
 * - irreversible: cannot be taken back, or only by erasing the part
 */
export type StepKind = "read" | "reversible" | "license" | "irreversible";

/** What of a job decides its plan. */
export interface PlannedJob {
  readonly package: SfiPackage;
  /** The end state to prove; undefined leaves the run unproven at best. */
  readonly expectation: Expectation | undefined;
}

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

type Draft = Omit<PlanStep, "number" | "title">;

/**
 * The ordered steps of an install, from the inputs alone: no probe, no chip, no clock.
 * @param parts the package's parts, in order
 */
export function planInstall(
  job: PlannedJob,
  manifest: DeviceManifest,
  parts: readonly SfiPart[],
): InstallPlan {
  const drafts: Draft[] = [
    ...stepsBeforeLicense(manifest),
    { state: "ready", kind: "license", detail: "stored before use, reused for this chip and package" },
    ...parts.flatMap((part) => stepsOfPart(part, manifest)),
    { state: "verifying", kind: "read", detail: proofDetail(job) },
  ];
  const steps = drafts.map((draft, i) => ({ ...draft, number: i + 1, title: stateTitles[draft.state] }));
  const deviceId = hexNumber(manifest.device.id, 3);
  return {
    digest: sha256Hex(
      JSON.stringify({
        device: manifest,
        package: job.package.digest,
        expectation: job.expectation?.digest ?? null,
        steps: steps.map(({ state, kind, detail }) => [state, kind, detail]),
      }),
    ),
    deviceId,
    steps,
    pointOfNoReturn: steps.find((step) => step.kind === "irreversible")?.number ?? steps.length,
    assumedFacts: assumedFacts(manifest, "sfi"),
    warnings: planWarnings(job, manifest),
  };
}

function stepsBeforeLicense(manifest: DeviceManifest): Draft[] {
  const { preconditions, rsse } = manifest.sfi;
  const rss = rssOf(manifest);
  const groups = [rss.activation, rss.writeMode].map(assignments).filter((text) => text !== "");
  return [
    {
      state: "planned",
      kind: "read",
      detail: `${preconditions.connectMode}; device ${manifest.device.name}`,
    },
    {
      state: "inspected",
      kind: "read",
      detail: `${manifest.rdp.term} ${openName(manifest)}, no protected areas, blank flash, versions, certificate`,
    },
    {
      state: "certified",
      kind: "reversible",
      detail: `option bytes ${groups.join(rss.oneWrite ? " " : ", then ")}`,
    },
    {
      state: "armed",
      kind: "read",
      detail: `${rsse === undefined ? "" : `RSSe binary to ${hex32(rsse.window.address)}, `}RSS service table at ${hex32(rss.apiTable)}`,
    },
  ];
}

/** What the part calls the level an install begins at. */
function openName({ rdp, sfi }: DeviceManifest): string {
  const { rdpLevel } = sfi.preconditions;
  return rdp.levels.find(({ level }) => level === rdpLevel)?.name ?? String(rdpLevel);
}

function stepsOfPart(part: SfiPart, manifest: DeviceManifest): Draft[] {
  const { buffers, trigger, completion } = rssOf(manifest);
  const areas = part.areas.map((area) => areaName(area)).join(", ");
  return [
    {
      state: "licensed",
      kind: "reversible",
      detail: `part ${part.number}: license to ${hex32(buffers.license.address)}, header to ${hex32(buffers.header.address)}, ${areas} (${part.sizeBytes} bytes) to ${hex32(buffers.areas.address)}`,
    },
    {
      state: "staged",
      kind: "irreversible",
      detail: `part ${part.number}: ${assignments(trigger.fields)}, ${trigger.reset} reset`,
    },
    {
      state: "detached",
      kind: "read",
      detail: `part ${part.number}: up to ${manifest.sfi.deadlines.rssMs} ms`,
    },
    {
      state: "settling",
      kind: "read",
      detail: `part ${part.number}: completion words at ${hex32(completion.statusAddress)} and ${hex32(completion.valueAddress)}, security state`,
    },
  ];
}

function assignments(fields: FieldValues): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${hexNumber(value)}`)
    .join(" ");
}

function proofDetail(job: Pick<PlannedJob, "expectation">): string {
  if (job.expectation === undefined) return "nothing to compare with: the end can only be unproven";
  const { source, firmware } = job.expectation;
  return `option bytes against ${source}; flash ${firmware === undefined ? "must not be blank" : "against the firmware"}`;
}

function planWarnings(job: Pick<PlannedJob, "expectation">, manifest: DeviceManifest): string[] {
  if (job.expectation === undefined) {
    return [
      "no expected end state (--expect): the run cannot end better than unproven, and a license is spent all the same",
    ];
  }
  if (manifest.rdp.term === "product state") {
    return expectsClosedPort(job.expectation, manifest)
      ? ["the package closes the part: its end state cannot be read over SWD afterwards"]
      : [];
  }
  const level = expectedRdpLevel(job.expectation, manifest);
  const texts = {
    0: [],
    0.5: [],
    1: [
      "the package sets RDP level 1: its flash cannot be read back afterwards (AN5054 3.3.1 asks for level 0 during SFI over SWD)",
    ],
    2: ["the package closes the part for good (RDP level 2): its end state cannot be proven over SWD"],
  } as const;
  return [...texts[level]];
}
