import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { hostname } from "node:os";
import { createInterface } from "node:readline";
import { sha256Hex } from "../../src/bytes/digest.ts";
import { StationError } from "../../src/errors/station-error.ts";
import {
  type ChainPosition,
  ledgerLine,
  openRecord,
  seal,
  splitLine,
} from "../../src/license/ledger-chain.ts";
import { rule } from "../../src/license/ledger-rules.ts";
import { emptyLedgerState, follow, standingOf, summarize } from "../../src/license/ledger-state.ts";
import type { Appended, LedgerChange, LedgerRecord, LicenseLedger } from "../../src/ports/index.ts";
import { withKernelLock } from "./kernel-lock.ts";
import { type LedgerFiles, openLedgerFiles } from "./ledger-file.ts";
import { createTurns } from "./turns.ts";

/** Who keeps the ledger, and what it may say to people. */
export interface LedgerOptions {
  /** Name of this station in every record. */
  readonly station: string;
  /** Name of this machine; the host name unless a test stands for several. */
  readonly host?: string;
  /** Told of what was found and dealt with, e.g. a half-written last line. */
  readonly onNotice: (message: string) => void;
  /** How long to wait for another process's turn at a source to end. */
  readonly turnTimeoutMs?: number;
}

export const defaultTurnTimeoutMs = 300_000;
/** One append takes milliseconds; a process that holds this lock longer has been stopped in the middle. */
const appendTimeoutMs = 60_000;

/**
 * The ledger of one station: a file that all its processes append to, one at a time by a lock of the kernel's.
 * For several machines there is the PostgreSQL ledger; a file on a network drive is not enough, since the lock does
 * not reach there.
 * @throws LEDGER_UNAVAILABLE, LEDGER_DAMAGED
 */
export async function openFileLedger(file: string, options: LedgerOptions): Promise<LicenseLedger> {
  const files = await openLedgerFiles(file);
  const turns = createTurns();
  const { state } = files;

  const locked = async <T>(work: () => Promise<T>): Promise<T> => {
    const done = await withKernelLock(`${files.lockName}-append`, appendTimeoutMs, work);
    if (done === undefined) {
      const detail = "another process has kept it locked for a minute";
      throw StationError.of("LEDGER_UNAVAILABLE", { ledger: file, detail });
    }
    return done.value;
  };

  const appendLocked = async (change: LedgerChange): Promise<Appended> => {
    if ((await files.refresh()) > 0) await repairTail(files, options);
    const place = placeAfter(files, options);
    const ruling = rule(change, place, standingOf(state, change));
    if (ruling.refused !== undefined) return { admitted: false, reason: ruling.refused };
    return { admitted: true, record: await files.append(ledgerLine(seal(change, place, state.hash))) };
  };

  try {
    await turns("append", () =>
      locked(async () => {
        if ((await files.refresh()) > 0) await repairTail(files, options);
      }),
    );
  } catch (error) {
    await files.close();
    throw error;
  }

  return {
    name: file,
    async entry(key) {
      await turns("append", files.refresh);
      return state.entries.get(key);
    },
    async entriesOf(digest) {
      await turns("append", files.refresh);
      return [...state.entries.values()].filter(({ request }) => request.certificateDigest === digest);
    },
    async account(source) {
      await turns("append", files.refresh);
      return state.accounts.get(source);
    },
    async openReservations(source) {
      await turns("append", files.refresh);
      return [...state.entries.values()].filter(
        (entry) => entry.state === "reserved" && entry.source === source,
      );
    },
    async issuedTo(client) {
      await turns("append", files.refresh);
      return state.clients.get(client) ?? 0;
    },
    append: (change) => turns("append", () => locked(() => appendLocked(change))),
    exclusive: (source, work) =>
      turns(`source ${source}`, async () => {
        const timeoutMs = options.turnTimeoutMs ?? defaultTurnTimeoutMs;
        const name = `${files.lockName}-${sha256Hex(source).slice(0, 16)}`;
        const done = await withKernelLock(name, timeoutMs, work);
        if (done !== undefined) return done.value;
        throw StationError.of("LEDGER_BUSY", { source, seconds: Math.round(timeoutMs / 1000) });
      }),
    // The turn is the kernel's: it is lost with the process only.
    mayLiveMs: () => 0,
    async *records() {
      await turns("append", files.refresh);
      yield* readRecords(file, files.sizeBytes);
    },
    async summary() {
      await turns("append", files.refresh);
      const fresh = emptyLedgerState();
      for await (const record of readRecords(file, files.sizeBytes)) follow(fresh, record, file);
      return summarize(fresh);
    },
    close: () => turns("append", files.close),
  };
}

/** Under the append lock nobody is writing: a line without its end was left by a process that died. */
async function repairTail(files: LedgerFiles, options: LedgerOptions): Promise<void> {
  const cutBytes = await files.cutTail();
  const reason = "a process died while it wrote the last line";
  const change: LedgerChange = { kind: "repaired", cutBytes, reason };
  await files.append(ledgerLine(seal(change, placeAfter(files, options), files.state.hash)));
  options.onNotice(`license ledger: ${reason}; its ${cutBytes} bytes were cut off, which is recorded`);
}

function placeAfter({ state }: LedgerFiles, { station, host = hostname() }: LedgerOptions) {
  return { seq: state.seq + 1, id: randomUUID(), time: new Date().toISOString(), station, host };
}

/** The records in the first `sizeBytes` of the file: what lies behind them may be half a line that is being written. */
async function* readRecords(file: string, sizeBytes: number): AsyncGenerator<LedgerRecord> {
  if (sizeBytes === 0) return;
  let after: ChainPosition = emptyLedgerState();
  const input = createReadStream(file, { end: sizeBytes - 1 });
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) {
    const stored = splitLine(line);
    if (stored === undefined) {
      const detail = "the line is no record";
      throw StationError.of("LEDGER_DAMAGED", { ledger: file, record: after.seq + 1, detail });
    }
    const record = openRecord(stored, after, file);
    after = record;
    yield record;
  }
}
