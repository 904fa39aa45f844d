import type { CommandName } from "../stlink/commands.ts";

/** When a fault strikes. Counts begin with 1. */
export type FaultTrigger =
  | { readonly kind: "start" }
  | { readonly kind: "transfer"; readonly transfer: number }
  | { readonly kind: "command"; readonly command: CommandName; readonly occurrence: number }
  | { readonly kind: "state"; readonly state: string; readonly occurrence: number; readonly transfer: number }
  | { readonly kind: "rss"; readonly phase: "running" | "finished"; readonly afterMs: number };

/** Kinds that say nothing more than their name. */
export const plainKinds = [
  "stall",
  "timeout",
  "short-reply",
  "late-reply",
  "babble",
  "re-enumerate",
  "power-loss",
  "power-restore",
  "kill",
  "unpowered",
  "no-answer",
  "permission",
  "hang-rss",
  "old-sfsp",
] as const;

type PlainKind = (typeof plainKinds)[number];

/** Kinds that hold from the start when the script does not say when. */
export const standingKinds: readonly string[] = [
  "nrst-stuck",
  "clock-too-fast",
  "unpowered",
  "no-answer",
  "busy",
  "permission",
  "hang-rss",
  "old-sfsp",
  "fault-at",
];

/**
 * What happens.
 * - stall, timeout: the transfer (of a command: its reply or data) ends so; after a timeout the reply is lost
 * - short-reply, babble, late-reply: half the reply; more than asked for; in time for the transfer after
 * - status: the next `times` commands (of a command trigger: that command) answer `code` and do nothing
 * - wait: status 0x10 so
 * - fault-at: the target refuses accesses to `address`, `times` times or for ever
 * - bit-flip: in the next payload bit `bit` of byte `offset` is turned over
 * - disconnect: the probe is gone `when` the transfer begins, is half through or is over; for ever, or until
 *   `returnsAfterMs`
 * - re-enumerate: it is gone and at once back as after power-up
 * - power-loss, power-restore, unpowered: the target's supply
 * - nrst-stuck: the reset pin stays at `level`
 * - clock-too-fast: above `kilohertz` the wire garbles
 * - kill: the process is killed (SIGKILL)
 * - no-answer: nothing answers on the wire; hang-rss: RSS never ends
 * - old-sfsp: the secure firmware of the part (H5) is version 0.1.1, which starts no RSSe
 * - busy, permission: the probe cannot be opened, busy for `times` attempts or for ever
 */
export type FaultEffect =
  | { [Kind in PlainKind]: { readonly kind: Kind } }[PlainKind]
  | { readonly kind: "status"; readonly code: number; readonly times: number }
  | { readonly kind: "wait"; readonly times: number }
  | { readonly kind: "fault-at"; readonly address: number; readonly times: number }
  | { readonly kind: "bit-flip"; readonly offset: number; readonly bit: number }
  | {
      readonly kind: "disconnect";
      readonly when: "before" | "middle" | "after";
      readonly returnsAfterMs: number;
    }
  | { readonly kind: "nrst-stuck"; readonly level: "low" | "high" }
  | { readonly kind: "clock-too-fast"; readonly kilohertz: number }
  | { readonly kind: "busy"; readonly times: number };

/** One fault. Each strikes once. */
export interface Fault {
  readonly at: FaultTrigger;
  readonly effect: FaultEffect;
}
