import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { isDeepStrictEqual } from "node:util";
import { sha256Hex } from "../../src/bytes/digest.ts";
import { fromHex, toHex } from "../../src/bytes/hex.ts";
import { StationError } from "../../src/errors/station-error.ts";
import { type ChainPosition, ledgerStart, openRecord, seal } from "../../src/license/ledger-chain.ts";
import { type Ruling, rule, type Standing } from "../../src/license/ledger-rules.ts";
import { emptyLedgerState, follow, type LedgerState, summarize } from "../../src/license/ledger-state.ts";
import type {
  Appended,
  LedgerChange,
  LedgerEntry,
  LedgerRecord,
  LedgerSummary,
  LicenseLedger,
  SourceAccount,
} from "../../src/ports/index.ts";
import { defaultTurnTimeoutMs, type LedgerOptions } from "./file-ledger.ts";
import { withKernelLock } from "./kernel-lock.ts";
import {
  type Database,
  type LockSession,
  openDatabase,
  openingPatienceMs,
  type Query,
} from "./postgres-connection.ts";
import * as sql from "./postgres-schema.ts";
import { createTurns } from "./turns.ts";

/** No request to a source takes longer than this, whatever becomes of the connection to the ledger meanwhile. */
const longestRequestMs = 180_000;
/** Records are read in pages of this many. */
const pageSize = 1000;
/** Key of the lock that lets one station at a time create the tables. */
const createLock = "sfi license tables";

interface StoredRecord {
  readonly seq: string | number;
  readonly body: string;
  readonly prev: string;
  readonly hash: string;
}
interface StoredEntry {
  readonly content: string;
  readonly license: string | null;
}

/**
 * The ledger that several stations share: one PostgreSQL database. Order and uniqueness are its transactions' and
 * constraints', turns at a source are its session locks, durability is its commit.
 * @param address postgres://[user@]host[:port]/database, without a password
 * @throws LEDGER_UNAVAILABLE, LEDGER_DAMAGED
 */
export async function openPostgresLedger(address: string, options: LedgerOptions): Promise<LicenseLedger> {
  const database = openDatabase(address);
  const turns = createTurns();
  const host = options.host ?? hostname();
  /** Sessions that hold the turns of this process, by source. */
  const held = new Map<string, LockSession>();
  const { name } = database;
  const summary = () => database.withConnection((query) => verify(query, name));
  try {
    await database.withConnection(createTables, openingPatienceMs);
    await summary();
  } catch (error) {
    await database.close();
    throw error;
  }
  const one = <T>(text: string, values: readonly unknown[], read: (row: never) => T) =>
    database.withConnection(async (query) => {
      const [row] = await query(text, values);
      return row === undefined ? undefined : read(row as never);
    });
  const entries = `SELECT content, encode(license, 'hex') AS license FROM ${sql.schemaName}.entry`;

  /**
   * Two locks. The server's keeps other machines out, and is lost with the connection. The kernel's keeps other
   * processes of this machine out for as long as this one lives, so that what they find open was left by the dead.
   */
  const takeTurn = async <T>(source: string, work: () => Promise<T>): Promise<T> => {
    const timeoutMs = options.turnTimeoutMs ?? defaultTurnTimeoutMs;
    const done = await withKernelLock(`turn-${sha256Hex(host, name, source).slice(0, 32)}`, timeoutMs, () =>
      database.withSessionLock(`sfi license source ${source}`, timeoutMs, async (session) => {
        held.set(source, session);
        try {
          return await work();
        } finally {
          held.delete(source);
        }
      }),
    );
    if (done?.value !== undefined) return done.value.value;
    throw StationError.of("LEDGER_BUSY", { source, seconds: Math.round(timeoutMs / 1000) });
  };

  return {
    name,
    entry: (key) => one(`${entries} WHERE key = $1`, [key], readEntry),
    entriesOf: (digest) =>
      database.withConnection(async (query) =>
        (await query<StoredEntry>(`${entries} WHERE certificate = $1`, [digest])).map(readEntry),
      ),
    account: (source) =>
      one(`SELECT * FROM ${sql.schemaName}.account WHERE source = $1`, [source], readAccount),
    openReservations: (source) =>
      database.withConnection(async (query) => {
        const rows = await query<StoredEntry>(`${entries} WHERE state = 'reserved' AND source = $1`, [
          source,
        ]);
        return rows.map(readEntry).sort((a, b) => a.reservation - b.reservation);
      }),
    async issuedTo(client) {
      const text = `SELECT issued FROM ${sql.schemaName}.client WHERE name = $1`;
      return (await one(text, [client], ({ issued }: { issued: string }) => Number(issued))) ?? 0;
    },
    append: (change) =>
      append(
        database,
        change,
        { station: options.station, host },
        "source" in change ? held.get(change.source) : undefined,
      ),
    exclusive: (source, work) => turns(source, () => takeTurn(source, work)),
    mayLiveMs: (entry) =>
      entry.host === host ? 0 : Math.max(0, Date.parse(entry.since) + longestRequestMs - Date.now()),
    records: () => readRecords(database),
    summary,
    close: () => database.close(),
  };
}

async function createTables(query: Query): Promise<void> {
  await query("BEGIN");
  await query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [createLock]);
  const [found] = await query<{ found: boolean }>(
    `SELECT to_regclass('${sql.schemaName}.head') IS NOT NULL AS found`,
  );
  if (found?.found !== true) await query(sql.createTables);
  await query(sql.insertHead, [ledgerStart]);
  await query("COMMIT");
}

/** The same id in every attempt: when a commit's answer was lost, the record is found instead of written twice. */
function append(
  database: Database,
  change: LedgerChange,
  by: { readonly station: string; readonly host: string },
  turn: LockSession | undefined,
): Promise<Appended> {
  const id = randomUUID();
  return database.withConnection(async (query) => {
    await query(sql.beginAppend);
    const [head] = await query<{ seq: string; hash: string }>(sql.lockHead);
    const position = { seq: Number(head?.seq ?? 0), hash: head?.hash ?? ledgerStart };
    const key = "key" in change ? change.key : null;
    const source = "source" in change ? change.source : null;
    const [found] = await query<FoundStanding>(sql.selectStanding, [key, source, id, position.seq]);
    if (found?.done) {
      await query("COMMIT");
      const { done } = found;
      const record = { ...JSON.parse(done.body), prev: done.prev, hash: done.hash } as LedgerRecord;
      return { admitted: true, record };
    }
    checkLast(found?.last, position, database.name);
    if (change.kind === "reserve" && turn !== undefined && !(await holdsTurn(query, turn))) {
      await query("ROLLBACK");
      return { admitted: false, reason: "the turn at the source was lost with its connection" };
    }
    const place = { seq: position.seq + 1, id, time: new Date().toISOString(), ...by };
    const standing: Standing = {
      entry: found?.entry ? readEntry(found.entry) : undefined,
      account: found?.account ? readAccount(found.account) : undefined,
    };
    const ruling = rule(change, place, standing);
    if (ruling.refused !== undefined) {
      await query("ROLLBACK");
      return { admitted: false, reason: ruling.refused };
    }
    const { record, body } = seal(change, place, position.hash);
    await query(sql.insertRecord, [record.seq, id, body, record.prev, record.hash]);
    await storeStanding(query, record, ruling, standing);
    await query(sql.moveHead, [record.seq, record.hash]);
    await query("COMMIT");
    return { admitted: true, record };
  });
}

/** Nothing is asked for without the turn: what went before it, the counter above all, may not be true any more. */
async function holdsTurn(query: Query, { pid, begun }: LockSession): Promise<boolean> {
  const [row] = await query<{ holds: boolean }>(sql.holdsTurn, [pid, begun]);
  return row?.holds === true;
}

interface FoundStanding {
  readonly last: Omit<StoredRecord, "seq"> | null;
  readonly done: StoredRecord | null;
  readonly entry: StoredEntry | null;
  readonly account: SourceAccount | null;
}

/** Nothing is written behind a last record that is not the one the head names. */
function checkLast(last: FoundStanding["last"] | undefined, head: ChainPosition, ledger: string): void {
  if (head.seq === 0 && head.hash === ledgerStart) return;
  const damaged = (detail: string) => StationError.of("LEDGER_DAMAGED", { ledger, record: head.seq, detail });
  if (!last) throw damaged("the last record is missing");
  if (last.hash !== head.hash) throw damaged("the last record is not the one the ledger ended with");
  openRecord(last, { seq: head.seq - 1, hash: last.prev }, ledger);
}

async function storeStanding(
  query: Query,
  record: LedgerRecord,
  { entry, account }: Exclude<Ruling, { refused: string }>,
  before: Standing,
): Promise<void> {
  if (entry !== undefined && entry !== before.entry) {
    const { license, ...content } = entry;
    const bytes = license === undefined ? null : Buffer.from(license);
    const text = JSON.stringify(content);
    const { certificateDigest } = entry.request;
    await query(sql.upsertEntry, [entry.key, entry.state, entry.source, certificateDigest, text, bytes]);
  }
  if (account !== undefined && account !== before.account) {
    const { source, opened, counter, reserved, issued, burned, surplus, outside } = account;
    const values = [source, opened, counter, reserved, issued, burned, surplus, outside];
    await query(sql.upsertAccount, values);
  }
  if (record.kind === "issued" && entry?.client !== undefined) await query(sql.countClient, [entry.client]);
}

function readEntry({ content, license }: StoredEntry): LedgerEntry {
  const entry = JSON.parse(content) as LedgerEntry;
  return {
    ...entry,
    client: entry.client,
    digest: entry.digest,
    license: license === null ? undefined : fromHex(license),
  };
}

/** bigint columns arrive as text. */
function readAccount(row: SourceAccount): SourceAccount {
  const { source, opened, counter, reserved, issued, burned, surplus, outside } = row;
  return {
    source,
    opened: Number(opened),
    counter: Number(counter),
    reserved: Number(reserved),
    issued: Number(issued),
    burned: Number(burned),
    surplus: Number(surplus),
    outside: Number(outside),
  };
}

async function* readRecords(database: Database): AsyncGenerator<LedgerRecord> {
  let after: ChainPosition = emptyLedgerState();
  for (;;) {
    const page = await database.withConnection((query) => readPage(query, after.seq));
    for (const stored of page) {
      const record = openRecord(stored, after, database.name);
      after = record;
      yield record;
    }
    if (page.length < pageSize) return;
  }
}

function readPage(query: Query, after: number): Promise<StoredRecord[]> {
  const text = `SELECT seq, body, prev, hash FROM ${sql.schemaName}.record WHERE seq > $1 ORDER BY seq LIMIT ${pageSize}`;
  return query<StoredRecord>(text, [after]);
}

/** Follows every record and holds the tables beside them against what the records say, as of one moment. */
async function verify(query: Query, ledger: string): Promise<LedgerSummary> {
  await query("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY");
  const state = emptyLedgerState();
  for (;;) {
    const page = await readPage(query, state.seq);
    for (const stored of page) follow(state, openRecord(stored, state, ledger), ledger);
    if (page.length < pageSize) break;
  }
  const [head] = await query<{ seq: string; hash: string }>(`SELECT seq, hash FROM ${sql.schemaName}.head`);
  const damaged = (detail: string) =>
    StationError.of("LEDGER_DAMAGED", { ledger, record: state.seq, detail });
  if (Number(head?.seq) > state.seq)
    throw damaged(`it ended with record ${head?.seq} before; records are missing`);
  if (Number(head?.seq) !== state.seq || head?.hash !== state.hash)
    throw damaged("its head is of another record");
  await compareTables(query, state, damaged);
  await query("COMMIT");
  return summarize(state);
}

async function compareTables(
  query: Query,
  state: LedgerState,
  damaged: (detail: string) => StationError,
): Promise<void> {
  const entries = await query<StoredEntry & { key: string; state: string }>(
    `SELECT key, state, content, encode(license, 'hex') AS license FROM ${sql.schemaName}.entry`,
  );
  for (const row of entries) {
    const said = state.entries.get(row.key);
    const same =
      said !== undefined && said.state === row.state && comparable(said) === comparable(readEntry(row));
    if (!same) throw damaged(`entry ${row.key} is not what the records say`);
  }
  if (entries.length !== state.entries.size) throw damaged("entries are missing that the records speak of");
  const accounts = await query<SourceAccount>(`SELECT * FROM ${sql.schemaName}.account`);
  const read = new Map(accounts.map(readAccount).map((account) => [account.source, account]));
  if (!isDeepStrictEqual(read, state.accounts)) throw damaged("the accounts are not what the records say");
  const clients = await query<{ name: string; issued: string }>(
    `SELECT name, issued FROM ${sql.schemaName}.client`,
  );
  const issued = new Map(clients.map((client) => [client.name, Number(client.issued)]));
  if (!isDeepStrictEqual(issued, state.clients))
    throw damaged("the clients' counts are not what the records say");
}

function comparable({ license, ...entry }: LedgerEntry): string {
  const fields = Object.entries(entry).filter(([, value]) => value !== undefined);
  return JSON.stringify([
    fields.sort(([a], [b]) => (a < b ? -1 : 1)),
    license === undefined ? "" : toHex(license),
  ]);
}
