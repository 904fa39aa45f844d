import { openStlink } from "../../drivers/stlink/probe.ts";
import { connectDebug } from "../../src/dap/connect.ts";
import { asStationError } from "../../src/errors/station-error.ts";
import { reportFrom, verifyReport } from "../../src/install/report.ts";
import { resumePoint } from "../../src/install/resume.ts";
import { identifyTarget } from "../../src/target/identify.ts";
import { regress } from "../../src/target/regress.ts";
import { type BenchRun, type BenchRunOptions, type CountedIssuer, runOnBench } from "../support/bench-run.ts";
import { h7Manifest } from "../support/sample-job.ts";
import { factoryOptionBytes } from "./job.ts";
import { type Complaint, exitComplaints } from "./rules.ts";

/** What all runs on one bench have in common. */
export type BenchJob = BenchRunOptions & { readonly source: CountedIssuer };

/** What holds for every run, whatever became of the part: its end has a name, and its journal and report verify. */
export function runComplaints({ result, journal }: BenchRun): Complaint[] {
  const complaints = exitComplaints(result);
  try {
    const read = journal.read();
    const report = reportFrom(read);
    verifyReport(JSON.parse(JSON.stringify(report)), read, "report");
    if (report.outcome !== result.outcome || report.exit !== result.exit) {
      complaints.push({ rule: "journal", detail: "journal and result disagree" });
    }
  } catch (thrown) {
    complaints.push({ rule: "journal", detail: asStationError(thrown).message });
  }
  return complaints;
}

/** The run that a failed one advises: `sfi resume` where its error says so, otherwise the same install again. */
export function followAdvice(failed: BenchRun, job: BenchJob): Promise<BenchRun> {
  const advised = failed.result.error?.retry === "resume" ? resumePoint(failed.journal.read()) : undefined;
  return runOnBench({ ...job, ...(advised === undefined ? {} : { resume: advised }) });
}

/**
 * What is left when nothing else helps: power off and on, erase the part as `sfi abort` does, and install once more.
 * @returns what went wrong with it, undefined when the part is installed
 */
export async function abortAndInstall(job: BenchJob): Promise<string | undefined> {
  const { opener, clock, chip } = job.bench;
  chip.powerCycle();
  job.onState?.("aborting");
  const probe = await openStlink(opener, clock);
  try {
    const { coreAp } = h7Manifest.identity;
    const debug = await connectDebug(probe, clock, { mode: "hot-plug", clockKilohertz: 24_000, ap: coreAp });
    const { variant } = await identifyTarget(debug, [h7Manifest]);
    await regress(debug, clock, h7Manifest, variant, factoryOptionBytes);
  } catch (thrown) {
    return `abort: ${asStationError(thrown).message}`;
  } finally {
    await probe.close();
  }
  const { result } = await runOnBench(job);
  return result.outcome === "installed" ? undefined : `install: ${result.error?.message}`;
}
