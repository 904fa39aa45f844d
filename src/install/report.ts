import { sha256Hex } from "../bytes/digest.ts";
import { StationError } from "../errors/station-error.ts";
import type { RunEvent } from "./events.ts";
import type { Journal } from "./journal.ts";

/** What happened to one board, read from its journal and from nothing else. */
export interface RunReport {
  readonly schema: 1;
  readonly run: string;
  readonly site: string;
  readonly station: unknown;
  readonly startedAt: string;
  readonly endedAt: string;
  readonly outcome: string;
  readonly exit: number;
  readonly licenseSpent: boolean;
  readonly durationMs: number;
  readonly error: unknown;
  readonly package: unknown;
  readonly expectation: unknown;
  readonly probe: unknown;
  readonly target: unknown;
  readonly plan: unknown;
  readonly license: unknown;
  readonly resumes: unknown;
  /** Each state in order with the time spent in it. */
  readonly states: readonly { readonly state: string; readonly durationMs: number }[];
  readonly rssResults: readonly unknown[];
  readonly proofs: unknown;
  readonly optionWords: unknown;
  readonly warnings: readonly string[];
  /** The journal this was read from: its file and the hash of its last line. */
  readonly journal: { readonly file: string; readonly lines: number; readonly lastHash: string };
  /** SHA-256 over everything above. */
  readonly digest: string;
}

/**
 * Makes the report of a finished run.
 * @throws JOURNAL_DAMAGED when the journal has no end (the run was killed; resume it first)
 */
export function reportFrom(journal: Journal): RunReport {
  const { events } = journal;
  const begin = events[0];
  const end = events.findLast(({ event }) => event === "run_end");
  if (begin === undefined || end === undefined) {
    throw StationError.of("JOURNAL_DAMAGED", {
      file: journal.file,
      line: events.length,
      detail: "the run has no end; `sfi resume` it",
    });
  }
  const body = {
    schema: 1 as const,
    run: begin.run,
    site: begin.site,
    station: begin["station"],
    startedAt: begin.time,
    endedAt: end.time,
    outcome: String(end["outcome"]),
    exit: Number(end["exit"]),
    licenseSpent: end["licenseSpent"] === true,
    durationMs: Number(end["durationMs"]),
    error: withoutEnvelope(events.findLast(({ event }) => event === "error")),
    package: lastField(events, "package"),
    expectation: lastField(events, "expectation"),
    probe: lastField(events, "probe"),
    target: lastField(events, "target"),
    plan: lastField(events, "plan"),
    license: withoutEnvelope(events.findLast(({ event }) => event === "license")),
    resumes: begin["resumes"] ?? null,
    states: stateTimes(events),
    rssResults: events
      .filter((event) => event["state"] === "settling" && event["status"] !== undefined)
      .map(({ part, status, value, meaning }) => ({ part, status, value, meaning })),
    proofs: end["proofs"] ?? [],
    optionWords: lastField(events, "optionWords"),
    warnings: events.filter(({ event }) => event === "warning").map((event) => String(event["message"])),
    journal: { file: journal.file, lines: events.length, lastHash: journal.lastHash },
  };
  return { ...body, digest: sha256Hex(JSON.stringify(body)) };
}

/**
 * Checks a report against the journal it names: nobody edited either since.
 * @throws REPORT_MISMATCH naming the first field that differs
 */
export function verifyReport(report: unknown, journal: Journal, file: string): RunReport {
  const fresh = reportFrom(journal);
  const stated = (typeof report === "object" && report !== null ? report : {}) as Record<string, unknown>;
  for (const [field, value] of Object.entries(fresh)) {
    // The journal may have been moved; its content is what counts.
    if (field === "digest" || field === "journal") continue;
    if (JSON.stringify(stated[field]) !== JSON.stringify(value)) throw mismatch(file, field);
  }
  const statedJournal = stated["journal"] as RunReport["journal"] | undefined;
  if (statedJournal?.lastHash !== fresh.journal.lastHash) throw mismatch(file, "journal.lastHash");
  const { digest, ...body } = stated;
  if (digest !== sha256Hex(JSON.stringify(body))) throw mismatch(file, "digest");
  return fresh;
}

function mismatch(file: string, field: string): StationError {
  return StationError.of("REPORT_MISMATCH", { file, field });
}

function lastField(events: readonly RunEvent[], name: string): unknown {
  return events.findLast((event) => event[name] !== undefined)?.[name] ?? null;
}

function withoutEnvelope(event: RunEvent | undefined): unknown {
  if (event === undefined) return null;
  const {
    schema: _schema,
    seq: _seq,
    time: _time,
    run: _run,
    site: _site,
    event: _event,
    ...payload
  } = event;
  return payload;
}

function stateTimes(events: readonly RunEvent[]): { state: string; durationMs: number }[] {
  const entries = events.filter(({ event }) => event === "state");
  const lastTime = events.at(-1)?.time ?? "";
  return entries.map((entry, i) => ({
    state: String(entry["state"]),
    durationMs: Date.parse(entries[i + 1]?.time ?? lastTime) - Date.parse(entry.time),
  }));
}
