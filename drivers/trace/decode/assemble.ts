import { concatBytes } from "../../../src/bytes/bytes.ts";
import type { TraceFailure } from "../failures.ts";
import type { TraceRecord } from "../format.ts";
import { type CommandShape, type ShapeContext, shapeOf } from "./shapes.ts";

/** Size of every command block. */
export const frameBytes = 16;

/** One command with its data phase, put together from as many transfers as they took. */
export interface CommandEntry {
  readonly kind: "command";
  /** Undefined for a command that is not known. */
  readonly shape: CommandShape | undefined;
  readonly frame: Uint8Array;
  /** OUT data; empty where the command has none. */
  readonly out: Uint8Array;
  /** IN data; undefined when none came. */
  readonly reply: Uint8Array | undefined;
  /** What ended the command early. */
  readonly failure: TraceFailure | undefined;
  /** Length the reply should have. */
  readonly expectedReplyBytes: number;
  /** Bytes in it that a trace does not show. */
  readonly hiddenBytes: number;
  /** The transfers, in order: first the block, then OUT data, then IN data. */
  readonly records: readonly TraceRecord[];
}

/** Everything else: opening, closing, and transfers that belong to no command. */
export interface OtherEntry {
  readonly kind: "other";
  readonly records: readonly [TraceRecord];
}

export type Entry = CommandEntry | OtherEntry;

/** A command under way. */
interface Open {
  readonly shape: CommandShape | undefined;
  readonly frame: Uint8Array;
  readonly records: TraceRecord[];
  readonly expectedReplyBytes: number;
  missingOut: number;
  missingIn: number;
  failure: TraceFailure | undefined;
}

/**
 * Puts transfers together to commands. The length of every data phase follows from its command, so a split phase is
 * joined and a block is not taken for data or the other way round. What does not fit is passed on by itself.
 */
export function* assemble(records: Iterable<TraceRecord>): Generator<Entry> {
  let open: Open | undefined;
  let context: ShapeContext = { miscCount: 0 };

  function* flush(): Generator<Entry> {
    if (open !== undefined) yield finished(open);
    open = undefined;
  }

  for (const record of records) {
    if (open !== undefined && continues(open, record)) {
      take(open, record);
    } else if (record.op === "send" && record.data?.length === frameBytes) {
      yield* flush();
      open = begin(record, record.data, context);
      if (open.shape?.access?.kind === "misc-out") {
        context = { miscCount: new DataView(open.frame.slice().buffer).getUint32(2, true) };
      }
    } else {
      yield* flush();
      yield { kind: "other", records: [record] };
    }
    if (open !== undefined && isComplete(open)) yield* flush();
  }
  yield* flush();
}

function begin(record: TraceRecord, frame: Uint8Array, context: ShapeContext): Open {
  const shape = shapeOf(frame);
  const expectedReplyBytes = shape?.replyBytes(frame, context) ?? 0;
  return {
    shape,
    frame,
    records: [record],
    expectedReplyBytes,
    missingOut: shape?.outBytes(frame) ?? 0,
    // Nobody knows what an unknown command answers: one reply is taken for its own.
    missingIn: shape === undefined ? 1 : expectedReplyBytes,
    failure: record.failure,
  };
}

function continues(open: Open, record: TraceRecord): boolean {
  if (record.op === "send") {
    const length = record.data?.length ?? 0;
    return open.missingOut > 0 && length <= open.missingOut;
  }
  return record.op === "receive" && open.missingOut === 0 && open.missingIn > 0;
}

function take(open: Open, record: TraceRecord): void {
  open.records.push(record);
  open.failure = record.failure;
  const length = record.data?.length ?? 0;
  if (record.op === "send") {
    open.missingOut -= length;
  } else {
    // A reply that is shorter than what was asked for is at its end.
    open.missingIn = length < (record.size ?? 0) ? 0 : Math.max(0, open.missingIn - length);
  }
}

function isComplete(open: Open): boolean {
  return open.failure !== undefined || (open.missingOut === 0 && open.missingIn === 0);
}

function finished({ shape, frame, records, expectedReplyBytes, failure }: Open): CommandEntry {
  const dataOf = (op: string) => records.slice(1).flatMap((r) => (r.op === op && r.data ? [r.data] : []));
  const replies = dataOf("receive");
  const hidden = records.flatMap((record) => record.hidden ?? []);
  return {
    kind: "command",
    shape,
    frame,
    out: concatBytes(...dataOf("send")),
    reply: replies.length === 0 ? undefined : concatBytes(...replies),
    failure,
    expectedReplyBytes,
    hiddenBytes: hidden.reduce((sum, range) => sum + range.length, 0),
    records,
  };
}
