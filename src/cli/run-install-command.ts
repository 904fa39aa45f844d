import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { isStationError, StationError } from "../errors/station-error.ts";
import { createRecorder, type Recorder, type RunEvent } from "../install/events.ts";
import { readJournal } from "../install/journal.ts";
import type { InstallPlan } from "../install/plan.ts";
import { reportFrom } from "../install/report.ts";
import { runInstall } from "../install/run.ts";
import { createSession, type InstallJob } from "../install/session.ts";
import type { JournalSink, LicenseSource } from "../ports/index.ts";
import type { DeviceManifest } from "../target/manifest-types.ts";
import type { Bench } from "./bench.ts";
import type { CommandContext } from "./context.ts";
import { ensureFolder, readInputText, writeOutput } from "./files.ts";
import { hidingLicenses } from "./hide-licenses.ts";
import { createJournalFile } from "./journal-file.ts";
import { type LicensingSettings, openLicensing } from "./licensing.ts";
import { openRunLog, type RunLog } from "./run-log.ts";
import { runView } from "./run-view.ts";
import { version } from "./version.ts";

/** What `install` and `resume` both hand over. */
export interface InstallRequest {
  readonly job: InstallJob;
  readonly bench: Bench;
  readonly manifests: readonly DeviceManifest[];
  readonly licenseSource: LicenseSource;
  readonly licensing: LicensingSettings;
  readonly site: string;
  /** Everything a later `resume` needs to build the same job again; journalled in run_begin. No secrets. */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly confirm: (plan: InstallPlan) => Promise<boolean>;
}

/** Runs an install with journal, report and everything said to people and scripts. Returns the exit code. */
export async function runInstallCommand(request: InstallRequest, context: CommandContext): Promise<number> {
  const { bench } = request;
  const folder = resolve(context.options.logDir);
  await ensureFolder(folder);
  const run = newRunId(bench);
  const files = {
    journal: join(folder, `${run}.journal.ndjson`),
    report: join(folder, `${run}.report.json`),
    log: join(folder, `${run}.log`),
  };
  const sink = await createJournalFile(files.journal);
  const log = await openRunLog(files.log, context.options.verbose, context.say);
  try {
    return await runJournalled(request, context, { run, files, sink, log });
  } catch (error) {
    log.error(error);
    throw error;
  } finally {
    log.close();
    await sink.close();
  }
}

interface RunRecords {
  readonly run: string;
  readonly files: { readonly journal: string; readonly report: string; readonly log: string };
  readonly sink: JournalSink;
  readonly log: RunLog;
}

async function runJournalled(
  request: InstallRequest,
  context: CommandContext,
  { run, files, sink, log }: RunRecords,
): Promise<number> {
  const { job, bench, site } = request;
  const view = runView(context);
  let end: RunEvent | undefined;
  const recorder = createRecorder({
    run,
    site,
    clock: bench.clock,
    sink,
    listener: (event) => {
      log.event(event);
      // run_end is told when the report it names exists.
      if (event.event === "run_end") end = event;
      else view.event(event);
    },
  });
  await recordBegin(recorder, request);
  const licensing = openLicensing(request.licensing, (message) => context.say(`warning: ${message}`));
  const source = licensing.source(request.licenseSource);
  const result = await runInstall(
    createSession(job, {
      openProbe: () => bench.openProbe(),
      clock: bench.clock,
      ...hidingLicenses(source, licensing.store, bench),
      recorder,
      signal: context.signal,
      manifests: request.manifests,
      confirm: request.confirm,
      onState: (state) => bench.enterState(state),
      endFields: () => ({ ...files, ...bench.figures() }),
    }),
  ).finally(() => licensing.close());
  if (result.error !== undefined) log.error(result.error);
  if (recorder.intact) await writeReport(files, context);
  if (end !== undefined) view.event(end);
  view.verdict(result);
  return result.exit;
}

/** The first line. When even that cannot be written nothing has been touched yet. */
async function recordBegin(recorder: Recorder, { bench, inputs, job }: InstallRequest): Promise<void> {
  try {
    await recorder.record("run_begin", {
      station: { version, node: process.version, platform: process.platform },
      probeSelector: bench.attachment.selector,
      inputs,
      ...(job.resume === undefined ? {} : { resumes: job.resume }),
    });
  } catch (thrown) {
    if (!isStationError(thrown, "JOURNAL_UNWRITABLE")) throw thrown;
    const { file, detail } = thrown.parameters;
    throw StationError.of(
      "OUTPUT_UNWRITABLE",
      { file: String(file), detail: String(detail) },
      { cause: thrown },
    );
  }
}

/** The report is made from the journal and can be made again, so failing to write it changes no verdict. */
async function writeReport(files: RunRecords["files"], context: CommandContext): Promise<void> {
  try {
    const journal = readJournal(await readInputText(files.journal), files.journal);
    await writeOutput(files.report, `${JSON.stringify(reportFrom(journal), null, 2)}\n`);
  } catch (thrown) {
    if (!isStationError(thrown, "OUTPUT_UNWRITABLE")) throw thrown;
    context.say(`warning: ${thrown.message}; \`sfi report show ${files.journal}\` makes the report again`);
  }
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
