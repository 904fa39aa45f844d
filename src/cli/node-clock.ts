import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../ports/index.ts";

/** The machine's own time. */
export const nodeClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  async sleep(durationMs, signal) {
    try {
      await delay(durationMs, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      // Node rejects with its own AbortError; the port promises the signal's reason.
      throw signal?.aborted ? signal.reason : error;
    }
  },
};
