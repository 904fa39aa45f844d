import { concatBytes, equalBytes, fromWords } from "../bytes/bytes.ts";
import { hex32 } from "../bytes/hex.ts";
import { requestSystemReset, resumeCore } from "../dap/core.ts";
import { isStationError, StationError } from "../errors/station-error.ts";
import type { SfiPart } from "../package/sfi-verify.ts";
import type { Memory } from "../ports/index.ts";
import { firstNotBlank } from "../target/flash.ts";
import type { DeviceManifest, FieldValues, RssOutcome } from "../target/manifest-types.ts";
import { fieldValue, type OptionBytes } from "../target/option-bytes.ts";
import { readOptionBytes } from "../target/option-controller.ts";
import { rssOf } from "../target/rss.ts";
import { changeOptionBytes } from "./effects-prepare.ts";
import { expectsClosedPort } from "./expectation.ts";
import type { EventOf } from "./machine.ts";
import { loadRsse } from "./rsse.ts";
import { type InstallSession, need } from "./session.ts";

interface StagedBlock {
  readonly address: number;
  readonly data: Uint8Array;
}

/** licensed: the RSSe binary where there is one, license, image header, areas and their wrapper to RAM; completion words cleared; all of it read back. */
export async function stagePart(session: InstallSession): Promise<EventOf<"licensed">> {
  const { debug, identity } = need(session.found, "the chip");
  session.license ??= await storedLicense(session);
  const part = currentPart(session);
  const memory = debug.memory();
  await loadRsse(session);
  for (const { address, data } of stagedBlocks(session, part)) {
    await memory.write(address, data);
    if (!equalBytes(await memory.read(address, data.length), data)) {
      throw StationError.of("RAM_VERIFY_FAILED", { address: hex32(address) });
    }
  }
  const { completion } = rssOf(identity.manifest);
  await memory.batch([
    { kind: "write", address: completion.statusAddress, value: completion.pending },
    { kind: "write", address: completion.valueAddress, value: completion.pending },
  ]);
  await session.ports.recorder.record("step_end", {
    state: "licensed",
    part: part.number,
    areas: part.areas.map(({ index, type }) => `${type}${index}`),
    sizeBytes: part.sizeBytes,
  });
  return "ramWritten";
}

/** A resumed run must find the license it was given: asking again could spend a second one. */
async function storedLicense(session: InstallSession): Promise<Uint8Array> {
  const key = need(session.job.resume?.licenseKey, "the license key of the resumed run");
  const license = await session.ports.licenseStore.load(key);
  if (license === undefined) throw StationError.of("LICENSE_NOT_STORED", { key: key.slice(0, 16) });
  await session.ports.recorder.record("license", { phase: "reused", licenseKey: key, spent: false });
  return license;
}

function currentPart(session: InstallSession): SfiPart {
  const { parts } = need(session.found, "the chip");
  return need(parts[session.partNumber - 1], `part ${session.partNumber}`);
}

/** Everything that must stand in RAM for one part, in the order of the vendor's log: license, header, areas, wrapper. */
function stagedBlocks(session: InstallSession, part: SfiPart): StagedBlock[] {
  const { buffers, wrapper } = rssOf(need(session.found, "the chip").identity.manifest);
  const words = new Array<number>(buffers.wrapper.sizeBytes / 4).fill(0);
  words[wrapper.areaCount / 4] = part.areas.length;
  words[wrapper.firstArea / 4] = buffers.areas.address;
  words[wrapper.sizeBytes / 4] = part.sizeBytes;
  return [
    { address: buffers.license.address, data: need(session.license, "the license") },
    { address: buffers.header.address, data: session.job.package.header },
    { address: buffers.areas.address, data: concatBytes(...part.areas.map(({ bytes }) => bytes)) },
    { address: buffers.wrapper.address, data: fromWords(words) },
  ];
}

/** staged: announce the start, set the trigger, reset. From the reset on RSS owns the chip. */
export async function startRss(session: InstallSession): Promise<EventOf<"staged">> {
  const { debug, identity } = need(session.found, "the chip");
  const { trigger } = rssOf(identity.manifest);
  await session.ports.recorder.record("step_begin", {
    state: "staged",
    intent: "trigger",
    part: session.partNumber,
    irreversible: true,
  });
  await changeOptionBytes(session, "staged", trigger.fields);
  const memory = debug.memory();
  await resumeCore(memory);
  for (const { address, value } of trigger.registers) await memory.writeWord(address, value);
  await requestSystemReset(memory);
  return "triggered";
}

/** detached: the part does not answer while RSS works. Silence up to the deadline is normal. */
export async function awaitReturn(session: InstallSession): Promise<EventOf<"detached">> {
  const { debug, identity } = need(session.found, "the chip");
  const { rssMs } = identity.manifest.sfi.deadlines;
  session.ports.recorder.progress({ state: "detached", part: session.partNumber });
  try {
    await debug.reattach({ timeoutMs: rssMs, signal: session.ports.signal });
    return "reattached";
  } catch (error) {
    if (!isStationError(error, "TARGET_NO_ANSWER", "TARGET_LINK_LOST")) throw error;
    noteLost(session, error, rssMs);
    return "lost";
  }
}

/** Silence after the last part of a package that closes the part for good is its expected end, and proves nothing. */
function noteLost(session: InstallSession, cause: StationError, timeoutMs: number): void {
  const { expectation } = session.job;
  const { manifest } = need(session.found, "the chip").identity;
  const closes =
    currentPart(session).last && expectation !== undefined && expectsClosedPort(expectation, manifest);
  const detail = "the part closed its debug port, as its option bytes say it should";
  session.noteError(
    closes
      ? StationError.of("END_STATE_UNPROVEN", { detail }, { cause, retry: "no" })
      : StationError.of("CONTACT_LOST", { state: "detached", timeoutMs }, { cause }),
    "detached",
  );
}

/** settling: read the completion words until they are final, then hold them against the security state. */
export async function settlePart(session: InstallSession): Promise<EventOf<"settling">> {
  const { identity, debug, parts } = need(session.found, "the chip");
  const { manifest, variant } = identity;
  const part = currentPart(session);
  const words = await readCompletion(session);
  const optionBytes = await readOptionBytes(debug.memory(), manifest, variant);
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
  session.noteError(rejection(session, words, outcome, wrongState), "settling");
  return "rejected";
}

interface CompletionWords {
  readonly status: number;
  readonly value: number;
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
 * again, and so it is when its flash is still blank; if the journal says that RSS had reported this part done, the next one was about to be staged; if RSS has
 * finished and a power cycle wiped the words, the option bytes and the proof at the end decide.
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
  if (part.number === 1 && (await nothingProgrammed(session))) return "notStarted";
  if (part.last && securityMismatch(session, optionBytes, "installed") === undefined) return "accepted";
  throw StationError.of("RESUME_AMBIGUOUS", {
    detail: `part ${part.number} was started, and neither its result nor its RAM content is there any more`,
  });
}

/** True while this run has not staged the part itself: it was started by the run that is being resumed. */
function resumesPart(session: InstallSession, part: SfiPart): boolean {
  return session.job.resume?.triggeredPart === part.number && session.license === undefined;
}

/** True when no firmware area holds anything: RSS has not begun. */
async function nothingProgrammed(session: InstallSession): Promise<boolean> {
  const { debug, identity } = need(session.found, "the chip");
  const areas = session.job.package.areas.filter(({ type }) => type === "F");
  return (await firstNotBlank(debug.memory(), identity.manifest, areas)) === undefined;
}

async function stillStaged(memory: Memory, blocks: readonly StagedBlock[]): Promise<boolean> {
  for (const { address, data } of blocks) {
    if (!equalBytes(await memory.read(address, data.length), data)) return false;
  }
  return true;
}
