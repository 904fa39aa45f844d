/**
 * How an access on the target's bus ended.
 * - ok: done; the bus was held for `stallMs`
 * - fault: refused at `address`, nothing of this unit was done
 * - wait: the bus is held for longer than a debugger waits
 * - lost: done, and the debug port was reset with it before it could say so
 */
export type BusOutcome =
  | { readonly kind: "ok"; readonly stallMs: number }
  | { readonly kind: "fault"; readonly address: number }
  | { readonly kind: "wait"; readonly address: number }
  | { readonly kind: "lost" };

export const done: BusOutcome = { kind: "ok", stallMs: 0 };

/** A bus that stays busy for longer than this makes the debug port answer WAIT; shorter and it is only held. */
export const longestHoldMs = 20;

/** Access refused at `address`. */
export function busFault(address: number): BusOutcome {
  return { kind: "fault", address: address >>> 0 };
}

/** Width of one access in bytes. */
export type AccessWidth = 1 | 2 | 4;

/**
 * Who accesses.
 * - ap: number of the access port
 * - nonSecure: CSW.HNONSEC of the transaction; undefined: as secure as the part lets a debugger be
 */
export interface BusMaster {
  readonly ap: number;
  readonly nonSecure: boolean | undefined;
}

/** What the life cycle leaves open behind the access ports. */
export interface BusGate {
  readonly trustZone: boolean;
  readonly secureDebug: boolean;
  /** Only what is always open answers. */
  readonly memoryClosed: boolean;
  /** RAM answers non-secure transactions though TrustZone is on. */
  readonly ramOpen: boolean;
}
