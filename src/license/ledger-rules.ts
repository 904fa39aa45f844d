import { fromHex } from "../bytes/hex.ts";
import type { LedgerChange, LedgerEntry, SourceAccount } from "../ports/index.ts";

/** Where and when a change is about to take its place. */
export interface ChangePlace {
  readonly seq: number;
  readonly time: string;
  readonly station: string;
  readonly host: string;
}

/** What stands before a change: the entry under its key and the account of its source. */
export interface Standing {
  readonly entry: LedgerEntry | undefined;
  readonly account: SourceAccount | undefined;
}

/** What stands after it, or why it cannot take place. */
export type Ruling = (Standing & { readonly refused?: never }) | { readonly refused: string };

/**
 * The one set of rules of every ledger, whatever it is stored in: what a change makes of an entry and an account.
 * Pure; a refused change must not be stored.
 */
export function rule(change: LedgerChange, place: ChangePlace, standing: Standing): Ruling {
  switch (change.kind) {
    case "open":
      return open(change, standing);
    case "reserve":
      return reserve(change, place, standing);
    case "issued":
      return issued(change, place, standing);
    case "surplus":
      return { ...standing, account: pay(standing.account, "surplus", change.spent) };
    case "released":
    case "burned":
      return ended(change, place, standing);
    case "adopted":
      return adopted(change, place, standing);
    case "served":
    case "suspect":
    case "cleared":
      return marked(change.kind, standing);
    case "forgotten":
      return forgotten(place, standing);
    case "reconcile":
      return reconciled(change, standing);
    case "repaired":
      return standing;
  }
}

/** The members of the union whose `kind` may be `Kind`. */
type ChangeOf<Kind extends LedgerChange["kind"], Change = LedgerChange> = Change extends {
  readonly kind: infer Kinds;
}
  ? Kind extends Kinds
    ? Change
    : never
  : never;

function open(change: ChangeOf<"open">, { entry, account }: Standing): Ruling {
  if (account !== undefined) return { refused: `${change.source} has an account already` };
  const { source, counter } = change;
  return {
    entry,
    account: { source, opened: counter, counter, reserved: 0, issued: 0, burned: 0, surplus: 0, outside: 0 },
  };
}

function reserve(change: ChangeOf<"reserve">, place: ChangePlace, { entry, account }: Standing): Ruling {
  if (entry?.state === "reserved" || entry?.state === "issued") {
    return { refused: `it is ${entry.state} already` };
  }
  if (entry?.state === "burned" && change.afterBurn !== true) {
    return { refused: "a license for it was lost, and the operator has not said that another may be spent" };
  }
  if (account !== undefined && account.reserved > 0) {
    return { refused: `${change.source} has another reservation open` };
  }
  return {
    account: account === undefined ? undefined : { ...account, reserved: account.reserved + 1 },
    entry: {
      key: change.key,
      state: "reserved",
      reservation: place.seq,
      source: change.source,
      station: place.station,
      host: place.host,
      client: change.client,
      since: place.time,
      request: change.request,
      license: undefined,
      digest: undefined,
      suspicions: 0,
      issuers: entry?.issuers ?? [],
      forgotten: entry?.forgotten ?? [],
    },
  };
}

/** Also after `burned` or `released`: the station that asked is slower than the one that settled for it. */
function issued(change: ChangeOf<"issued">, place: ChangePlace, { entry, account }: Standing): Ruling {
  if (entry === undefined || entry.reservation !== change.reservation)
    return { refused: "it is not reserved" };
  if (entry.state !== "reserved" && entry.state !== "burned" && entry.state !== "released") {
    return { refused: `it is ${entry.state} already` };
  }
  const found = entry.state === "burned" && account !== undefined && account.burned > 0;
  return {
    account: found
      ? { ...account, burned: account.burned - 1, issued: account.issued + 1 }
      : pay(settled(account, entry), "issued", change.spent),
    entry: {
      ...entry,
      state: "issued",
      since: place.time,
      license: fromHex(change.license),
      digest: change.digest,
      issuers: [...new Set([...entry.issuers, change.source])],
    },
  };
}

function ended(
  change: ChangeOf<"released" | "burned">,
  place: ChangePlace,
  { entry, account }: Standing,
): Ruling {
  if (entry?.state !== "reserved" || entry.reservation !== change.reservation) {
    return { refused: "it is not reserved" };
  }
  return {
    account: change.kind === "burned" ? pay(settled(account, entry), "burned", 1) : settled(account, entry),
    entry: { ...entry, state: change.kind, since: place.time },
  };
}

function adopted(change: ChangeOf<"adopted">, place: ChangePlace, { entry, account }: Standing): Ruling {
  if (entry !== undefined) return { refused: `it is ${entry.state} already` };
  return {
    account,
    entry: {
      key: change.key,
      state: "issued",
      reservation: 0,
      source: change.source,
      station: place.station,
      host: place.host,
      client: undefined,
      since: place.time,
      request: change.request,
      license: fromHex(change.license),
      digest: change.digest,
      suspicions: 0,
      issuers: [change.source],
      forgotten: [],
    },
  };
}

function marked(kind: "served" | "suspect" | "cleared", { entry, account }: Standing): Ruling {
  if (entry?.state !== "issued") return { refused: `it is ${entry?.state ?? "unknown"}, not issued` };
  if (kind === "served") return { account, entry };
  return { account, entry: { ...entry, suspicions: kind === "suspect" ? entry.suspicions + 1 : 0 } };
}

/** The operator's word: whatever stood here is given up, and a new license may be spent. */
function forgotten(place: ChangePlace, { entry, account }: Standing): Ruling {
  if (entry === undefined || entry.state === "released" || entry.state === "forgotten") {
    return { refused: `it is ${entry?.state ?? "unknown"}: there is nothing to give up` };
  }
  return {
    account: settled(account, entry),
    entry: {
      ...entry,
      state: "forgotten",
      since: place.time,
      license: undefined,
      digest: undefined,
      suspicions: 0,
      forgotten: entry.digest === undefined ? entry.forgotten : [...entry.forgotten, entry.digest],
    },
  };
}

function reconciled(change: ChangeOf<"reconcile">, { entry, account }: Standing): Ruling {
  if (account === undefined) return { refused: `${change.source} has no account` };
  const missing = account.counter - change.counter;
  if (missing < 0 && !change.accepted) return { refused: "a counter that went up needs the operator's word" };
  return {
    entry,
    account:
      missing < 0
        ? { ...account, opened: account.opened - missing, counter: change.counter }
        : { ...account, outside: account.outside + missing, counter: change.counter },
  };
}

/** The account once an open reservation has come to an end. */
function settled(account: SourceAccount | undefined, entry: LedgerEntry): SourceAccount | undefined {
  if (account === undefined || entry.state !== "reserved") return account;
  return { ...account, reserved: account.reserved - 1 };
}

function pay(
  account: SourceAccount | undefined,
  column: "issued" | "burned" | "surplus",
  spent: 0 | 1,
): SourceAccount | undefined {
  if (account === undefined || spent === 0) return account;
  return { ...account, [column]: account[column] + 1, counter: account.counter - 1 };
}
