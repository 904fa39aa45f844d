/**
 * How an access on the target's bus ended.
 * - ok: done; the bus was held for `stallMs`
 * - fault: refused at `address`, nothing of this unit was done
 * - wait: the bus is held for longer than a debugger waits
 */
export type BusOutcome =
  | { readonly kind: "ok"; readonly stallMs: number }
  | { readonly kind: "fault"; readonly address: number }
  | { readonly kind: "wait"; readonly address: number };

export const done: BusOutcome = { kind: "ok", stallMs: 0 };

/** A bus that stays busy for longer than this makes the debug port answer WAIT; shorter and it is only held. */
export const longestHoldMs = 20;

/** Access refused at `address`. */
export function busFault(address: number): BusOutcome {
  return { kind: "fault", address: address >>> 0 };
}

/** Width of one access in bytes. */
export type AccessWidth = 1 | 2 | 4;
