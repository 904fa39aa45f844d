import type { Clock } from "../../../../src/ports/index.ts";

/** A clock that moves only when somebody sleeps, and remembers every pause. */
export interface ManualClock extends Clock {
  readonly pauses: number[];
}

export function manualClock(): ManualClock {
  const pauses: number[] = [];
  let nowMs = 0;
  return {
    pauses,
    now: () => new Date(nowMs),
    monotonicMs: () => nowMs,
    sleep: async (durationMs) => {
      pauses.push(durationMs);
      nowMs += durationMs;
    },
  };
}
