import { hex32, hexNumber } from "../bytes/hex.ts";
import { requestSystemReset } from "../dap/core.ts";
import { asStationError, isStationError, StationError } from "../errors/station-error.ts";
import { firstNotBlank, verifyFlash } from "../target/flash.ts";
import {
  decodeOptionBytes,
  describeDifferences,
  differences,
  type OptionBytes,
} from "../target/option-bytes.ts";
import { readOptionBytes } from "../target/option-controller.ts";
import { regress } from "../target/regress.ts";
import { rssOf } from "../target/rss.ts";
import { readSecurityState } from "../target/security.ts";
import { expectedOptionBytes, expectsClosedPort } from "./expectation.ts";
import type { EventOf } from "./machine.ts";
import { type InstallSession, need, type Proof } from "./session.ts";

/** verifying: option bytes against the expectation, flash against the firmware. Only what was compared is proved. */
export async function verifyEndState(session: InstallSession): Promise<EventOf<"verifying">> {
  const { debug, identity } = need(session.found, "the chip");
  if (!(await loadEndState(session))) return "closed";
  const optionBytes = await readOptionBytes(debug.memory(), identity.manifest, identity.variant);
  const proofs = [proveOptionBytes(session, optionBytes), await proveFlash(session, optionBytes)];
  session.proofs.push(...proofs);
  await session.ports.recorder.record("step_end", {
    state: "verifying",
    optionWords: Object.fromEntries(optionBytes.words),
    proofs,
  });
  const different = proofs.filter(({ result }) => result === "differs");
  if (different.length > 0) {
    session.noteError(
      StationError.of("END_STATE_DIFFERS", { detail: different.map(({ by }) => by).join("; ") }),
      "verifying",
    );
    return "differs";
  }
  const missing = missingProof(session, proofs);
  if (missing === undefined) return "matches";
  session.noteError(StationError.of("END_STATE_UNPROVEN", { detail: missing }), "verifying");
  return "unproven";
}

/**
 * Where the package's option bytes come into force only with a reset, requests it and waits for the part. A part that
 * its option bytes close does not come back: that is the end it should have, after RSS said that all areas are in.
 * @returns false when the part has closed, as expected
 * @throws CONTACT_LOST when it should have come back
 */
async function loadEndState(session: InstallSession): Promise<boolean> {
  const { debug, identity } = need(session.found, "the chip");
  const { manifest } = identity;
  if (!rssOf(manifest).completion.endsWithReset) return true;
  const timeoutMs = manifest.sfi.deadlines.reattachMs;
  await requestSystemReset(debug.memory());
  try {
    await debug.reattach({ timeoutMs, signal: session.ports.signal });
    return true;
  } catch (thrown) {
    if (!isStationError(thrown, "TARGET_NO_ANSWER", "TARGET_LINK_LOST")) throw thrown;
    const { expectation } = session.job;
    const closes = expectation !== undefined && expectsClosedPort(expectation, manifest);
    if (!closes || !session.rssAccepted) {
      throw StationError.of("CONTACT_LOST", { state: "verifying", timeoutMs }, { cause: thrown });
    }
    const by = `the debug port closed, as ${expectation.source} says it should; RSS had accepted every area`;
    session.proofs.push({ claim: "option bytes are as expected", result: "not-readable", by });
    await session.ports.recorder.record("step_end", { state: "verifying", closed: true, by });
    return false;
  }
}

/**
 * A pass needs the option bytes compared, and the firmware vouched for: by RSS's own completion words, or, when those
 * were lost, by comparing the flash with the plain firmware.
 */
function missingProof(session: InstallSession, proofs: readonly Proof[]): string | undefined {
  if (session.job.expectation === undefined) return "no expectation was given";
  const flash = proofs.find(({ claim }) => claim === flashClaim);
  const compared = flash?.result === "proved" && session.job.expectation.firmware !== undefined;
  if (!session.rssAccepted && !compared) {
    return "RSS's completion words are gone, and the flash could not be compared with the firmware";
  }
  return undefined;
}

function proveOptionBytes(session: InstallSession, actual: OptionBytes): Proof {
  const claim = "option bytes are as expected";
  const { expectation } = session.job;
  if (expectation === undefined) return { claim, result: "not-compared", by: "no expectation was given" };
  const { manifest, variant } = need(session.found, "the chip").identity;
  const wrong = differences(manifest, variant, expectedOptionBytes(expectation, manifest), actual);
  if (wrong.length === 0)
    return { claim, result: "proved", by: `read back and compared with ${expectation.source}` };
  const by = describeDifferences(wrong);
  return { claim, result: "differs", by };
}

const flashClaim = "flash holds the firmware";

async function proveFlash(session: InstallSession, optionBytes: OptionBytes): Promise<Proof> {
  const { debug, identity } = need(session.found, "the chip");
  const { manifest, variant } = identity;
  const security = readSecurityState(manifest, variant, optionBytes);
  const closed = [...security.pcropAreas, ...security.secureAreas].map(({ name }) => name);
  if (security.rdpLevel !== 0 || closed.length > 0) {
    const why = security.rdpLevel !== 0 ? security.rdpName : closed.join(", ");
    return { claim: flashClaim, result: "not-readable", by: `${why}; RSS checked every area's tag` };
  }
  const firmware = session.job.expectation?.firmware;
  const memory = debug.memory();
  if (firmware === undefined) return proveNotBlank(session);
  try {
    for (const { address, data } of firmware) await verifyFlash(memory, address, data);
  } catch (error) {
    if (!isStationError(error, "VERIFY_MISMATCH")) throw error;
    return { claim: flashClaim, result: "differs", by: error.message };
  }
  const sizeBytes = firmware.reduce((sum, { data }) => sum + data.length, 0);
  return { claim: flashClaim, result: "proved", by: `${sizeBytes} bytes read back and compared` };
}

/** Without the plain firmware: that no firmware area is still erased as a whole. */
async function proveNotBlank(session: InstallSession): Promise<Proof> {
  const { debug, identity } = need(session.found, "the chip");
  const areas = session.job.package.areas.filter(({ type }) => type === "F");
  const blank: string[] = [];
  for (const { address, sizeBytes } of areas) {
    const written = await firstNotBlank(debug.memory(), identity.manifest, [{ address, sizeBytes }]);
    if (written === undefined) blank.push(hex32(address));
  }
  if (blank.length > 0)
    return { claim: flashClaim, result: "differs", by: `still erased at ${blank.join(", ")}` };
  return {
    claim: flashClaim,
    result: "not-compared",
    by: `programmed at all ${areas.length} firmware areas; content checked by RSS's tags only`,
  };
}

/** restoring: nothing but option bytes was changed; put them back. */
export async function restoreOptionBytes(session: InstallSession): Promise<EventOf<"restoring">> {
  if (session.optionBytesChanged) await putBack(session, "restoring");
  return "restored";
}

/** aborting: option bytes back by regression, its wait, and a display for the operator, as the vendor's tool does. */
export async function abortInstall(session: InstallSession): Promise<EventOf<"aborting">> {
  await putBack(session, "aborting");
  return "restored";
}

async function putBack(session: InstallSession, state: "restoring" | "aborting"): Promise<void> {
  const { debug, identity } = need(session.found, "the chip");
  const { manifest, variant } = identity;
  const original = need(session.originalOptionBytes, "the original option bytes");
  await session.ports.recorder.record("step_begin", { state, intent: "restore" });
  try {
    const keepFlash = state === "restoring";
    await regress(debug, session.ports.clock, manifest, variant, original, { keepFlash });
  } catch (thrown) {
    const error = asStationError(thrown);
    const reason = session.error;
    // A stop or a lost probe keeps its own name: the journal says where to go on.
    if (error.exit === 3 || error.exit >= 124) throw error;
    session.escalate(
      StationError.of(
        "RESTORE_FAILED",
        { reason: reason === undefined ? "stopped" : reason.code, detail: error.message },
        { cause: reason ?? error },
      ),
    );
    throw error;
  }
  const now = await readOptionBytes(debug.memory(), manifest, variant);
  await session.ports.recorder.record("step_end", {
    state,
    restored: true,
    optionBytes: Object.fromEntries(
      decodeOptionBytes(manifest, variant, now).map(({ name, value }) => [name, hexNumber(value)]),
    ),
  });
}
