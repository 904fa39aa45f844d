import { asStationError, StationError } from "../errors/station-error.ts";
import type {
  Clock,
  LedgerEntry,
  LicenseLedger,
  LicenseSource,
  LicenseSourceState,
  SourceAccount,
} from "../ports/index.ts";
import { outcomeOf } from "./issue-outcome.ts";
import { type Keeping, recordFound } from "./kept-license.ts";

/** Waits before a counter is read again after a crash, a timeout or a lost session. */
const rereadDelaysMs = [200, 1000] as const;
/** How often to look for a token or reader that is waited for. */
const absentPollMs = 500;

/** What reconciliation works on. */
export interface Accounting extends Keeping {
  readonly source: LicenseSource;
  readonly clock: Clock;
  /** How long to wait for a missing token or reader. */
  readonly waitForSourceMs: number;
  /** Stop when others have used the source. */
  readonly strictCounter: boolean;
  readonly onNotice: (message: string) => void;
}

/** True when this station's ledger keeps the account of the source's counter. */
export function keepsAccount(source: LicenseSource): boolean {
  return source.counted && source.idempotent !== true;
}

/**
 * State and counter of a source: nothing is spent by reading, so what may be a passing fault is tried again twice, and a
 * missing token is waited for as long as the operator allowed.
 * @returns undefined when the source has nothing to read
 */
export async function readState(accounting: Accounting): Promise<LicenseSourceState | undefined> {
  const { source, clock, waitForSourceMs } = accounting;
  const deadlineMs = clock.monotonicMs() + waitForSourceMs;
  for (let reread = 0; ; ) {
    try {
      return await source.inspect?.();
    } catch (error) {
      const outcome = outcomeOf(source, error);
      if (outcome === "not-sent") throw error;
      if (outcome === "absent") {
        if (clock.monotonicMs() >= deadlineMs) throw error;
        await clock.sleep(absentPollMs);
        continue;
      }
      const delayMs = rereadDelaysMs[reread++];
      if (delayMs === undefined) throw error;
      await clock.sleep(delayMs);
    }
  }
}

/**
 * Settles what dead processes left open and compares the source's counter with the account. Called with the turn at
 * the source, so a reservation without an outcome has nobody who works on it any more.
 * @returns the source's state as read
 * @throws LICENSE_RESERVED while its owner may be alive without its turn
 * @throws LICENSE_OUTCOME_UNKNOWN, LEDGER_COUNTER_RAISED, LEDGER_COUNTER_LOWERED
 */
export async function reconcile(accounting: Accounting): Promise<LicenseSourceState | undefined> {
  const { source, ledger } = accounting;
  const open = await ledger.openReservations(source.name);
  for (const { key, station, since } of open.filter((entry) => ledger.mayLiveMs(entry) > 0)) {
    throw StationError.of("LICENSE_RESERVED", { key, station, source: source.name, since });
  }
  if (!keepsAccount(source)) {
    for (const entry of open) await settleFree(accounting, entry);
    return readState(accounting);
  }
  const state = await stateFor(accounting, open[0]);
  const account = await openAccount(ledger, source, state?.remaining);
  for (const entry of open) await settleDead(accounting, entry, state?.remaining, account);
  if (state?.remaining !== undefined) await compareCounter(accounting, state.remaining);
  return state;
}

async function openAccount(
  ledger: LicenseLedger,
  source: LicenseSource,
  remaining: number | undefined,
): Promise<SourceAccount | undefined> {
  const account = await ledger.account(source.name);
  if (account !== undefined || remaining === undefined) return account;
  await ledger.append({ kind: "open", source: source.name, counter: remaining });
  return ledger.account(source.name);
}

/** With a reservation open an unreadable counter is more than a fault of the source: nothing may go on before it. */
async function stateFor(
  accounting: Accounting,
  open: LedgerEntry | undefined,
): Promise<LicenseSourceState | undefined> {
  try {
    return await readState(accounting);
  } catch (error) {
    if (open === undefined) throw error;
    throw unknownOutcome(accounting.source, open.key, error);
  }
}

/** The error for a request whose cost cannot be told. */
export function unknownOutcome(source: LicenseSource, key: string, cause: unknown): StationError {
  const detail = asStationError(cause).message;
  return StationError.of("LICENSE_OUTCOME_UNKNOWN", { source: source.name, key, detail }, { cause });
}

async function settleFree({ ledger, store, source }: Accounting, entry: LedgerEntry): Promise<void> {
  const { key, reservation } = entry;
  const stored = await store.load(key);
  if (stored !== undefined) return recordFound(ledger, entry, stored, source.counted ? 1 : 0);
  const reason = "its process died; asking again costs nothing";
  await ledger.append({ kind: "released", key, source: source.name, reservation, reason });
}

async function settleDead(
  accounting: Accounting,
  entry: LedgerEntry,
  remaining: number | undefined,
  account: SourceAccount | undefined,
): Promise<void> {
  const { ledger, store, source, onNotice } = accounting;
  const { key, reservation } = entry;
  const missing = remaining === undefined || account === undefined ? undefined : account.counter - remaining;
  const stored = await store.load(key);
  if (stored !== undefined) return recordFound(ledger, entry, stored, missing === 0 ? 0 : 1);
  const counter = remaining === undefined ? {} : { counter: remaining };
  const place = { key, source: source.name, reservation, ...counter };
  if (missing !== undefined && missing <= 0) {
    const reason = "its process died; the counter shows that nothing was spent";
    await ledger.append({ kind: "released", ...place, reason });
    return;
  }
  const reason =
    missing === undefined
      ? "its process died, and the source has no counter that could tell"
      : "its process died; the counter shows that a license was spent";
  await ledger.append({ kind: "burned", ...place, reason });
  onNotice(`${source.name}: a license for ${key} was lost: ${reason}`);
}

/**
 * Holds the counter against the account and enters what others have used.
 * @throws LEDGER_COUNTER_RAISED, LEDGER_COUNTER_LOWERED
 */
async function compareCounter(accounting: Accounting, actual: number): Promise<void> {
  const { ledger, source, strictCounter, onNotice } = accounting;
  const account = await ledger.account(source.name);
  if (account === undefined || account.counter === actual) return;
  const expected = account.counter;
  if (actual > expected) {
    throw StationError.of("LEDGER_COUNTER_RAISED", { source: source.name, expected, actual });
  }
  const missing = expected - actual;
  if (strictCounter) {
    throw StationError.of("LEDGER_COUNTER_LOWERED", { source: source.name, expected, actual, missing });
  }
  const reason = `${missing} were used outside this ledger`;
  await ledger.append({ kind: "reconcile", source: source.name, counter: actual, accepted: false, reason });
  onNotice(`${source.name}: ${reason} (${actual} left)`);
}

/** That the source would issue now. @throws HSM_STATE_UNFIT, HSM_EXHAUSTED */
export function requireReady(source: LicenseSource, state: LicenseSourceState | undefined): void {
  if (state?.remaining === 0) throw StationError.of("HSM_EXHAUSTED", { source: source.name });
  if (state?.ready === false) {
    throw StationError.of("HSM_STATE_UNFIT", { source: source.name, state: state.detail });
  }
}
