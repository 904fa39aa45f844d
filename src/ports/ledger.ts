/** What a ledger says of one license request. Certificates are public; only their digest is kept. */
export interface LedgerRequest {
  /** SHA-256 of the 136-byte certificate, hexadecimal. */
  readonly certificateDigest: string;
  /** Eight characters, e.g. "45002001". */
  readonly productId: string;
  /** The firmware as the source names it; `package:<digest>` where the source has no name for it. */
  readonly firmware: string;
  /** SHA-256 of the package it was first asked for, so that this package needs no source to find its license. */
  readonly packageDigest?: string | undefined;
  readonly protocol: "static";
}

/**
 * One line of account before it has a place in the ledger.
 * - open: a counted source is seen for the first time, with its counter
 * - reserve: a license is about to be asked for; from here on one may be spent
 * - issued: the license is in hand and stored; `spent` is what it cost
 * - released: the reservation cost nothing · burned: it cost a license that nobody got
 * - surplus: a license that came after another one for the same chip had been issued
 * - adopted: a license that was there before the ledger
 * - served: an issued license is given out again
 * - suspect, cleared, forgotten: a chip refused it; the operator trusts it again, or gives it up
 * - reconcile: the source's counter is not what the account says
 * - repaired: a half-written last line was cut off
 */
export type LedgerChange =
  | { readonly kind: "open"; readonly source: string; readonly counter: number }
  | {
      readonly kind: "reserve";
      readonly key: string;
      readonly source: string;
      readonly request: LedgerRequest;
      /** Who asked, where that is another than the station itself. */
      readonly client?: string;
      /** The source's counter just before. */
      readonly counter?: number;
      /** The operator accepts that an earlier license for this chip is lost. */
      readonly afterBurn?: boolean;
    }
  | {
      readonly kind: "issued" | "surplus";
      readonly key: string;
      readonly source: string;
      readonly reservation: number;
      /** 136 bytes, hexadecimal. */
      readonly license: string;
      readonly digest: string;
      readonly spent: 0 | 1;
      readonly counter?: number;
    }
  | {
      readonly kind: "released" | "burned";
      readonly key: string;
      readonly source: string;
      readonly reservation: number;
      readonly reason: string;
      readonly counter?: number;
    }
  | {
      readonly kind: "adopted";
      readonly key: string;
      readonly source: string;
      readonly license: string;
      readonly digest: string;
      readonly request: LedgerRequest;
    }
  | { readonly kind: "served"; readonly key: string; readonly client?: string }
  | { readonly kind: "suspect" | "cleared" | "forgotten"; readonly key: string; readonly reason: string }
  | {
      readonly kind: "reconcile";
      readonly source: string;
      readonly counter: number;
      readonly reason: string;
      /** The operator's word for a counter that went up. */
      readonly accepted: boolean;
    }
  | { readonly kind: "repaired"; readonly cutBytes: number; readonly reason: string };

/** A change in its place. `prev` and `hash` chain it to the record before it. */
export type LedgerRecord = LedgerChange & {
  readonly schema: 1;
  /** From 1, without gaps. */
  readonly seq: number;
  /** Unique, so that a record whose storing was in doubt can be looked for. */
  readonly id: string;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly station: string;
  /** Name of the machine. */
  readonly host: string;
  readonly prev: string;
  readonly hash: string;
};

/** What the ledger knows of one chip and firmware. */
export interface LedgerEntry {
  readonly key: string;
  readonly state: "reserved" | "issued" | "released" | "burned" | "forgotten";
  /** `seq` of the reservation the state rests on; 0 for an adopted license. */
  readonly reservation: number;
  readonly source: string;
  readonly station: string;
  readonly host: string;
  readonly client: string | undefined;
  readonly since: string;
  readonly request: LedgerRequest;
  /** The 136 bytes while the state is "issued". */
  readonly license: Uint8Array | undefined;
  readonly digest: string | undefined;
  /** How often a chip has refused the license since it was issued or cleared. */
  readonly suspicions: number;
  /** Every source that ever issued for this entry. */
  readonly issuers: readonly string[];
  /** Digests of licenses that were given up. */
  readonly forgotten: readonly string[];
}

/** The account of one counted source: `opened - counter = issued + burned + surplus + outside` at any time. */
export interface SourceAccount {
  readonly source: string;
  /** The counter when it was first seen. */
  readonly opened: number;
  /** What the counter must say now. */
  readonly counter: number;
  /** Open reservations: one at most, or what the counter says of it could not be told. */
  readonly reserved: number;
  readonly issued: number;
  readonly burned: number;
  readonly surplus: number;
  /** Licenses that others took from the source. */
  readonly outside: number;
}

/** The whole ledger in figures, every record of it checked. */
export interface LedgerSummary {
  readonly records: number;
  /** Hash of the last record; the start of the chain when there is none. */
  readonly head: string;
  readonly entries: Readonly<Record<LedgerEntry["state"], number>>;
  readonly suspect: number;
  readonly accounts: readonly SourceAccount[];
}

/** What came of an append: refused when the entry is no longer in the state the change needs. */
export type Appended =
  | { readonly admitted: true; readonly record: LedgerRecord }
  | { readonly admitted: false; readonly reason: string };

/**
 * The account of licenses: append-only, chained by hashes, durable, shared by all processes and stations that name the
 * same one. At most one reservation or license stands for a key at any time, whoever asks.
 */
export interface LicenseLedger {
  /** Where it is, for messages; never a password. */
  readonly name: string;
  entry(key: string): Promise<LedgerEntry | undefined>;
  /** Everything there is about one chip, by its certificate's SHA-256. */
  entriesOf(certificateDigest: string): Promise<readonly LedgerEntry[]>;
  account(source: string): Promise<SourceAccount | undefined>;
  /** Reservations of a source that have no outcome. */
  openReservations(source: string): Promise<readonly LedgerEntry[]>;
  /** How many licenses were issued to a client of the service. */
  issuedTo(client: string): Promise<number>;
  /**
   * Durable when the promise resolves. @throws LEDGER_UNAVAILABLE when it is not known to be stored, LEDGER_DAMAGED
   */
  append(change: LedgerChange): Promise<Appended>;
  /**
   * Does `work` while no other process or station does work on the same source. Ends with the process at the latest.
   * @throws LEDGER_BUSY when the turn does not come
   */
  exclusive<T>(source: string, work: () => Promise<T>): Promise<T>;
  /**
   * How long an open reservation, seen with the turn at its source, may still have a living owner: one that lost its
   * turn with a connection. 0: its owner is dead, and it may be settled.
   */
  mayLiveMs(entry: LedgerEntry): number;
  /** Every record, checked against the chain as it is read. @throws LEDGER_DAMAGED */
  records(): AsyncIterable<LedgerRecord>;
  /** Checks every record and what is kept beside them. @throws LEDGER_DAMAGED */
  summary(): Promise<LedgerSummary>;
  close(): Promise<void>;
}
