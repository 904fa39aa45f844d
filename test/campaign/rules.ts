import type { OptionWords } from "../../drivers/virtual/models/flash-model.ts";
import type { StationError } from "../../src/errors/station-error.ts";
import type { InstallResult } from "../../src/install/run.ts";
import { optsrFields } from "./job.ts";
import type { ChipTruth, LastingChange } from "./watch.ts";

/** What every run is held to, in the order of the page. */
export const rules = {
  "undefined outcome": "no outcome of the table, not the exit code of its class, or INTERNAL",
  "false pass":
    "installed, while the chip's own memory is not the firmware or its option bytes not the package's",
  "double license":
    "more than one license issued for the chip, or a license spent that the run does not own up to",
  journal: "the journal or its report does not verify, or says something else than the run",
  "wrong word": "the part is not as the error says it is (untouched, restored, refused)",
  "unplanned write": "flash or option bytes written where the plan has no step that does",
  endless: "more transfers than any wait of an install amounts to",
  "no way on": "neither what the error advises nor `sfi abort` and a new install got there",
} as const;
export type Rule = keyof typeof rules;

/** What a rule has against a run. */
export interface Complaint {
  readonly rule: Rule;
  readonly detail: string;
}

/** Exit codes of each outcome (the command line's contract); a stop keeps its own in every state. */
const exitsOf: Readonly<Record<string, readonly number[]>> = {
  installed: [0],
  refused: [2, 3, 4, 5, 6, 124, 130, 143],
  failed: [7, 124, 130, 143],
  unknown: [8, 124, 130, 143],
};

/** What is wrong with how a run says it ended. */
export function exitComplaints({ outcome, exit, error }: InstallResult): Complaint[] {
  const complaints: Complaint[] = [];
  const complain = (detail: string): void => {
    complaints.push({ rule: "undefined outcome", detail });
  };
  if (!(exitsOf[outcome] ?? []).includes(exit)) complain(`${outcome} with exit code ${exit}`);
  if ((error === undefined) !== (outcome === "installed")) complain(`${outcome} and its error disagree`);
  if (error !== undefined && hidesDefect(error)) complain(chainOf(error));
  return complaints;
}

/** True when a defect of the program stands behind the error. */
function hidesDefect(error: StationError): boolean {
  const { code, causes = [] } = error.toRecord();
  return [code, ...causes].some((name) => name === "INTERNAL" || name === "unknown" || /Error$/.test(name));
}

function chainOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} <- ${chainOf(error.cause)}`;
}

/** Option words of the part before a run, and after one that nothing disturbs. */
export interface Reference {
  readonly original: OptionWords;
  readonly installed: OptionWords;
}

/** Holds what a run says about the part against what the part holds. */
export function truthComplaints(
  { outcome, error }: InstallResult,
  truth: ChipTruth,
  reference: Reference,
): Complaint[] {
  const complaints: Complaint[] = [];
  const complain = (rule: Rule, detail: string): void => {
    complaints.push({ rule, detail });
  };
  if (!truth.restBlank) complain("unplanned write", "flash outside the package");
  if (outcome === "installed") {
    if (!truth.holdsFirmware) complain("false pass", "the flash is not the firmware");
    if (!sameOptions(truth.options, reference.installed))
      complain("false pass", "the option bytes are wrong");
    return complaints;
  }
  const unchanged = truth.flashBlank && sameOptions(truth.options, reference.original);
  const claims = outcome === "refused" ? "refused" : (error?.disposition ?? "");
  if (["refused", "untouched", "restored"].includes(claims) && !unchanged) complain("wrong word", claims);
  const distance = Math.min(
    ...plannedOptions(reference).map((planned) => differingBits(planned, truth.options, optsrFields)),
  );
  if (distance > 1) complain("unplanned write", `option bytes ${JSON.stringify(truth.options)}`);
  return complaints;
}

export function sameOptions(a: OptionWords, b: OptionWords): boolean {
  return differingBits(a, b) === 0;
}

/** @param optsrMask the bits of FLASH_OPTSR that count */
function differingBits(a: OptionWords, b: OptionWords, optsrMask = 0xffffffff): number {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].reduce((sum, name) => {
    let bits = 0;
    const mask = name === "optsr" ? optsrMask : 0xffffffff;
    for (let word = ((a[name] ?? 0) ^ (b[name] ?? 0)) & mask; word !== 0; word &= word - 1) bits++;
    return sum + bits;
  }, 0);
}

/** Fields of FLASH_OPTSR (RM0433 4.9.8). */
const security = 1 << 21;
const ramSize = 3 << 19;
const sfiStarted = 1 << 26;
const rdp = { mask: 0xff00, level1: 0xbb00 } as const;

/**
 * The option words that the plan's steps, restoring and aborting go through. A bit more may differ: the wire can have
 * turned it over, and the run that says failed or unknown could not put it back. Bits of no field stay as the package
 * has set them.
 */
function plannedOptions({ original, installed }: Reference): OptionWords[] {
  const withBits = (words: OptionWords, bits: number): OptionWords => ({
    ...words,
    optsr: ((words["optsr"] ?? 0) | bits) >>> 0,
  });
  const armed = withBits(original, security | ramSize);
  const open = [original, armed, withBits(armed, sfiStarted), installed];
  return [
    ...open,
    ...open.map((words) => ({ ...words, optsr: (((words["optsr"] ?? 0) & ~rdp.mask) | rdp.level1) >>> 0 })),
  ];
}

/** States whose work writes option bytes. Flash is written by RSS and erased by a regression, which is an option write. */
const optionWriters: readonly string[] = ["certified", "staged", "restoring", "aborting"];

/** Lasting changes in states that the table gives none to. */
export function writeComplaints(changes: readonly LastingChange[]): Complaint[] {
  return changes
    .filter(({ what, state }) => what !== "option write" || !optionWriters.includes(state))
    .map(({ what, state }) => ({ rule: "unplanned write", detail: `${what} in state ${state}` }));
}
