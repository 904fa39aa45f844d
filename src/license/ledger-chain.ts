import { sha256Hex } from "../bytes/digest.ts";
import { StationError } from "../errors/station-error.ts";
import type { LedgerChange, LedgerRecord } from "../ports/index.ts";
import type { ChangePlace } from "./ledger-rules.ts";

/** The first link of every ledger's chain. */
export const ledgerStart = sha256Hex("sfi license ledger, schema 1");

/** A record and the exact text its hash was made over: what is stored is that text, `prev` and `hash`. */
export interface SealedRecord {
  readonly record: LedgerRecord;
  /** JSON of the record without `prev` and `hash`. */
  readonly body: string;
}

/** Puts a change in its place: number, time, station, and the hash over the previous hash and all of that. */
export function seal(
  change: LedgerChange,
  place: ChangePlace & { readonly id: string },
  prev: string,
): SealedRecord {
  const { seq, id, time, station, host } = place;
  const unsealed = { schema: 1, seq, id, time, station, host, ...change } as const;
  const body = JSON.stringify(unsealed);
  return { record: { ...unsealed, prev, hash: sha256Hex(prev, body) }, body };
}

/** One line of a ledger file: the body with `prev` and `hash` added at its end. No line end. */
export function ledgerLine({ record, body }: SealedRecord): string {
  return `${body.slice(0, -1)},"prev":"${record.prev}","hash":"${record.hash}"}`;
}

/** Where the next record must follow. */
export interface ChainPosition {
  readonly seq: number;
  readonly hash: string;
}

/**
 * Opens a stored record and checks that it is what was stored, right behind `after`.
 * @throws LEDGER_DAMAGED with the number the record should have
 */
export function openRecord(
  stored: { readonly body: string; readonly prev: string; readonly hash: string },
  after: ChainPosition,
  ledger: string,
): LedgerRecord {
  const damaged = (detail: string) =>
    StationError.of("LEDGER_DAMAGED", { ledger, record: after.seq + 1, detail });
  if (stored.prev !== after.hash) throw damaged("it does not follow the record before it");
  if (sha256Hex(stored.prev, stored.body) !== stored.hash)
    throw damaged("its hash does not match its content");
  const record = { ...JSON.parse(stored.body), prev: stored.prev, hash: stored.hash } as LedgerRecord;
  if (record.schema !== 1) throw damaged(`schema ${String(record.schema)} is not 1`);
  if (record.seq !== after.seq + 1) throw damaged(`it has the number ${String(record.seq)}`);
  return record;
}

/** What stands at the end of every line; its length is always the same. */
const tailForm = /^,"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}$/;
const tailLength = ',"prev":"","hash":""}'.length + 2 * 64;

/** Takes a line of a ledger file apart; undefined when it is none. */
export function splitLine(
  line: string,
): { readonly body: string; readonly prev: string; readonly hash: string } | undefined {
  const match = tailForm.exec(line.slice(-tailLength));
  if (match === null) return undefined;
  return { body: `${line.slice(0, -tailLength)}}`, prev: match[1] ?? "", hash: match[2] ?? "" };
}
