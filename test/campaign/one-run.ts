import { openVirtualBench, parseVirtualSelector, type VirtualBench } from "../../drivers/virtual/bench.ts";
import { VirtualClock } from "../../drivers/virtual/clock.ts";
import { asStationError } from "../../src/errors/station-error.ts";
import type { InstallResult } from "../../src/install/run.ts";
import { countedIssuer, memoryStore, runOnBench } from "../support/bench-run.ts";
import { abortAndInstall, type BenchJob, followAdvice, runComplaints } from "./afterwards.ts";
import type { Case } from "./cases.ts";
import { cleanJob } from "./job.ts";
import {
  type Complaint,
  type Reference,
  type Rule,
  sameOptions,
  truthComplaints,
  writeComplaints,
} from "./rules.ts";
import { limitedOpener, lookAt, transferLimit, watchChip } from "./watch.ts";

/** How one run of the campaign went. */
export interface Verdict {
  readonly kind: string;
  readonly transfer: number;
  /** State of the install in which the fault struck. */
  readonly state: string;
  readonly outcome: string;
  readonly exit: number;
  readonly code: string | undefined;
  /** Outcome and code of the run that the error advises, with the fault gone; undefined when none was needed. */
  readonly next: string | undefined;
  /** True when only erasing the part (`sfi abort`) and installing once more got there. */
  readonly neededAbort: boolean;
  /** How often its license, which is a good one, was marked as suspect. */
  readonly suspicions: number;
  /** Transfers and modelled time of the disturbed run. */
  readonly transfers: number;
  readonly modelledMs: number;
  /** What the rules have against it. Empty for a run that is as it must be. */
  readonly complaints: readonly Complaint[];
}

/** A bench whose time always begins at the same instant. */
function openBench(faults: Case["faults"]): Promise<VirtualBench> {
  const clock = new VirtualClock(new Date("2025-01-01T00:00:00Z"));
  return openVirtualBench({ ...parseVirtualSelector("virtual:h753"), faults }, { clock });
}

/**
 * The end of a run that nothing disturbs, which every other one is measured by.
 * @throws Error when it does not end installed
 */
export async function measureReference(): Promise<Reference> {
  const bench = await openBench([]);
  const original = bench.chip.options();
  const { result } = await runOnBench({ job: cleanJob, bench });
  const { options, holdsFirmware } = lookAt(bench);
  await bench.close();
  if (result.outcome === "installed" && holdsFirmware) return { original, installed: options };
  throw new Error(`the undisturbed run ended as ${result.outcome}`);
}

/** Runs one case: the disturbed install, what its error advises, and an abort when that does not get there. */
export async function runCase(each: Case, reference: Reference): Promise<Verdict> {
  const bench = await openBench(each.faults);
  try {
    return await judge(each, bench, reference);
  } catch (thrown) {
    const { message } = asStationError(thrown);
    return {
      ...placeOf(each, bench),
      outcome: "none",
      exit: 1,
      code: "INTERNAL",
      next: undefined,
      neededAbort: false,
      suspicions: 0,
      complaints: [{ rule: "undefined outcome", detail: `it threw: ${message}` }],
    };
  } finally {
    await bench.close();
  }
}

function placeOf({ kind, transfer, state }: Case, bench: VirtualBench) {
  const modelledMs = Math.round(bench.modelledMs());
  return { kind, transfer, state, transfers: bench.transfers().count, modelledMs };
}

async function judge(each: Case, bench: VirtualBench, reference: Reference): Promise<Verdict> {
  let state = "idle";
  let suspicions = 0;
  const changes = watchChip(bench, () => state);
  const job: BenchJob = {
    job: cleanJob,
    bench: { ...bench, opener: limitedOpener(bench) },
    source: countedIssuer(),
    store: {
      ...memoryStore(),
      suspect: async () => {
        suspicions++;
      },
    },
    onState: (entered) => {
      state = entered;
    },
  };
  const first = await runOnBench(job);
  const place = placeOf(each, bench);
  const complaints: Complaint[] = [
    ...runComplaints(first),
    ...truthComplaints(first.result, lookAt(bench), reference),
  ];
  const complain = (rule: Rule, detail: string): void => {
    complaints.push({ rule, detail });
  };
  const issued = job.source.issued();
  if (first.result.licenseSpent !== issued > 0)
    complain("double license", `licenseSpent with ${issued} issued`);

  bench.mend();
  let next: string | undefined;
  let neededAbort = false;
  if (first.result.outcome !== "installed") {
    const again = await followAdvice(first, job);
    next = endOf(again.result);
    complaints.push(...runComplaints(again));
    neededAbort = again.result.outcome !== "installed";
    const stuck = neededAbort ? await abortAndInstall(job) : undefined;
    const { holdsFirmware, options } = lookAt(bench);
    if (stuck !== undefined) complain("no way on", stuck);
    else if (!holdsFirmware || !sameOptions(options, reference.installed)) {
      complain("false pass", "the last run says installed, and it is not");
    }
  }
  complaints.push(...writeComplaints(changes));
  if (job.source.issued() > 1) complain("double license", `${job.source.issued()} issued`);
  if (bench.transfers().count >= transferLimit) complain("endless", `${transferLimit} transfers`);
  for (const text of bench.violations()) complain("undefined outcome", `framing: ${text}`);
  const { outcome, exit, error } = first.result;
  return { ...place, outcome, exit, code: error?.code, next, neededAbort, suspicions, complaints };
}

/** "installed", "refused USB_STALL" */
function endOf({ outcome, error }: InstallResult): string {
  return error === undefined ? outcome : `${outcome} ${error.code}`;
}
