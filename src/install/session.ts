import type { DebugSession } from "../dap/session.ts";
import type { StationError } from "../errors/station-error.ts";
import type { SfiPart } from "../package/sfi-verify.ts";
import type { Clock, LicenseSource, LicenseStore, Probe } from "../ports/index.ts";
import type { TargetIdentity } from "../target/identify.ts";
import type { DeviceManifest } from "../target/manifest-types.ts";
import type { OptionBytes } from "../target/option-bytes.ts";
import type { Recorder } from "./events.ts";
import type { State } from "./machine.ts";
import type { InstallPlan, PlannedJob } from "./plan.ts";
import type { ResumePoint } from "./resume.ts";

/** What is to be done: everything the operator decided. */
export interface InstallJob extends PlannedJob {
  /** The RSS extension binary, for the families that install with one. */
  readonly rsse?: RsseInput | undefined;
  /** Device id the operator demands; undefined takes what is attached. */
  readonly deviceId: number | undefined;
  readonly connectMode: "normal" | "hot-plug" | "under-reset";
  readonly clockKilohertz: number;
  /** The part may end closed with nothing in it that could ever open it. */
  readonly allowPermanent?: boolean | undefined;
  /** Consent to act on assumed facts on a real part. */
  readonly allowAssumed: boolean;
  /** Digest of the plan the operator approved. */
  readonly approvedPlan: string | undefined;
  /** How far an earlier run of the same job got. */
  readonly resume: ResumePoint | undefined;
}

/** An RSS extension binary as given. */
export interface RsseInput {
  /** Its file name without folders: ST tells families apart by it. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Family of a genuine binary, where its name is one that is known. */
  readonly knownFamily?: string | undefined;
}

/** The outside world of a run. */
export interface InstallPorts {
  openProbe(): Promise<Probe>;
  readonly clock: Clock;
  readonly licenseSource: LicenseSource;
  readonly licenseStore: LicenseStore;
  readonly recorder: Recorder;
  readonly signal: AbortSignal;
  readonly manifests: readonly DeviceManifest[];
  /** Ask the person at the terminal for the word; resolves false where there is no terminal. */
  confirm(plan: InstallPlan): Promise<boolean>;
  /** Told of every state as it is entered (progress, fault scripts of the virtual bench). */
  onState(state: State): void;
  /** Put into the run_end event: names of journal and report, figures of the bench. */
  endFields(): Readonly<Record<string, unknown>>;
}

/** One statement of the verdict and what it rests on. */
export interface Proof {
  readonly claim: string;
  readonly result: "proved" | "differs" | "not-readable" | "not-compared";
  readonly by: string;
}

/** The chip as it was found, before anything was changed. */
export interface FoundChip {
  readonly debug: DebugSession;
  readonly identity: TargetIdentity;
  readonly parts: readonly SfiPart[];
  readonly plan: InstallPlan;
}

/** What a run has learned so far. Each effect reads what the ones before it left. */
export interface InstallSession {
  readonly job: InstallJob;
  readonly ports: InstallPorts;
  probe: Probe | undefined;
  found: FoundChip | undefined;
  /** Option bytes before this job touched them (from the first run when resuming). */
  originalOptionBytes: OptionBytes | undefined;
  certificate: Uint8Array | undefined;
  license: Uint8Array | undefined;
  /** Under which the license is stored. */
  licenseKey: string | undefined;
  /** Part being installed, from 1. */
  partNumber: number;
  optionBytesChanged: boolean;
  licenseSpent: boolean;
  /** RSS said in its completion words that all is installed. */
  rssAccepted: boolean;
  readonly proofs: Proof[];
  /** The first error of the run and the state it came from; what follows from it does not replace it. */
  readonly error: StationError | undefined;
  readonly errorState: State | undefined;
  noteError(error: StationError, state: State): void;
  /** Replace the error by a worse one (the part could not be put back). */
  escalate(error: StationError): void;
}

/** A session at its beginning. */
export function createSession(job: InstallJob, ports: InstallPorts): InstallSession {
  let error: StationError | undefined;
  let errorState: State | undefined;
  return {
    job,
    ports,
    probe: undefined,
    found: undefined,
    originalOptionBytes: undefined,
    certificate: undefined,
    license: undefined,
    licenseKey: job.resume?.licenseKey,
    partNumber: 1,
    optionBytesChanged: job.resume?.optionBytesChanged ?? false,
    licenseSpent: job.resume?.licenseSpent ?? false,
    rssAccepted: false,
    proofs: [],
    get error() {
      return error;
    },
    get errorState() {
      return errorState;
    },
    noteError(noted, state) {
      error ??= noted;
      errorState ??= state;
    },
    escalate(worse) {
      error = worse;
    },
  };
}

/** What an earlier effect must have left; its absence is a defect of the table, not of the bench. */
export function need<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new RangeError(`${what} is missing: an earlier state did not provide it`);
  return value;
}
