import { equalBytes } from "../bytes/bytes.ts";
import { hex32 } from "../bytes/hex.ts";
import { requestSystemReset, resumeCore } from "../dap/core.ts";
import { isStationError, StationError } from "../errors/station-error.ts";
import { rssOf } from "../target/rss.ts";
import { changeOptionBytes } from "./effects-prepare.ts";
import { expectsClosedPort } from "./expectation.ts";
import type { EventOf } from "./machine.ts";
import { loadRsse } from "./rsse.ts";
import { type InstallSession, need } from "./session.ts";
import { currentPart, stagedBlocks, storedLicense } from "./staging.ts";

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
