import { StationError } from "../errors/station-error.ts";
import type {
  LedgerChange,
  LedgerEntry,
  LedgerRecord,
  LedgerSummary,
  SourceAccount,
} from "../ports/index.ts";
import { ledgerStart } from "./ledger-chain.ts";
import { type Ruling, rule, type Standing } from "./ledger-rules.ts";

/** Everything a ledger says, made by following its records from the first to the last. */
export interface LedgerState {
  readonly entries: Map<string, LedgerEntry>;
  readonly accounts: Map<string, SourceAccount>;
  /** Licenses issued to clients of the service. */
  readonly clients: Map<string, number>;
  seq: number;
  hash: string;
}

export function emptyLedgerState(): LedgerState {
  return { entries: new Map(), accounts: new Map(), clients: new Map(), seq: 0, hash: ledgerStart };
}

/** What stands before a change of this key and source. */
export function standingOf(state: LedgerState, change: LedgerChange): Standing {
  const entry = "key" in change ? state.entries.get(change.key) : undefined;
  const source = "source" in change ? change.source : entry?.source;
  return { entry, account: source === undefined ? undefined : state.accounts.get(source) };
}

/**
 * Follows one record.
 * @throws LEDGER_DAMAGED when the record could not have been admitted: the chain is whole, its story is not
 */
export function follow(state: LedgerState, record: LedgerRecord, ledger: string): void {
  const ruling = rule(record, record, standingOf(state, record));
  if (ruling.refused !== undefined) {
    throw StationError.of("LEDGER_DAMAGED", { ledger, record: record.seq, detail: ruling.refused });
  }
  settle(state, record, ruling);
}

/** Takes over what a ruling says, without judging again. */
export function settle(
  state: LedgerState,
  record: LedgerRecord,
  ruling: Exclude<Ruling, { refused: string }>,
): void {
  const { entry, account } = ruling;
  if (entry !== undefined) state.entries.set(entry.key, entry);
  if (account !== undefined) state.accounts.set(account.source, account);
  if (record.kind === "issued" && entry?.client !== undefined) {
    state.clients.set(entry.client, (state.clients.get(entry.client) ?? 0) + 1);
  }
  state.seq = record.seq;
  state.hash = record.hash;
}

/** The state in figures. */
export function summarize(state: LedgerState): LedgerSummary {
  const entries = { reserved: 0, issued: 0, released: 0, burned: 0, forgotten: 0 };
  let suspect = 0;
  for (const entry of state.entries.values()) {
    entries[entry.state]++;
    if (entry.suspicions > 0) suspect++;
  }
  return { records: state.seq, head: state.hash, entries, suspect, accounts: [...state.accounts.values()] };
}
