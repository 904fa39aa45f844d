import { openStlink } from "../../drivers/stlink/probe.ts";
import { openVirtualBench, parseVirtualSelector, type VirtualBench } from "../../drivers/virtual/bench.ts";
import { StationError } from "../../src/errors/station-error.ts";
import { createRecorder, type RunEvent } from "../../src/install/events.ts";
import { type Journal, readJournal } from "../../src/install/journal.ts";
import type { State } from "../../src/install/machine.ts";
import type { ResumePoint } from "../../src/install/resume.ts";
import { type InstallResult, runInstall } from "../../src/install/run.ts";
import { createSession, type InstallJob } from "../../src/install/session.ts";
import { developmentIssuer } from "../../src/license/development-issuer.ts";
import type { JournalSink, LicenseSource, LicenseStore } from "../../src/ports/index.ts";
import { h7Manifest, type SampleJob, sampleKey, sampleNonce } from "./sample-job.ts";

/** Thrown by sinks and stores of the tests to stand for the death of the process: nothing after it happens. */
export class ProcessDeath extends Error {
  override readonly name = "ProcessDeath";
}

/** A license source that counts what it issued. */
export interface CountedIssuer extends LicenseSource {
  readonly issued: () => number;
}

export function countedIssuer(): CountedIssuer {
  let issued = 0;
  const issuer = developmentIssuer({ key: sampleKey, nonce: sampleNonce });
  return {
    ...issuer,
    counted: true,
    issued: () => issued,
    async issue(request) {
      issued++;
      return issuer.issue(request);
    },
  };
}

export function memoryStore(): LicenseStore & { readonly licenses: Map<string, Uint8Array> } {
  const licenses = new Map<string, Uint8Array>();
  return {
    licenses,
    load: async (key) => licenses.get(key),
    save: async (key, license) => {
      licenses.set(key, Uint8Array.from(license));
    },
    checkWritable: async () => {},
  };
}

/** A journal in memory. `limit` appends succeed; the next one does what `then` says. */
export function memoryJournal(
  limit = Number.POSITIVE_INFINITY,
  then: "death-before" | "death-after" | "full" = "full",
) {
  const lines: string[] = [];
  const sink: JournalSink = {
    name: "memory.ndjson",
    async append(line) {
      if (lines.length >= limit) {
        if (then === "full") {
          throw StationError.of("JOURNAL_UNWRITABLE", {
            file: "memory.ndjson",
            detail: "ENOSPC: no space left on device",
          });
        }
        if (then === "death-after") lines.push(line);
        throw new ProcessDeath();
      }
      lines.push(line);
    },
    close: async () => {},
  };
  return {
    sink,
    lines,
    read: (): Journal => readJournal(lines.map((line) => `${line}\n`).join(""), "memory.ndjson"),
  };
}

export interface BenchRunOptions {
  readonly job: SampleJob;
  readonly bench: VirtualBench;
  readonly source?: LicenseSource;
  readonly store?: LicenseStore;
  readonly journal?: ReturnType<typeof memoryJournal>;
  readonly resume?: ResumePoint;
  readonly overrides?: Partial<InstallJob>;
  readonly signal?: AbortSignal;
  readonly onState?: (state: State) => void;
}

export interface BenchRun {
  readonly result: InstallResult;
  readonly events: readonly RunEvent[];
  readonly states: readonly string[];
  readonly journal: ReturnType<typeof memoryJournal>;
}

export function openBench(selector = "virtual:h753"): Promise<VirtualBench> {
  return openVirtualBench(parseVirtualSelector(selector));
}

/** One install on a virtual bench with everything else in memory. ProcessDeath comes out as an exception. */
export async function runOnBench(options: BenchRunOptions): Promise<BenchRun> {
  const { job, bench } = options;
  const journal = options.journal ?? memoryJournal();
  const events: RunEvent[] = [];
  const recorder = createRecorder({
    run: "test-run",
    site: "1",
    clock: bench.clock,
    sink: journal.sink,
    listener: (event) => events.push(event),
  });
  await recorder.record("run_begin", {
    ...(options.resume === undefined ? {} : { resumes: options.resume }),
  });
  const result = await runInstall(
    createSession(
      {
        package: job.package,
        expectation: job.expectation,
        deviceId: 0x450,
        connectMode: "hot-plug",
        clockKilohertz: 24_000,
        allowAssumed: false,
        approvedPlan: undefined,
        resume: options.resume,
        ...options.overrides,
      },
      {
        openProbe: () => openStlink(bench.opener, bench.clock),
        clock: bench.clock,
        licenseSource: options.source ?? developmentIssuer({ key: sampleKey, nonce: sampleNonce }),
        licenseStore: options.store ?? memoryStore(),
        recorder,
        signal: options.signal ?? new AbortController().signal,
        manifests: [h7Manifest],
        confirm: async () => false,
        onState: (state) => {
          bench.enterState(state);
          options.onState?.(state);
        },
        endFields: {},
      },
    ),
  );
  return {
    result,
    events,
    states: events.filter(({ event }) => event === "state").map((event) => String(event["state"])),
    journal,
  };
}
