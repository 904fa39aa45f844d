import { StationError } from "../errors/station-error.ts";
import { chainHash, chainStart, type RunEvent } from "./events.ts";

/** A journal as read back: every line checked against the chain. */
export interface Journal {
  readonly file: string;
  readonly events: readonly RunEvent[];
  readonly lastHash: string;
  /** True when the last line was cut off in the middle of being written (a crash); everything before it is whole. */
  readonly tornTail: boolean;
}

/**
 * Reads and verifies a journal: schema, order, and the hash chain over every line.
 * A last line without its line end is what a crash leaves and is reported, not refused; anything else that does not
 * fit is damage.
 * @param text the whole file
 * @param file its name, for messages
 * @throws JOURNAL_DAMAGED with the line
 */
export function readJournal(text: string, file: string): Journal {
  const lines = text.split("\n");
  const tail = lines.pop() ?? "";
  const events: RunEvent[] = [];
  let lastHash = chainStart;
  for (const [index, line] of lines.entries()) {
    const event = readLine(line, lastHash, events.at(-1), { file, line: index + 1 });
    lastHash = event.hash;
    events.push(event.event);
  }
  if (events.length === 0) throw damaged({ file, line: 1 }, "no complete line");
  if (events[0]?.event !== "run_begin") throw damaged({ file, line: 1 }, "the first line is not run_begin");
  return { file, events, lastHash, tornTail: tail !== "" };
}

interface Place {
  readonly file: string;
  readonly line: number;
}

function readLine(line: string, prev: string, before: RunEvent | undefined, place: Place) {
  const parsed = parseObject(line, place);
  const { prev: statedPrev, hash, ...event } = parsed;
  if (event["schema"] !== 1) throw damaged(place, `schema ${String(event["schema"])} is not 1`);
  if (statedPrev !== prev) throw damaged(place, "it does not follow the line before it");
  if (typeof hash !== "string" || hash !== chainHash(prev, event as unknown as RunEvent)) {
    throw damaged(place, "its hash does not match its content");
  }
  const typed = event as unknown as RunEvent;
  if (before !== undefined && (typed.seq <= before.seq || typed.run !== before.run)) {
    throw damaged(place, "sequence number or run differs");
  }
  return { event: typed, hash };
}

function parseObject(line: string, place: Place): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch (error) {
    throw damaged(place, "it is not JSON", error);
  }
  throw damaged(place, "it is not an object");
}

function damaged(place: Place, detail: string, cause?: unknown): StationError {
  return StationError.of("JOURNAL_DAMAGED", { file: place.file, line: place.line, detail }, { cause });
}
