import { openStlink } from "../../drivers/stlink/probe.ts";
import { openVirtualBench, parseVirtualSelector, type VirtualBench } from "../../drivers/virtual/bench.ts";
import type { Fault } from "../../drivers/virtual/faults/script.ts";
import { StationError } from "../../src/errors/station-error.ts";
import { createRecorder, type RunEvent } from "../../src/install/events.ts";
import { type Journal, readJournal } from "../../src/install/journal.ts";
import type { State } from "../../src/install/machine.ts";
import type { ResumePoint } from "../../src/install/resume.ts";
import { type InstallResult, runInstall } from "../../src/install/run.ts";
import { createSession, type InstallJob } from "../../src/install/session.ts";
import { developmentIssuer } from "../../src/license/development-issuer.ts";
import type {
  BulkOpener,
  BulkPort,
  JournalSink,
  LicenseSource,
  LicenseStore,
} from "../../src/ports/index.ts";
import type { DeviceManifest } from "../../src/target/manifest-types.ts";
import { h7Manifest, type SampleJob, sampleKey, sampleNonce } from "./sample-job.ts";

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

/**
 * A journal in memory. `limit` appends succeed. What the next one does stands for the disk being full, or for the
 * death of the process before or after the line was written: then nothing that waits for it ever goes on.
 */
export function memoryJournal(
  limit = Number.POSITIVE_INFINITY,
  then: "death-before" | "death-after" | "full" = "full",
) {
  const lines: string[] = [];
  let die: () => void;
  const died = new Promise<"died">((resolve) => {
    die = () => resolve("died");
  });
  const sink: JournalSink = {
    name: "memory.ndjson",
    append(line) {
      if (lines.length < limit) {
        lines.push(line);
        return Promise.resolve();
      }
      if (then === "full") {
        return Promise.reject(
          StationError.of("JOURNAL_UNWRITABLE", {
            file: "memory.ndjson",
            detail: "ENOSPC: no space left on device",
          }),
        );
      }
      if (then === "death-after") lines.push(line);
      die();
      return new Promise(() => {});
    },
    close: async () => {},
  };
  return {
    sink,
    lines,
    died,
    read: (): Journal => readJournal(lines.map((line) => `${line}\n`).join(""), "memory.ndjson"),
  };
}

export type MemoryJournal = ReturnType<typeof memoryJournal>;

export interface BenchRunOptions {
  readonly job: SampleJob;
  readonly bench: VirtualBench;
  readonly source?: LicenseSource;
  readonly store?: LicenseStore;
  readonly journal?: MemoryJournal;
  readonly resume?: ResumePoint;
  readonly overrides?: Partial<InstallJob>;
  /** The devices that are known; the H75x alone unless told. */
  readonly manifests?: readonly DeviceManifest[];
  readonly signal?: AbortSignal;
  readonly onState?: (state: State) => void;
}

export interface BenchRun {
  readonly result: InstallResult;
  readonly events: readonly RunEvent[];
  readonly states: readonly string[];
  readonly journal: MemoryJournal;
}

export function openBench(
  selector = "virtual:h753",
  faults: readonly Fault[] = [],
  strict = true,
): Promise<VirtualBench> {
  return openVirtualBench({ ...parseVirtualSelector(selector), faults, strict });
}

/**
 * Like runOnBench for a process that dies: when its journal says so, or at a USB transfer (counted from 1).
 * Says whether it did; the probe is let go then.
 */
export async function runUntilDeath(
  options: BenchRunOptions & { readonly journal: MemoryJournal; readonly atTransfer?: number },
): Promise<"died" | "ended"> {
  const ports: BulkPort[] = [];
  let transfers = 0;
  let die: () => void;
  const diedOnTheWire = new Promise<"died">((resolve) => {
    die = () => resolve("died");
  });
  const live = async <T>(transfer: () => Promise<T>): Promise<T> => {
    if (++transfers !== options.atTransfer) return transfer();
    die();
    return new Promise(() => {});
  };
  const opener: BulkOpener = {
    attachment: options.bench.opener.attachment,
    async open(how) {
      const port = await options.bench.opener.open(how);
      ports.push(port);
      return {
        send: (data, timeoutMs) => live(() => port.send(data, timeoutMs)),
        receive: (sizeBytes, timeoutMs) => live(() => port.receive(sizeBytes, timeoutMs)),
        close: () => port.close(),
      };
    },
  };
  const end = await Promise.race([
    runOnBench({ ...options, bench: { ...options.bench, opener } }).then(() => "ended" as const),
    options.journal.died,
    diedOnTheWire,
  ]);
  // What the operating system does with a dead process's device: closes it, without a word to the probe.
  if (end === "died") await Promise.all(ports.map((port) => port.close()));
  return end;
}

/** One install on a virtual bench with everything else in memory. */
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
        manifests: options.manifests ?? [h7Manifest],
        confirm: async () => false,
        onState: (state) => {
          bench.enterState(state);
          options.onState?.(state);
        },
        endFields: () => ({}),
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
