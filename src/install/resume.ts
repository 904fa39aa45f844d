import { StationError } from "../errors/station-error.ts";
import type { RunEvent } from "./events.ts";
import type { Journal } from "./journal.ts";

/** How far the run of a journal got, as far as going on needs it. Plain data: it is copied into the new run_begin. */
export interface ResumePoint {
  /** File name and last hash of the journal this was read from. */
  readonly journal: string;
  readonly journalHash: string;
  /** Unique id of the chip; undefined when the run did not get to read it. */
  readonly uid: string | undefined;
  /** Option-byte registers before the job touched them. */
  readonly originalOptionWords: Readonly<Record<string, number>> | undefined;
  readonly optionBytesChanged: boolean;
  /** Name of the stored license, once one is. */
  readonly licenseKey: string | undefined;
  readonly licenseSpent: boolean;
  /** Part whose start had been announced last: RSS may have run it. */
  readonly triggeredPart: number | undefined;
  /** Last part that RSS reported as done with more to come; its completion words may have been cleared since. */
  readonly finishedPart: number | undefined;
}

/** Fields of events that a resume reads. Written in effects-*.ts under the same names. */
interface Traces {
  readonly chip?: { readonly uid: string; readonly optionWords: Readonly<Record<string, number>> };
  readonly intent?: "option-bytes" | "trigger" | "restore";
  readonly part?: number;
  readonly rssOutcome?: string;
  readonly licenseKey?: string;
  readonly spent?: boolean;
  readonly restored?: boolean;
  readonly resumes?: ResumePoint;
}

/**
 * Reads from a journal where its run stopped.
 * @throws NOTHING_TO_RESUME when the run reached an end that cannot be continued
 */
export function resumePoint(journal: Journal): ResumePoint {
  refuseIfEnded(journal);
  let point: ResumePoint = {
    uid: undefined,
    originalOptionWords: undefined,
    optionBytesChanged: false,
    licenseKey: undefined,
    licenseSpent: false,
    triggeredPart: undefined,
    finishedPart: undefined,
    journal: journal.file,
    journalHash: journal.lastHash,
  };
  for (const event of journal.events) point = follow(point, event, event as Traces);
  return { ...point, journal: journal.file, journalHash: journal.lastHash };
}

function follow(point: ResumePoint, event: RunEvent, traces: Traces): ResumePoint {
  if (event.event === "run_begin") return { ...point, ...(traces.resumes ?? {}) };
  if (event.event === "license") {
    return {
      ...point,
      licenseKey: traces.licenseKey ?? point.licenseKey,
      licenseSpent: point.licenseSpent || traces.spent === true,
    };
  }
  if (traces.chip !== undefined) {
    return {
      ...point,
      uid: traces.chip.uid,
      originalOptionWords: point.originalOptionWords ?? traces.chip.optionWords,
    };
  }
  if (traces.intent === "option-bytes") return { ...point, optionBytesChanged: true };
  if (traces.intent === "trigger") return { ...point, triggeredPart: traces.part };
  if (traces.rssOutcome === "more") return { ...point, finishedPart: traces.part };
  // An abort that went through leaves an open, erased part: nothing of the install is under way any more.
  if (traces.restored === true)
    return { ...point, optionBytesChanged: false, triggeredPart: undefined, finishedPart: undefined };
  return point;
}

function refuseIfEnded(journal: Journal): void {
  const end = journal.events.findLast(({ event }) => event === "run_end");
  if (end === undefined) return;
  const outcome = String(end["outcome"]);
  const error = journal.events.findLast(({ event }) => event === "error");
  if ((outcome === "failed" || outcome === "unknown") && error?.["retry"] === "resume") return;
  if (outcome === "refused" && error?.["retry"] === "resume") return;
  throw StationError.of("NOTHING_TO_RESUME", { file: journal.file, outcome });
}
