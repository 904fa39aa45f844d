import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { createRecorder, type RunEvent } from "../install/events.ts";
import { readJournal } from "../install/journal.ts";
import type { InstallPlan } from "../install/plan.ts";
import { reportFrom } from "../install/report.ts";
import { type InstallResult, runInstall } from "../install/run.ts";
import { createSession, type InstallJob } from "../install/session.ts";
import type { LicenseSource } from "../ports/index.ts";
import type { DeviceManifest } from "../target/manifest-types.ts";
import type { Bench } from "./bench.ts";
import type { CommandContext } from "./context.ts";
import { ensureFolder, readInputText, writeOutput } from "./files.ts";
import { createJournalFile } from "./journal-file.ts";
import { licenseFolder } from "./license-folder.ts";
import { type RunView, runView } from "./run-view.ts";
import { version } from "./version.ts";

/** What `install` and `resume` both hand over. */
export interface InstallRequest {
  readonly job: InstallJob;
  readonly bench: Bench;
  readonly manifests: readonly DeviceManifest[];
  readonly licenseSource: LicenseSource;
  readonly licenseDir: string;
  readonly site: string;
  /** Everything a later `resume` needs to build the same job again; journalled in run_begin. No secrets. */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly confirm: (plan: InstallPlan) => Promise<boolean>;
}

/** Runs an install with journal, report and everything said to people and scripts. Returns the exit code. */
export async function runInstallCommand(request: InstallRequest, context: CommandContext): Promise<number> {
  const { job, bench, site } = request;
  await ensureFolder(context.options.logDir);
  const run = newRunId(bench);
  const journalFile = resolve(context.options.logDir, `${run}.journal.ndjson`);
  const reportFile = join(resolve(context.options.logDir), `${run}.report.json`);
  const sink = await createJournalFile(journalFile);
  const view = runView(context);
  let last: RunEvent | undefined;
  const recorder = createRecorder({
    run,
    site,
    clock: bench.clock,
    sink,
    listener: (event) => {
      last = event;
      // run_end is told when the report it names exists.
      if (event.event !== "run_end") view.event(event);
    },
  });
  try {
    await recorder.record("run_begin", {
      station: { version, node: process.version, platform: process.platform },
      probeSelector: bench.attachment.selector,
      inputs: request.inputs,
      ...(job.resume === undefined ? {} : { resumes: job.resume }),
    });
    const result = await runInstall(
      createSession(job, {
        openProbe: () => bench.openProbe(),
        clock: bench.clock,
        licenseSource: request.licenseSource,
        licenseStore: licenseFolder(request.licenseDir),
        recorder,
        signal: context.signal,
        manifests: request.manifests,
        confirm: request.confirm,
        onState: (state) => bench.enterState(state),
        endFields: { journal: journalFile, report: reportFile, ...bench.figures() },
      }),
    );
    await sink.close();
    if (recorder.intact) await writeReport(journalFile, reportFile);
    return finish(result, view, last);
  } finally {
    await sink.close();
  }
}

function finish(result: InstallResult, view: RunView, end: RunEvent | undefined): number {
  if (end !== undefined) view.event(end);
  view.verdict(result);
  return result.exit;
}

async function writeReport(journalFile: string, reportFile: string): Promise<void> {
  const journal = readJournal(await readInputText(journalFile), journalFile);
  await writeOutput(reportFile, `${JSON.stringify(reportFrom(journal), null, 2)}\n`);
}

/** Sorts by time and cannot collide between stations that start in the same millisecond. */
function newRunId(bench: Bench): string {
  const time = bench.clock
    .now()
    .toISOString()
    .replace(/[-:]/g, "")
    .replace(/\..*Z$/, "Z");
  return `${time}-${randomBytes(4).toString("hex")}`;
}
