/**
 * Process exit codes by class. The table is part of the command line's contract and never changes meaning.
 */
export const exitCodes = {
  done: 0,
  internal: 1,
  usage: 2,
  station: 3,
  input: 4,
  refused: 5,
  license: 6,
  failed: 7,
  unproven: 8,
  mixed: 9,
  deadline: 124,
  interrupted: 130,
  terminated: 143,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/**
 * What state the part was left in.
 * - untouched: nothing was written to it
 * - restored: it was changed and put back as it was found
 * - resumable: it was changed; the same job can go on
 * - spent: it was changed and holds less than it had (erased, partly written); it can be used again after preparing
 * - quarantine: its state is not known; set it aside
 */
export type Disposition = "untouched" | "restored" | "resumable" | "spent" | "quarantine";

/**
 * What a script may do next with the same part.
 * - no: the same attempt fails again
 * - after-remedy: once the remedy was applied
 * - same-license: yes, and the stored license is reused
 * - resume: `sfi resume` with the journal
 */
export type Retry = "no" | "after-remedy" | "same-license" | "resume";

/** One catalogue entry. Text in braces (`{serial}`) is a parameter. Names are permanent: deprecate, never delete. */
export interface CatalogueEntry {
  readonly exit: ExitCode;
  /** What happened, one sentence, with every parameter. */
  readonly message: string;
  /** Why it happens, for the error page. */
  readonly cause: string;
  /** What to do, addressed to the person at the bench. */
  readonly remedy: string;
  /** State of the part when nothing else is known; an install overrides it with what it did. */
  readonly disposition: Disposition;
  readonly retry: Retry;
}
