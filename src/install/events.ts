import { sha256Hex } from "../bytes/digest.ts";
import type { ErrorRecord } from "../errors/station-error.ts";
import type { Clock, JournalSink } from "../ports/index.ts";

/** Everything a run says, in the words of the command line's contract. */
export type RunEventName =
  | "run_begin"
  | "state"
  | "step_begin"
  | "progress"
  | "step_end"
  | "license"
  | "warning"
  | "error"
  | "run_end";

/** One event of a run. The journal holds the same objects with `prev` and `hash` added. */
export interface RunEvent {
  readonly schema: 1;
  readonly seq: number;
  readonly time: string;
  readonly run: string;
  readonly site: string;
  readonly event: RunEventName;
  readonly [key: string]: unknown;
}

/** Payload of `error` events. */
export type ErrorPayload = ErrorRecord;

/** The first link of every journal's chain. */
export const chainStart = sha256Hex("sfi journal, schema 1");

/** The hash that closes one journal line: over the previous hash and the event without its own hash. */
export function chainHash(prev: string, event: RunEvent): string {
  return sha256Hex(prev, JSON.stringify(event));
}

export interface Recorder {
  /** Journal the event durably, then tell the listener. Rejects with JOURNAL_UNWRITABLE when it cannot be stored. */
  record(event: Exclude<RunEventName, "progress">, payload: Readonly<Record<string, unknown>>): Promise<void>;
  /** Tell the listener only: progress is not history. */
  progress(payload: Readonly<Record<string, unknown>>): void;
  /** Hash of the last line stored. */
  readonly lastHash: string;
  /** False once the journal could not be written; later events reach the listener only. */
  readonly intact: boolean;
}

export interface RecorderOptions {
  readonly run: string;
  readonly site: string;
  readonly clock: Clock;
  readonly sink: JournalSink;
  readonly listener: (event: RunEvent) => void;
}

/**
 * Makes the one place through which a run speaks: every event is stored before anyone is told of it.
 * Each line is durable when `record` resolves, so an intent recorded before an irreversible step survives the step.
 */
export function createRecorder(options: RecorderOptions): Recorder {
  let seq = 0;
  let lastHash = chainStart;
  let intact = true;
  const make = (event: RunEventName, payload: Readonly<Record<string, unknown>>): RunEvent => ({
    schema: 1,
    seq: ++seq,
    time: options.clock.now().toISOString(),
    run: options.run,
    site: options.site,
    event,
    ...payload,
  });
  return {
    get lastHash() {
      return lastHash;
    },
    get intact() {
      return intact;
    },
    async record(name, payload) {
      const event = make(name, payload);
      if (intact) {
        const prev = lastHash;
        const hash = chainHash(prev, event);
        try {
          await options.sink.append(JSON.stringify({ ...event, prev, hash }), true);
          lastHash = hash;
        } catch (error) {
          intact = false;
          options.listener(event);
          throw error;
        }
      }
      options.listener(event);
    },
    progress(payload) {
      options.listener(make("progress", payload));
    },
  };
}
