import { asStationError, isStationError, StationError } from "../errors/station-error.ts";
import { effects } from "./effects.ts";
import { isTerminal, next, type Outcome, type RunningState, type State, stateTitles } from "./machine.ts";
import type { InstallSession } from "./session.ts";

/** How a run ended. */
export interface InstallResult {
  readonly outcome: Outcome;
  readonly exit: number;
  readonly licenseSpent: boolean;
  readonly error: StationError | undefined;
  readonly durationMs: number;
}

/**
 * Runs an install from the first state to a terminal one: in each state its effect, then the table's row for the
 * event it returned. Every state is in the journal before its effect begins.
 *
 * Never throws for anything that happens at the bench: the result says it. The probe is closed when it returns.
 */
export async function runInstall(session: InstallSession): Promise<InstallResult> {
  const startMs = session.ports.clock.monotonicMs();
  let state: State = "idle";
  while (!isTerminal(state)) {
    const event: string = await step(state, session);
    state = next(state, event);
    session.ports.onState(state);
  }
  await closeProbe(session);
  const durationMs = Math.round(session.ports.clock.monotonicMs() - startMs);
  return recordEnd(session, {
    outcome: state,
    error: session.error === undefined ? undefined : asEnd(session.error, state, session),
    durationMs,
  });
}

async function step(state: RunningState, session: InstallSession): Promise<string> {
  try {
    session.ports.signal.throwIfAborted();
    await session.ports.recorder.record("state", { state, title: stateTitles[state] });
    return await effects[state](session);
  } catch (thrown) {
    const error = asStationError(thrown);
    session.noteError(error, state);
    return stops(error, session) ? "stopped" : "fault";
  }
}

/** Errors after which nothing more is done to the part: the person said so, or it could not be journalled. */
function stops(error: StationError, session: InstallSession): boolean {
  return session.ports.signal.aborted || !session.ports.recorder.intact || isStationError(error, "INTERNAL");
}

/** The first error as it reads from the run's end: with what became of the part and the license. */
function asEnd(first: StationError, outcome: Outcome, session: InstallSession): StationError {
  const { licenseSpent } = session;
  if (outcome === "refused") return asRefusal(first, session).in({ licenseSpent });
  if (first.exit >= 124) return first.in({ licenseSpent, disposition: "resumable", retry: "resume" });
  const ownEnd = outcome === "unknown" ? 8 : 7;
  if (first.exit === ownEnd || first.exit === 1) return first.in({ licenseSpent });
  const parameters = {
    state: session.errorState ?? "unknown",
    reason: `${first.code}: ${first.message}`,
    causeRemedy: first.remedy,
  };
  return StationError.of(outcome === "unknown" ? "BROKEN_WHILE_RSS" : "BROKEN_AFTER_CHANGE", parameters, {
    cause: first,
    licenseSpent,
  });
}

function asRefusal(first: StationError, session: InstallSession): StationError {
  if (first.code === "JOURNAL_UNWRITABLE") {
    return StationError.of(
      "OUTPUT_UNWRITABLE",
      { file: String(first.parameters["file"]), detail: String(first.parameters["detail"]) },
      { cause: first },
    );
  }
  if (!session.optionBytesChanged) return first.in({ disposition: "untouched" });
  if (first.exit === 5 || first.exit === 6) return first.in({ disposition: "restored" });
  return StationError.of(
    "RESTORED_AFTER_FAULT",
    { reason: `${first.code}: ${first.message}`, causeRemedy: first.remedy },
    { cause: first },
  );
}

async function closeProbe(session: InstallSession): Promise<void> {
  try {
    await session.probe?.close();
  } catch (thrown) {
    const message = `closing the probe: ${asStationError(thrown).message}`;
    await session.ports.recorder.record("warning", { message }).catch((error: unknown) => {
      session.noteError(asStationError(error), "unknown");
    });
  }
}

type RunEnd = Pick<InstallResult, "outcome" | "error" | "durationMs">;

/** Journals the end. A proof that could not be recorded is no proof: the run is then unproven. */
async function recordEnd(session: InstallSession, end: RunEnd): Promise<InstallResult> {
  const { recorder } = session.ports;
  const result: InstallResult = {
    ...end,
    exit: end.error?.exit ?? 0,
    licenseSpent: session.licenseSpent,
  };
  const wasIntact = recorder.intact;
  try {
    if (result.error !== undefined) await recorder.record("error", { ...result.error.toRecord() });
    await recorder.record("run_end", {
      outcome: result.outcome,
      exit: result.exit,
      licenseSpent: result.licenseSpent,
      durationMs: result.durationMs,
      proofs: session.proofs,
      ...session.ports.endFields(),
    });
    return result;
  } catch (thrown) {
    if (!wasIntact) throw thrown;
    const cause = asStationError(thrown);
    return recordEnd(session, {
      outcome: result.outcome === "installed" ? "unknown" : result.outcome,
      error:
        result.error ??
        StationError.of(
          "END_STATE_UNPROVEN",
          { detail: `the proof could not be journalled (${cause.message})` },
          { cause, licenseSpent: session.licenseSpent },
        ),
      durationMs: result.durationMs,
    });
  }
}
