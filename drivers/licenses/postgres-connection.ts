import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { isStationError, StationError } from "../../src/errors/station-error.ts";

/** What a work on the database may do: ask it something. */
export type Query = <Row extends pg.QueryResultRow>(
  text: string,
  values?: readonly unknown[],
) => Promise<Row[]>;

/** Connections to one database that outlive a restart of its server. */
export interface Database {
  /** The address without a password, for messages. */
  readonly name: string;
  /**
   * Does `work` on one connection, inside a transaction of its own making or none; again from the start when the
   * connection was lost, so it must be safe to repeat.
   * @throws LEDGER_UNAVAILABLE
   */
  withConnection<T>(work: (query: Query) => Promise<T>, patienceMs?: number): Promise<T>;
  /**
   * Does `work` while a session of the server holds the lock `name`; the server gives it up with the connection, which
   * `work` does not notice by itself: it is told which session it is.
   * @returns undefined when the lock did not come in time
   */
  withSessionLock<T>(
    name: string,
    timeoutMs: number,
    work: (session: LockSession) => Promise<T>,
  ): Promise<{ readonly value: T } | undefined>;
  close(): Promise<void>;
}

/** The session of the server that holds a lock. */
export interface LockSession {
  readonly pid: number;
  /** The server's text for when it began: process ids come again. */
  readonly begun: string;
}

/** How long a server may be away before a request is given up; less for the first, which meets a wrong address. */
const defaultPatienceMs = 30_000;
export const openingPatienceMs = 5_000;
const connectTimeoutMs = 5_000;
const retryMs = 200;
/** SQLSTATE lock_not_available: lock_timeout has passed. */
const lockNotAvailable = "55P03";

/** Opens connections lazily. Passwords come from PGPASSFILE or PGPASSWORD, as for every PostgreSQL client. */
export function openDatabase(address: string): Database {
  const name = nameOf(address);
  const config = { connectionString: address, connectionTimeoutMillis: connectTimeoutMs, keepAlive: true };
  const work = new pg.Pool({ ...config, max: 4, application_name: "sfi license ledger" });
  // Locks wait on connections of their own: waiting ones must not keep the holder from writing.
  const locks = new pg.Pool({ ...config, max: 16, application_name: "sfi license turn" });
  // An idle connection that the server closes leaves the pool; the next request opens another one.
  work.on("error", () => undefined);
  locks.on("error", () => undefined);

  const unavailable = (error: unknown) =>
    StationError.of("LEDGER_UNAVAILABLE", { ledger: name, detail: detailOf(error) }, { cause: error });

  const patiently = async <T>(attempt: () => Promise<T>, patienceMs = defaultPatienceMs): Promise<T> => {
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        if (isStationError(error)) throw error;
        if (!isPassing(error) || performance.now() >= deadlineMs) throw unavailable(error);
        await delay(retryMs);
      }
    }
  };

  return {
    name,
    withConnection: (doWork, patienceMs) =>
      patiently(async () => {
        const client = await work.connect();
        const lost = watch(client);
        try {
          const result = await doWork(queryOn(client));
          client.release();
          return result;
        } catch (error) {
          // A connection in an unknown state is not used again; the server rolls back what it had begun.
          client.release(true);
          throw error;
        } finally {
          lost.stop();
        }
      }, patienceMs),
    async withSessionLock(lock, timeoutMs, doWork) {
      const held = await patiently(() => holdLock(locks, lock, timeoutMs));
      if (held === undefined) return undefined;
      try {
        return { value: await doWork(held.session) };
      } finally {
        await held.release();
      }
    },
    async close() {
      await work.end();
      await locks.end();
    },
  };
}

function queryOn(client: pg.PoolClient): Query {
  return async (text, values) =>
    (await client.query(text, values === undefined ? undefined : [...values])).rows;
}

/** A connection that breaks while nothing is asked tells it by an event; whatever is asked next fails by itself. */
function watch(client: pg.PoolClient): { stop(): void } {
  const ignore = () => undefined;
  client.on("error", ignore);
  return { stop: () => client.off("error", ignore) };
}

async function holdLock(
  pool: pg.Pool,
  name: string,
  timeoutMs: number,
): Promise<{ readonly session: LockSession; release(): Promise<void> } | undefined> {
  const client = await pool.connect();
  const lost = watch(client);
  const key = "hashtextextended($1, 0)";
  let session: LockSession;
  try {
    await client.query(`SET lock_timeout = ${Math.ceil(timeoutMs)}`);
    await client.query(`SELECT pg_advisory_lock(${key})`, [name]);
    const own = "SELECT pid, backend_start::text AS begun FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    const { rows } = await client.query<LockSession>(own);
    session = rows[0] ?? { pid: 0, begun: "" };
  } catch (error) {
    lost.stop();
    client.release(true);
    if (codeOf(error) === lockNotAvailable) return undefined;
    throw error;
  }
  return {
    session,
    async release() {
      // Closing the session instead when that fails: the lock goes with it.
      const unlocked = await client.query(`SELECT pg_advisory_unlock(${key})`, [name]).then(
        () => true,
        () => false,
      );
      client.release(!unlocked);
      if (unlocked) lost.stop();
    },
  };
}

/**
 * Errors that a server's restart or a busy moment explains; everything else is final. What the server itself says has a
 * SQLSTATE of five characters; the client's own errors without any code are all about a connection that is gone.
 */
function isPassing(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return false;
  const code = codeOf(error);
  if (code === undefined) return true;
  return (
    /^(08...|57P0[123]|53300|40001|40P01|55P03)$/.test(code) ||
    ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOENT", "ETIMEDOUT"].includes(code)
  );
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown }).code;
  return typeof code === "string" ? code : undefined;
}

function detailOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(detailOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}

function nameOf(address: string): string {
  const url = new URL(address);
  url.password = "";
  return url.href;
}
