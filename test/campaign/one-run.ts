import { openVirtualBench, parseVirtualSelector, type VirtualBench } from "../../drivers/virtual/bench.ts";
import type { OptionWords } from "../../drivers/virtual/chips.ts";
import { VirtualClock } from "../../drivers/virtual/clock.ts";
import { openStlink } from "../../drivers/stlink/probe.ts";
import { connectDebug } from "../../src/dap/connect.ts";
import { asStationError } from "../../src/errors/station-error.ts";
import { reportFrom, verifyReport } from "../../src/install/report.ts";
import { resumePoint } from "../../src/install/resume.ts";
import type { InstallResult } from "../../src/install/run.ts";
import { identifyTarget } from "../../src/target/identify.ts";
import { regress } from "../../src/target/regress.ts";
import { type BenchRun, countedIssuer, memoryStore, runOnBench } from "../support/bench-run.ts";
import { h7Manifest } from "../support/sample-job.ts";
import type { Case } from "./cases.ts";
import { cleanJob, factoryOptionBytes, variant } from "./job.ts";
import { endStateComplaints, exitComplaints, writeComplaints } from "./rules.ts";
import { limitedOpener, lookAt, sameOptions, watchChip } from "./watch.ts";

/** How one run of the campaign went. */
export interface Verdict {
  readonly kind: string;
  readonly transfer: number;
  readonly state: string;
  /** Outcome and error code of the disturbed run: "installed", "refused USB_STALL". */
  readonly end: string;
  readonly exit: number;
  /** The same of the run that its error advises, with the fault gone; undefined when there was none to make. */
  readonly next: string | undefined;
  /** True when only erasing the part (`sfi abort`) and installing once more got there. */
  readonly neededAbort: boolean;
  readonly licenses: number;
  /** Of the disturbed run. */
  readonly transfers: number;
  readonly modelledMs: number;
  /** What the rules have against it. Empty for a run that is as it must be. */
  readonly complaints: readonly string[];
}

/** What every run of a worker is measured by: the end of a run that nothing disturbs. */
export interface Reference {
  readonly original: OptionWords;
  readonly installed: OptionWords;
}

/** A bench whose time always begins at the same instant. */
function bench(faults: Case["faults"]): Promise<VirtualBench> {
  const clock = new VirtualClock(new Date("2025-01-01T00:00:00Z"));
  return openVirtualBench({ ...parseVirtualSelector("virtual:h753"), faults }, { clock });
}

/** @throws Error when even an undisturbed run does not end installed */
export async function measureReference(): Promise<Reference> {
  const clean = await bench([]);
  const original = clean.chip.options();
  const { result } = await runOnBench({ job: cleanJob, bench: clean });
  const installed = clean.chip.options();
  await clean.close();
  if (result.outcome !== "installed" || !lookAt(clean).holdsFirmware) {
    throw new Error(`the undisturbed run ended as ${result.outcome}`);
  }
  return { original, installed };
}

/** Runs one case: the disturbed install, what its error advises, and if that does not get there an abort. */
export async function runCase(each: Case, reference: Reference): Promise<Verdict> {
  const disturbed = await bench(each.faults);
  try {
    return await judge(each, disturbed, reference);
  } finally {
    await disturbed.close();
  }
}

async function judge(each: Case, disturbed: VirtualBench, reference: Reference): Promise<Verdict> {
  const complaints: string[] = [];
  const source = countedIssuer();
  const store = memoryStore();
  let state = "idle";
  const changes = watchChip(disturbed, () => state);
  const shared = {
    job: cleanJob,
    bench: { ...disturbed, opener: limitedOpener(disturbed) },
    source,
    store,
    onState: (entered: string) => {
      state = entered;
    },
  };
  const first = await runOnBench(shared);
  const { count: transfers } = disturbed.transfers();
  const modelledMs = Math.round(disturbed.modelledMs());
  complaints.push(...runComplaints(first, source.issued()));
  complaints.push(...endStateComplaints(first.result, lookAt(disturbed), reference));
  complaints.push(...writeComplaints(changes));

  disturbed.mend();
  let next: string | undefined;
  let neededAbort = false;
  if (first.result.outcome !== "installed") {
    const advised = await followAdvice(first, shared);
    next = advised.end;
    complaints.push(...advised.complaints.map((text) => `next run: ${text}`));
    if (advised.result?.outcome !== "installed") {
      neededAbort = true;
      complaints.push(...(await abortAndInstall(shared)).map((text) => `after abort: ${text}`));
    }
    const truth = lookAt(disturbed);
    if (!truth.holdsFirmware || !sameOptions(truth.options, reference.installed)) {
      complaints.push("the part does not hold the package after all was done");
    }
    complaints.push(...writeComplaints(changes).map((text) => `later: ${text}`));
  }
  if (source.issued() > 1) complaints.push(`${source.issued()} licenses for one chip`);
  for (const text of disturbed.violations()) complaints.push(`framing: ${text}`);
  return {
    kind: each.kind,
    transfer: each.transfer,
    state: each.state,
    end: endOf(first.result),
    exit: first.result.exit,
    next,
    neededAbort,
    licenses: source.issued(),
    transfers,
    modelledMs,
    complaints: [...new Set(complaints)],
  };
}

function endOf({ outcome, error }: InstallResult): string {
  return error === undefined ? outcome : `${outcome} ${error.code}`;
}

/** What holds for every run, whatever became of the part. */
function runComplaints(run: BenchRun, issued: number): string[] {
  const complaints = exitComplaints(run.result);
  if (run.result.licenseSpent !== issued > 0) {
    complaints.push(`it says licenseSpent ${run.result.licenseSpent}, ${issued} were issued`);
  }
  try {
    const journal = run.journal.read();
    const report = reportFrom(journal);
    verifyReport(JSON.parse(JSON.stringify(report)), journal, "report");
    if (report.outcome !== run.result.outcome || report.exit !== run.result.exit) {
      complaints.push("journal and result disagree");
    }
  } catch (thrown) {
    complaints.push(`the journal does not verify: ${asStationError(thrown).message}`);
  }
  return complaints;
}

type Shared = Parameters<typeof runOnBench>[0] & { readonly source: ReturnType<typeof countedIssuer> };

/** `sfi resume` where the error says so, otherwise the same install again. */
async function followAdvice(first: BenchRun, shared: Shared) {
  const resume = first.result.error?.retry === "resume" ? { resume: resumePoint(first.journal.read()) } : {};
  const again = await runOnBench({ ...shared, ...resume });
  return {
    result: again.result,
    end: endOf(again.result),
    complaints: runComplaints(again, shared.source.issued()).filter(
      // A fresh run that finds a stored license does not spend one.
      (text) => !text.startsWith("it says licenseSpent"),
    ),
  };
}

/** What is left when nothing else helps: erase the part as `sfi abort` does, and install once more. */
async function abortAndInstall(shared: Shared): Promise<string[]> {
  const { bench: repaired } = shared;
  repaired.chip.powerCycle();
  shared.onState?.("aborting");
  const probe = await openStlink(repaired.opener, repaired.clock);
  try {
    const debug = await connectDebug(probe, repaired.clock, {
      mode: "hot-plug",
      clockKilohertz: 24_000,
      ap: h7Manifest.identity.coreAp,
    });
    const identity = await identifyTarget(debug, [h7Manifest]);
    await regress(debug, repaired.clock, h7Manifest, identity.variant, factoryOptionBytes);
  } catch (thrown) {
    return [`it failed: ${asStationError(thrown).message}`];
  } finally {
    await probe.close();
  }
  const { result } = await runOnBench(shared);
  return result.outcome === "installed" ? [] : [`the install ended as ${endOf(result)}`];
}

export { variant };
