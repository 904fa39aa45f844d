import { equalBytes } from "../bytes/bytes.ts";
import { hex32 } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import type { SfiPart } from "../package/sfi-verify.ts";
import type { Memory } from "../ports/index.ts";
import { firstNotBlank } from "../target/flash.ts";
import type { DeviceManifest, FieldValues, RssOutcome } from "../target/manifest-types.ts";
import { fieldValue, type OptionBytes } from "../target/option-bytes.ts";
import { readOptionBytes } from "../target/option-controller.ts";
import { rssOf } from "../target/rss.ts";
import type { EventOf } from "./machine.ts";
import { type InstallSession, need } from "./session.ts";
import { currentPart, type StagedBlock, stagedBlocks, storedLicense } from "./staging.ts";
import { suspectLicense } from "./suspect-license.ts";

/** settling: read the completion words until they are final, then hold them against the security state. */
export async function settlePart(session: InstallSession): Promise<EventOf<"settling">> {
  const { identity, parts } = need(session.found, "the chip");
  const { manifest } = identity;
  const part = currentPart(session);
  const { words, optionBytes } = await observeResult(session);
  const outcome = outcomeOf(words, manifest);
  await session.ports.recorder.record("step_end", {
    state: "settling",
    part: part.number,
    status: hex32(words.status),
    value: hex32(words.value),
    rssOutcome: outcome.kind,
    meaning: outcome.meaning,
  });
  // After a power cycle the words are noise; only the run that cleared them itself may read an unknown pair as refusal.
  const noise = !outcome.known && resumesPart(session, part);
  if (outcome.kind === "pending" || noise) return settleUnfinished(session, optionBytes);
  if (!outcome.known && (await ramLost(session, part))) {
    const detail = `status ${hex32(words.status)}, value ${hex32(words.value)}, and nothing of what was staged is left in RAM`;
    throw StationError.of("RESULT_LOST", { part: part.number, detail });
  }
  const wrongState = securityMismatch(session, optionBytes, outcome.kind);
  if (outcome.kind === "more" && !part.last && wrongState === undefined) {
    session.partNumber = part.number + 1;
    return "moreParts";
  }
  if (outcome.kind === "installed" && part.last && wrongState === undefined) {
    session.rssAccepted = true;
    session.proofs.push({
      claim: `RSS accepted all ${parts.length} parts`,
      result: "proved",
      by: `completion status ${hex32(words.status)}, value ${hex32(words.value)}`,
    });
    return "accepted";
  }
  const error = rejection(session, words, outcome, wrongState);
  session.noteError(error, "settling");
  if (outcome.kind === "refused") await suspectLicense(session, error.message);
  return "rejected";
}

interface CompletionWords {
  readonly status: number;
  readonly value: number;
}

/** What RSS left behind, as two reads in a row gave it. */
interface PartResult {
  readonly words: CompletionWords;
  readonly optionBytes: OptionBytes;
}

/** Reads of a result before it counts as unreadable. */
const resultReads = 4;

/**
 * Reads the completion words and the option bytes until two reads in a row agree. A bit lost on the wire, or words that
 * RSS has half written, would otherwise have a good part erased.
 * @throws TARGET_LINK_LOST when no two reads agree
 */
async function observeResult(session: InstallSession): Promise<PartResult> {
  const { identity, debug } = need(session.found, "the chip");
  let before: string | undefined;
  for (let reads = 0; reads < resultReads; reads++) {
    const words = await readCompletion(session);
    const optionBytes = await readOptionBytes(debug.memory(), identity.manifest, identity.variant);
    const seen = JSON.stringify([words, [...optionBytes.words]]);
    if (seen === before) return { words, optionBytes };
    before = seen;
  }
  throw StationError.of("TARGET_LINK_LOST", {
    detail: `${resultReads} reads of RSS's result, and no two in a row agree`,
  });
}

async function readCompletion(session: InstallSession): Promise<CompletionWords> {
  const { debug, identity } = need(session.found, "the chip");
  const { completion } = rssOf(identity.manifest);
  const [status, value] = await debug.memory().batch([
    { kind: "read", address: completion.statusAddress },
    { kind: "read", address: completion.valueAddress },
  ]);
  return { status: need(status, "status word"), value: need(value, "value word") };
}

function outcomeOf(words: CompletionWords, manifest: DeviceManifest) {
  const { completion } = rssOf(manifest);
  if (words.status === completion.pending && words.value === completion.pending) {
    return { kind: "pending", meaning: "not finished", known: true } as const;
  }
  const known = completion.results.find(
    ({ status, value }) => status === words.status && value === words.value,
  );
  return known === undefined
    ? ({ kind: "refused", meaning: "no public meaning", known: false } as const)
    : { kind: known.outcome, meaning: known.meaning, known: true };
}

/** Which fields contradict what RSS says, or undefined. */
function securityMismatch(
  session: InstallSession,
  optionBytes: OptionBytes,
  outcome: RssOutcome,
): string | undefined {
  const { manifest, variant } = need(session.found, "the chip").identity;
  const expected: FieldValues = rssOf(manifest).securityState[outcome];
  const wrong = Object.entries(expected).flatMap(([name, value]) => {
    const actual = fieldValue(manifest, variant, optionBytes, name);
    return actual === value ? [] : [`${name} is ${actual ?? "missing"}, not ${value}`];
  });
  return wrong.length === 0 ? undefined : wrong.join(", ");
}

function rejection(
  session: InstallSession,
  words: CompletionWords,
  outcome: { readonly kind: RssOutcome; readonly meaning: string },
  wrongState: string | undefined,
): StationError {
  if (outcome.kind === "refused") {
    return StationError.of("RSS_REJECTED", {
      part: session.partNumber,
      status: hex32(words.status),
      value: hex32(words.value),
      meaning: outcome.meaning,
    });
  }
  const detail =
    wrongState ?? `RSS says "${outcome.meaning}", which is not the end of part ${session.partNumber}`;
  return StationError.of("SECURITY_STATE_WRONG", { part: session.partNumber, detail });
}

/**
 * The part answers, but RSS has left no result. In the run that started it that means RSS never ran. In a resumed run
 * it can also mean that the station died before the reset: if everything still stands in RAM, this part is simply done
 * again, and so it is when its own flash is still blank; if the journal says that RSS had reported this part done, the
 * next one was about to be staged; if RSS has finished and a power cycle wiped the words, the option bytes and the
 * proof at the end decide.
 */
async function settleUnfinished(
  session: InstallSession,
  optionBytes: OptionBytes,
): Promise<"moreParts" | "notStarted" | "accepted" | "rejected"> {
  const { identity, debug } = need(session.found, "the chip");
  const { manifest } = identity;
  const part = currentPart(session);
  if (!resumesPart(session, part)) {
    session.noteError(
      StationError.of("RSS_REJECTED", {
        part: part.number,
        status: hex32(rssOf(manifest).completion.pending),
        value: hex32(rssOf(manifest).completion.pending),
        meaning: "RSS did not run",
      }),
      "settling",
    );
    return "rejected";
  }
  if (
    session.job.resume?.finishedPart === part.number &&
    securityMismatch(session, optionBytes, "more") === undefined
  ) {
    session.partNumber = part.number + 1;
    return "moreParts";
  }
  session.license = await storedLicense(session);
  if (await stillStaged(debug.memory(), stagedBlocks(session, part))) return "notStarted";
  const mayBegin = part.number === 1 || securityMismatch(session, optionBytes, "more") === undefined;
  if (mayBegin && (await nothingProgrammed(session, part))) return "notStarted";
  if (part.last && securityMismatch(session, optionBytes, "installed") === undefined) return "accepted";
  throw StationError.of("RESUME_AMBIGUOUS", {
    detail: `part ${part.number} was started, and neither its result nor its RAM content is there any more`,
  });
}

/** True while this run has not staged the part itself: it was started by the run that is being resumed. */
function resumesPart(session: InstallSession, part: SfiPart): boolean {
  return session.job.resume?.triggeredPart === part.number && session.license === undefined;
}

/** True when none of the part's firmware areas holds anything: RSS has not begun with it. */
async function nothingProgrammed(session: InstallSession, part: SfiPart): Promise<boolean> {
  const { debug, identity } = need(session.found, "the chip");
  const areas = part.areas.filter(({ type }) => type === "F");
  if (areas.length === 0) return false;
  return (await firstNotBlank(debug.memory(), identity.manifest, areas)) === undefined;
}

/** True when none of the staged blocks stands in RAM any more: the board has lost power, and the words are noise. */
async function ramLost(session: InstallSession, part: SfiPart): Promise<boolean> {
  const memory = need(session.found, "the chip").debug.memory();
  for (const { address, data } of stagedBlocks(session, part)) {
    if (equalBytes(await memory.read(address, data.length), data)) return false;
  }
  return true;
}

async function stillStaged(memory: Memory, blocks: readonly StagedBlock[]): Promise<boolean> {
  for (const { address, data } of blocks) {
    if (!equalBytes(await memory.read(address, data.length), data)) return false;
  }
  return true;
}
