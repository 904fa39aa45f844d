import { hexNumber, toHex } from "../../../src/bytes/hex.ts";
import { statusEntry } from "../../stlink/status.ts";
import type { TraceRecord } from "../format.ts";
import { assemble, type CommandEntry } from "./assemble.ts";
import { showFields } from "./fields.ts";
import { type MiscOperation, meaningOf, miscOperations } from "./meaning.ts";
import { explainReply } from "./replies.ts";

/** One command, or one transfer that belongs to none, for reading. All values are text as every output prints it. */
export interface ListingEntry {
  /** Number of the first transfer. */
  readonly n: number;
  /** How many transfers it took. */
  readonly transfers: number;
  /** End of the first transfer, in milliseconds since the beginning. */
  readonly t: number;
  readonly phase: string;
  readonly command: string;
  readonly arguments: Readonly<Record<string, string>>;
  /** Name of the status, where the reply has one. */
  readonly status?: string;
  readonly reply: Readonly<Record<string, string>>;
  /** Code of the error that ended it. */
  readonly error?: string;
  /** What it did on the target's side. */
  readonly meaning: readonly string[];
  readonly hiddenBytes?: number;
}

const shownBytes = 16;

/** The commands of a trace, explained. */
export function* listing(records: Iterable<TraceRecord>): Generator<ListingEntry> {
  let pending: readonly MiscOperation[] = [];
  for (const entry of assemble(records)) {
    if (entry.kind === "other") {
      yield otherEntry(entry.records[0]);
      continue;
    }
    yield commandEntry(entry, pending);
    if (entry.shape?.access?.kind === "misc-out") pending = miscOperations(entry);
  }
}

function commandEntry(entry: CommandEntry, pending: readonly MiscOperation[]): ListingEntry {
  const { shape, frame, failure, hiddenBytes } = entry;
  const reply = entry.reply ?? new Uint8Array(0);
  const common = {
    ...placeOf(entry.records),
    ...(failure === undefined ? {} : { error: failure.code }),
    ...(hiddenBytes === 0 ? {} : { hiddenBytes }),
  };
  if (shape === undefined) {
    const command = `UNKNOWN_${hexNumber(frame[0] ?? 0, 2).slice(2)}_${hexNumber(frame[1] ?? 0, 2).slice(2)}`;
    return { ...common, command, arguments: { bytes: toHex(frame) }, reply: bytesReply(reply), meaning: [] };
  }
  const code = reply[0];
  const short = reply.length > 0 && reply.length < entry.expectedReplyBytes;
  return {
    ...common,
    command: shape.name,
    arguments: showFields(frame, shape.fields),
    ...(shape.status && code !== undefined ? { status: statusText(code) } : {}),
    reply: {
      ...showFields(reply, shape.reply),
      ...explainReply(shape.name, frame, reply),
      ...(short ? { short: `${reply.length} of ${entry.expectedReplyBytes} bytes` } : {}),
    },
    meaning: meaningOf(entry, pending),
  };
}

function otherEntry(record: TraceRecord): ListingEntry {
  const { op, size, data, failure, hidden = [] } = record;
  const hiddenBytes = hidden.reduce((sum, { length }) => sum + length, 0);
  const names = { open: "open", reset: "reset", close: "close", send: "stray OUT", receive: "stray IN" };
  return {
    ...placeOf([record]),
    command: names[op],
    arguments: size === undefined ? {} : { size: String(size) },
    ...(failure === undefined ? {} : { error: failure.code }),
    ...(hiddenBytes === 0 ? {} : { hiddenBytes }),
    reply: data === undefined ? {} : bytesReply(data),
    meaning: [],
  };
}

function placeOf(records: readonly TraceRecord[]) {
  const [first] = records;
  return {
    n: first?.n ?? 0,
    transfers: records.length,
    t: first?.t ?? 0,
    phase: first?.phase ?? "",
  };
}

function bytesReply(bytes: Uint8Array): Readonly<Record<string, string>> {
  if (bytes.length === 0) return {};
  const more = bytes.length > shownBytes ? "…" : "";
  return { length: String(bytes.length), bytes: `${toHex(bytes.subarray(0, shownBytes))}${more}` };
}

function statusText(code: number): string {
  const { name, action } = statusEntry(code);
  return action === "ok" ? name : `${name} (${hexNumber(code, 2)})`;
}
