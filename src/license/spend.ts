import { sha256Hex } from "../bytes/digest.ts";
import { toHex } from "../bytes/hex.ts";
import { asStationError, StationError } from "../errors/station-error.ts";
import { parseLicense } from "../package/license.ts";
import type { LedgerRequest, LicenseRequest } from "../ports/index.ts";
import { type Accounting, keepsAccount, readState, requireReady, unknownOutcome } from "./counter.ts";
import { outcomeOf } from "./issue-outcome.ts";

/** Places at which a process may die; a test has it die there. */
export type BrokerPoint = "reserving" | "reserved" | "answered" | "counted" | "stored" | "recorded";

/** What one request is, and how far it may go. */
export interface Spending {
  readonly key: string;
  readonly request: LicenseRequest;
  readonly ledgerRequest: LedgerRequest;
  readonly client: string | undefined;
  /** How many licenses for this chip may be lost before giving up; 0 unless the operator said so. */
  readonly allowBurn: number;
  readonly at: (point: BrokerPoint) => Promise<void>;
}

/**
 * Asks the source for one license, with the turn at it, and enters every step before and after. The rules of what may
 * be asked again:
 * - nothing was sent: released, no second try (a missing token is waited for as long as allowed)
 * - it failed and the counter stands: released, one second try
 * - it failed and the counter fell: burned; another try only as `allowBurn` says
 * - it failed and the counter cannot be read: the reservation stays, and nothing more is asked
 * @throws LICENSE_BURNED, LICENSE_OUTCOME_UNKNOWN, LICENSE_RESERVED, and the source's own errors
 */
export async function spendLicense(accounting: Accounting, spending: Spending): Promise<Uint8Array> {
  let mayRepeat = true;
  let mayBurn = spending.allowBurn;
  // One that was lost in an earlier run counts against what may be lost.
  const lostBefore = (await accounting.ledger.entry(spending.key))?.state === "burned";
  let afterBurn = lostBefore && (mayBurn > 0 || !accounting.source.counted);
  if (afterBurn) mayBurn--;
  for (;;) {
    const reservation = await reserve(accounting, spending, afterBurn);
    const asked = await ask(accounting, spending);
    if ("license" in asked) return settleIssued(accounting, spending, reservation, asked.license);
    const end = await settleFailed(accounting, spending, reservation, asked.error);
    if (end === "released" && mayRepeat) mayRepeat = false;
    else if (end === "burned" && mayBurn > 0) {
      mayBurn--;
      afterBurn = true;
    } else throw end === "burned" ? burned(accounting, spending, reservation, asked.error) : asked.error;
    requireReady(accounting.source, await readState(accounting));
  }
}

interface Reservation {
  readonly seq: number;
  readonly counter: number | undefined;
}

async function reserve(accounting: Accounting, spending: Spending, afterBurn: boolean): Promise<Reservation> {
  const { ledger, source } = accounting;
  const counter = keepsAccount(source) ? (await ledger.account(source.name))?.counter : undefined;
  await spending.at("reserving");
  const appended = await ledger.append({
    kind: "reserve",
    key: spending.key,
    source: source.name,
    request: spending.ledgerRequest,
    ...(spending.client === undefined ? {} : { client: spending.client }),
    ...(counter === undefined ? {} : { counter }),
    ...(afterBurn ? { afterBurn } : {}),
  });
  if (!appended.admitted) throw await notReserved(accounting, spending);
  await spending.at("reserved");
  return { seq: appended.record.seq, counter };
}

async function notReserved({ ledger, source }: Accounting, { key }: Spending): Promise<StationError> {
  const entry = await ledger.entry(key);
  if (entry?.state === "burned") {
    const account = await ledger.account(source.name);
    const after = account?.counter ?? "not readable";
    const before = account === undefined ? "not readable" : account.counter + 1;
    return StationError.of("LICENSE_BURNED", { source: entry.source, key, before, after });
  }
  const { station = "another station", since = "just now" } = entry ?? {};
  return StationError.of("LICENSE_RESERVED", { key, station, source: entry?.source ?? source.name, since });
}

async function ask(
  { source }: Accounting,
  { request, at }: Spending,
): Promise<{ readonly license: Uint8Array } | { readonly error: unknown }> {
  try {
    const license = await source.issue(request);
    await at("answered");
    // An answer of another size is torn: what it cost, the counter must say.
    parseLicense(license, source.name);
    return { license };
  } catch (error) {
    return { error };
  }
}

async function settleIssued(
  accounting: Accounting,
  spending: Spending,
  reservation: Reservation,
  license: Uint8Array,
): Promise<Uint8Array> {
  const { ledger, store, source, onNotice } = accounting;
  const { key } = spending;
  const after = await counterAfter(accounting);
  await spending.at("counted");
  const saved = await store.save(key, license).then(
    () => undefined,
    (error: unknown) => asStationError(error).in({ licenseSpent: source.counted }),
  );
  await spending.at("stored");
  const spent = costOf(accounting, reservation, after);
  const found = { license: toHex(license), digest: sha256Hex(license), spent };
  const place = { key, source: source.name, reservation: reservation.seq };
  const counter = after === undefined ? {} : { counter: after };
  try {
    const appended = await ledger.append({ kind: "issued", ...place, ...found, ...counter });
    if (!appended.admitted) {
      await ledger.append({ kind: "surplus", ...place, ...found, ...counter });
      onNotice(
        `${source.name}: a second license for ${key} arrived late (${appended.reason}); it is recorded`,
      );
      throw await notReserved(accounting, spending);
    }
  } catch (error) {
    throw asStationError(error).in({ licenseSpent: source.counted });
  }
  await spending.at("recorded");
  if (saved !== undefined) throw saved;
  await enterOutside(accounting, reservation, spent, after);
  return license;
}

/** What others have used meanwhile is entered at once; whatever else is wrong with the counter, the next look says. */
async function enterOutside(
  { ledger, source, onNotice }: Accounting,
  { counter: before }: Reservation,
  spent: 0 | 1,
  after: number | undefined,
): Promise<void> {
  if (before === undefined || after === undefined || after >= before - spent) return;
  const reason = `${before - spent - after} were used outside this ledger`;
  await ledger.append({ kind: "reconcile", source: source.name, counter: after, accepted: false, reason });
  onNotice(`${source.name}: ${reason} (${after} left)`);
}

/** A license in hand is not given away because the counter could not be read behind it; the next look settles it. */
async function counterAfter(accounting: Accounting): Promise<number | undefined> {
  if (!keepsAccount(accounting.source)) return undefined;
  try {
    return (await readState(accounting))?.remaining;
  } catch (error) {
    accounting.onNotice(
      `${accounting.source.name}: the counter could not be read after a license: ${asStationError(error).message}`,
    );
    return undefined;
  }
}

/** What a license cost: nothing where nobody counts, or where the counter stands although a license came. */
function costOf({ source }: Accounting, { counter: before }: Reservation, after: number | undefined): 0 | 1 {
  if (!source.counted) return 0;
  return before !== undefined && before === after ? 0 : 1;
}

async function settleFailed(
  accounting: Accounting,
  { key }: Spending,
  reservation: Reservation,
  error: unknown,
): Promise<"released" | "final" | "burned"> {
  const { ledger, source } = accounting;
  const reason = asStationError(error).message;
  const place = { key, source: source.name, reservation: reservation.seq, reason };
  const outcome = outcomeOf(source, error);
  if (outcome === "not-sent" || outcome === "absent" || !source.counted) {
    await ledger.append({ kind: "released", ...place });
    return "final";
  }
  if (!keepsAccount(source)) {
    await ledger.append({ kind: "released", ...place });
    return "released";
  }
  const after = await readState(accounting).then(
    (state) => state?.remaining,
    (unreadable: unknown) => {
      throw unknownOutcome(source, key, unreadable);
    },
  );
  const before = reservation.counter;
  const stands = before !== undefined && after !== undefined && after >= before;
  const counter = after === undefined ? {} : { counter: after };
  await ledger.append({ kind: stands ? "released" : "burned", ...place, ...counter });
  return stands ? "released" : "burned";
}

function burned(
  { source }: Accounting,
  { key }: Spending,
  { counter }: Reservation,
  cause: unknown,
): StationError {
  const before = counter ?? "not readable";
  const after = counter === undefined ? "not readable" : counter - 1;
  return StationError.of(
    "LICENSE_BURNED",
    { source: source.name, key, before, after },
    { cause, licenseSpent: true },
  );
}
