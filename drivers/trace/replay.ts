import { sha256Hex } from "../../src/bytes/digest.ts";
import { StationError } from "../../src/errors/station-error.ts";
import type { BulkOpener, BulkPort } from "../../src/ports/index.ts";
import { describeData, describeRecord } from "./describe.ts";
import { fromFailure } from "./failures.ts";
import type { HiddenRange, TraceOperation, TraceRecord } from "./format.ts";
import type { Trace } from "./read.ts";
import { createSecrets } from "./secrets.ts";

/** A trace as a probe. */
export interface ReplayOpener extends BulkOpener {
  /** Tell a secret that the trace hides, so that a receive can give it back and messages do not show it. */
  hide(secret: Uint8Array): void;
  /** Ends the replay. @throws REPLAY_MISMATCH when it had differed, or was begun and not played to its end */
  finish(): void;
}

export interface ReplayOptions {
  /** Selector of the replay, for messages; the recorded one when absent. */
  readonly selector?: string;
  /** Told of the recorded time after each operation, in milliseconds since the beginning of the recording. */
  readonly onTime?: (elapsedMs: number) => void;
}

/**
 * Plays a trace back, strictly: operations come in the recorded order, sends carry the recorded bytes (hidden ones are
 * compared by their digest), receives ask for the recorded size. Recorded failures are thrown again.
 * After the first difference every operation fails with it: what would follow answers other questions.
 * @throws (from every operation) REPLAY_MISMATCH with the number of the line and both sides
 */
export function replayOpener(trace: Trace, options: ReplayOptions = {}): ReplayOpener {
  const { records } = trace;
  const secrets = createSecrets();
  let at = 0;
  let mismatch: StationError | undefined;

  function differ(expected: string, actual: string): never {
    mismatch = StationError.of("REPLAY_MISMATCH", { index: at + 1, expected, actual });
    throw mismatch;
  }

  /** The recorded operation, checked to be the one that is asked for. Recorded failures come out as exceptions. */
  function next(op: TraceOperation, actual: string, check: (record: TraceRecord) => boolean): TraceRecord {
    if (mismatch !== undefined) throw mismatch;
    const record = records[at];
    if (record === undefined) return differ("the end of the trace", actual);
    if (record.op !== op || !check(record)) return differ(describeRecord(record), actual);
    at += 1;
    options.onTime?.(record.t);
    if (record.failure !== undefined) throw fromFailure(record.failure);
    return record;
  }

  function send(data: Uint8Array): void {
    if (mismatch !== undefined) throw mismatch;
    const record = records[at];
    const hidden = record?.op === "send" ? (record.hidden ?? []) : [];
    const from = firstOddByte(record?.data ?? new Uint8Array(0), data, hidden);
    if (record !== undefined && record.op === "send" && from !== -1) {
      const places = hidden.map(({ offset, length }) => ({ offset, length }));
      const masked = places.length > 0 ? places : secrets.find(data);
      differ(describeRecord(record, from), describeData("send", data, masked, from));
    }
    next("send", describeData("send", data, secrets.find(data)), () => true);
    for (const { offset, length, sha256 } of hidden) {
      if (sha256 !== undefined) secrets.hide(data.subarray(offset, offset + length));
    }
  }

  function receive(sizeBytes: number): Uint8Array {
    const record = next("receive", `receive ${sizeBytes} bytes`, ({ size }) => size === sizeBytes);
    const data = Uint8Array.from(record.data ?? []);
    for (const { offset, length, sha256 } of record.hidden ?? []) {
      if (sha256 === undefined) continue;
      const bytes = secrets.recall(sha256, length);
      if (bytes === undefined) {
        at -= 1;
        differ(describeRecord(record, offset), "a run that never had these bytes");
      }
      data.set(bytes, offset);
    }
    return data;
  }

  const port: BulkPort = {
    send: async (data) => send(data),
    receive: async (sizeBytes) => receive(sizeBytes),
    close: async () => {
      next("close", "close", () => true);
    },
  };
  return {
    attachment: {
      ...trace.header.attachment,
      kind: "replay",
      selector: options.selector ?? trace.header.attachment.selector,
    },
    open: async ({ reset = false } = {}) => {
      const op = reset ? "reset" : "open";
      next(op, op, () => true);
      return port;
    },
    hide: (secret) => secrets.hide(secret),
    finish: () => {
      if (mismatch !== undefined) throw mismatch;
      const left = records[at];
      if (at > 0 && left !== undefined) differ(describeRecord(left), "the end of the run");
    },
  };
}

/** Offset of the first byte that is not as recorded, hidden ones judged by their digest; -1 when all are. */
function firstOddByte(recorded: Uint8Array, actual: Uint8Array, hidden: readonly HiddenRange[]): number {
  const odd = hidden.find(
    ({ offset, length, sha256 }) =>
      sha256 !== undefined && sha256Hex(actual.subarray(offset, offset + length)) !== sha256,
  );
  const covered = new Uint8Array(recorded.length);
  for (const { offset, length } of hidden) covered.fill(1, offset, offset + length);
  const longest = Math.max(recorded.length, actual.length);
  for (let i = 0; i < longest; i++) {
    if (i === odd?.offset) return i;
    if (covered[i] !== 1 && recorded[i] !== actual[i]) return i;
  }
  return -1;
}
