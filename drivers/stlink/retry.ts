import { statusApFault, statusEntry } from "./status.ts";

/** Retries of a command that answers WAIT: pauses of 1, 2, 4 … 128 ms (OpenOCD's policy). */
export const waitRetries = 8;

/** What to do after a status: take the result, send the whole command again after a pause, or give up with its error. */
export type Verdict =
  | { readonly kind: "done" }
  | { readonly kind: "again"; readonly pauseMs: number }
  | { readonly kind: "failed" };

/**
 * Judges the statuses of one command's attempts, in order.
 * A busy V3 may answer WAIT, then AP_FAULT, then OK (Black Magic): one AP_FAULT right after a WAIT is one more WAIT.
 */
export function retryJudge(): (status: number) => Verdict {
  let waits = 0;
  let previousWaited = false;
  let forgiven = false;
  return (status) => {
    const { action } = statusEntry(status);
    if (action === "ok") return { kind: "done" };
    const forgive = previousWaited && !forgiven && status === statusApFault;
    if ((action !== "wait" && !forgive) || waits === waitRetries) return { kind: "failed" };
    previousWaited = action === "wait";
    forgiven ||= forgive;
    waits += 1;
    return { kind: "again", pauseMs: 2 ** (waits - 1) };
  };
}
