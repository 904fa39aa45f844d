import { StationError } from "../errors/station-error.ts";
import type { RunEvent } from "../install/events.ts";
import { systemDetail } from "./files.ts";

/** The diagnostic log of one run: what the journal says, and what it has no place for (stacks, timing of each step). */
export interface RunLog {
  event(event: RunEvent): void;
  error(error: unknown): void;
  close(): void;
}

/** pino level of each kind of event. */
const levels: Readonly<Record<string, "info" | "warn" | "error" | "debug">> = {
  progress: "debug",
  warning: "warn",
  error: "error",
};

/**
 * Opens the log of a run, JSON lines by pino. It is for people who look into a failure; nothing depends on it, and the
 * journal, not this, is the record of what happened.
 * @param file must not exist yet
 * @param verbose 0 leaves out progress; 1 and more has everything
 * @param warn told once when the log could not be written on; the run goes on without it
 * @throws OUTPUT_UNWRITABLE
 */
export async function openRunLog(
  file: string,
  verbose: number,
  warn: (message: string) => void,
): Promise<RunLog> {
  const { default: pino } = await import("pino");
  let destination: ReturnType<typeof pino.destination>;
  try {
    destination = pino.destination({ dest: file, sync: true, append: false });
  } catch (error) {
    throw StationError.of("OUTPUT_UNWRITABLE", { file, detail: systemDetail(error) }, { cause: error });
  }
  let lost = false;
  destination.on("error", (error: unknown) => {
    if (!lost) warn(`the diagnostic log ${file} is incomplete: ${systemDetail(error)}`);
    lost = true;
  });
  const log = pino(
    { base: null, level: verbose > 0 ? "debug" : "info", timestamp: pino.stdTimeFunctions.isoTime },
    destination,
  );
  let lastMs = performance.now();
  return {
    event({ event, schema: _schema, run: _run, site: _site, time: modelledTime, ...fields }) {
      const nowMs = performance.now();
      const realMs = Math.round((nowMs - lastMs) * 1000) / 1000;
      lastMs = nowMs;
      log[levels[event] ?? "info"]({ ...fields, stationTime: modelledTime, sinceLastMs: realMs }, event);
    },
    error(error) {
      log.error({ err: error }, "stack");
    },
    close() {
      destination.end();
    },
  };
}
