import type { Fault } from "../../drivers/virtual/faults/script.ts";
import { type FaultKind, faultKinds } from "./kinds.ts";
import { chosen, randomNumbers } from "./random.ts";
import type { RecordedTransfer } from "./transfers.ts";

/** One run of the campaign: a fault of a kind at a transfer. */
export interface Case {
  readonly kind: string;
  readonly transfer: number;
  readonly state: string;
  readonly faults: readonly Fault[];
}

/** The runs of a campaign, and what they were taken from. */
export interface CaseList {
  readonly cases: readonly Case[];
  /** Every kind at every transfer it can strike at. */
  readonly possible: number;
  /** Those of `possible` outside the blank check's alike blocks. */
  readonly distinct: number;
}

/**
 * At most `limit` runs. Transfers that are not like any other come first, all of them if they fit; what room is left
 * goes to the blank check's alike blocks. What does not fit is left to chance with the seed.
 */
export function selectCases(transfers: readonly RecordedTransfer[], seed: number, limit: number): CaseList {
  const random = randomNumbers(seed);
  const all = faultKinds.flatMap((kind) =>
    transfers.filter(kind.strikes).map((transfer) => ({ kind, transfer })),
  );
  const distinct = all.filter(({ transfer }) => !transfer.alike);
  const alike = all.filter(({ transfer }) => transfer.alike);
  const fromDistinct = Math.min(distinct.length, Math.max(limit - alike.length, Math.ceil(limit * 0.9)));
  const picked = [
    ...chosen(distinct, fromDistinct, random),
    ...chosen(alike, limit - fromDistinct, random),
  ].toSorted((a, b) => faultKinds.indexOf(a.kind) - faultKinds.indexOf(b.kind));
  return {
    cases: picked.map(({ kind, transfer }) => makeCase(kind, transfer, seed)),
    possible: all.length,
    distinct: distinct.length,
  };
}

/** A run whose chance depends on kind, transfer and seed alone, so that it can be had again by itself. */
export function makeCase(kind: FaultKind, transfer: RecordedTransfer, seed: number): Case {
  const random = randomNumbers(seed + 1009 * transfer.number + 104729 * faultKinds.indexOf(kind));
  return {
    kind: kind.name,
    transfer: transfer.number,
    state: transfer.state,
    faults: kind.faults(transfer, random),
  };
}
