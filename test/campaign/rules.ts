import type { OptionWords } from "../../drivers/virtual/chips.ts";
import type { StationError } from "../../src/errors/station-error.ts";
import type { InstallResult } from "../../src/install/run.ts";
import { type ChipTruth, differingBits, type LastingChange, sameOptions } from "./watch.ts";

/** Exit codes of each outcome (the command line's contract); a stop keeps its own in every state. */
const exitsOf: Readonly<Record<string, readonly number[]>> = {
  installed: [0],
  refused: [2, 3, 4, 5, 6],
  failed: [7],
  unknown: [8],
};
const stops = [124, 130, 143];

/** What is wrong with how a run says it ended. */
export function exitComplaints({ outcome, exit, error }: InstallResult): string[] {
  const complaints: string[] = [];
  const expected = exitsOf[outcome] ?? [];
  if (!expected.includes(exit) && !(outcome !== "installed" && stops.includes(exit))) {
    complaints.push(`outcome ${outcome} with exit code ${exit}`);
  }
  if ((error === undefined) !== (outcome === "installed")) complaints.push(`outcome ${outcome} and its error disagree`);
  if (error !== undefined && namesDefect(error)) complaints.push(`INTERNAL: ${chainOf(error)}`);
  return complaints;
}

/** True when a defect of the program hides in the error or its causes. */
function namesDefect(error: StationError): boolean {
  const { code, causes = [] } = error.toRecord();
  return [code, ...causes].some((name) =>
    ["INTERNAL", "RangeError", "TypeError", "ReferenceError", "Error", "unknown"].includes(name),
  );
}

function chainOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message} <- ${chainOf(error.cause)}`;
}

interface Words {
  readonly original: OptionWords;
  readonly installed: OptionWords;
}

/** Holds what a run says about the part against what the part holds. */
export function endStateComplaints({ outcome, error }: InstallResult, truth: ChipTruth, words: Words): string[] {
  const complaints: string[] = [];
  if (!truth.restBlank) complaints.push("flash outside the package was written");
  if (outcome === "installed") {
    if (!truth.holdsFirmware) complaints.push("FALSE PASS: the flash is not the firmware");
    if (!sameOptions(truth.options, words.installed)) complaints.push("FALSE PASS: the option bytes are wrong");
    return complaints;
  }
  const unchanged = sameOptions(truth.options, words.original) && truth.flashBlank;
  if (error?.disposition === "untouched" && !unchanged) complaints.push("it says untouched, and it is not");
  if (error?.disposition === "restored" && !unchanged) complaints.push("it says restored, and it is not");
  if (outcome === "refused" && !unchanged) complaints.push("refused, but the part is changed");
  const away = Math.min(...plannedOptions(words).map((planned) => differingBits(planned, truth.options)));
  if (away > 1) complaints.push(`option bytes of no plan: ${JSON.stringify(truth.options)}`);
  return complaints;
}

const security = 1 << 21;
const ramSize = 3 << 19;
const sfiStarted = 1 << 26;
const rdpMask = 0xff00;
const rdpLevel1 = 0xbb00;

/** Option words that the plan's steps, restoring and aborting go through. One flipped bit more is noise of the wire. */
function plannedOptions({ original, installed }: Words): OptionWords[] {
  const armed = { ...original, optsr: (original.optsr | security | ramSize) >>> 0 };
  const started = { ...armed, optsr: (armed.optsr | sfiStarted) >>> 0 };
  const states = [original, armed, started, installed, { ...installed, optsr: (installed.optsr | sfiStarted) >>> 0 }];
  const raised = states.map((state) => ({ ...state, optsr: ((state.optsr & ~rdpMask) | rdpLevel1) >>> 0 }));
  return [...states, ...raised];
}

const stationMay: Readonly<Record<LastingChange["what"], readonly string[]>> = {
  options: ["certified", "staged", "restoring", "aborting"],
  erase: ["restoring", "aborting"],
  program: [],
};

/** Lasting changes in states whose work has none. */
export function writeComplaints(changes: readonly LastingChange[]): string[] {
  return changes
    .filter(({ what, state, byRss }) => !byRss && !stationMay[what].includes(state))
    .map(({ what, state }) => `${what} changed in state ${state}`);
}
