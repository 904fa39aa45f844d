import { sha256Hex } from "../bytes/digest.ts";
import { isStationError, StationError } from "../errors/station-error.ts";
import type {
  Clock,
  LedgerRequest,
  LicenseLedger,
  LicenseRequest,
  LicenseSource,
  LicenseStore,
} from "../ports/index.ts";
import { licenseStoreKey, requestFor } from "./broker.ts";
import { type CertificateRules, checkCertificate } from "./check-certificate.ts";
import { type Accounting, keepsAccount, reconcile, requireReady } from "./counter.ts";
import { loadKept } from "./kept-license.ts";
import { type BrokerPoint, spendLicense } from "./spend.ts";

/** What the operator decided about spending. */
export interface BrokerPolicy {
  /** How many licenses of one chip may be lost before giving up. */
  readonly allowBurn: number;
  readonly waitForSourceMs: number;
  readonly strictCounter: boolean;
  readonly certificates: CertificateRules;
}

export const cautiousPolicy: BrokerPolicy = {
  allowBurn: 0,
  waitForSourceMs: 0,
  strictCounter: false,
  certificates: {},
};

export interface BrokerOptions {
  readonly source: LicenseSource;
  readonly ledger: LicenseLedger;
  readonly store: LicenseStore;
  readonly clock: Clock;
  readonly policy: BrokerPolicy;
  /** Warnings for people: low water, licenses used elsewhere, licenses lost. */
  readonly onNotice: (message: string) => void;
  /** Told of every point at which a death of the process leaves something to settle. */
  readonly at?: (point: BrokerPoint) => Promise<void>;
}

/** Who asks, where that is another than the station itself. */
export interface LicenseClient {
  readonly name: string;
  /** How many licenses it may be issued in all; undefined: any number. */
  readonly quota: number | undefined;
}

/** A license and what getting it cost. */
export interface BrokeredLicense {
  readonly license: Uint8Array;
  readonly key: string;
  /** True when this call had it issued; false when it was kept or another call got it. */
  readonly issued: boolean;
}

/** One source, one account: everything that asks for a license goes through here. */
export interface LicenseBroker {
  /**
   * The license for a chip and firmware: kept, or issued once however many ask at the same time.
   * @throws CERTIFICATE_INVALID, the LICENSE_ and LEDGER_ classes, and the source's own errors
   */
  obtain(request: LicenseRequest, client?: LicenseClient): Promise<BrokeredLicense>;
  /** What `obtain` would meet before it spends anything. @throws as obtain does */
  check(real: boolean): Promise<void>;
  /**
   * Before a batch: that it can be finished.
   * @returns how many of the chips have no license yet
   * @throws LICENSE_BATCH_TOO_LARGE
   */
  checkBatch(requests: readonly LicenseRequest[]): Promise<number>;
}

/** Few enough licenses left to say so: 50, or a twentieth of what the source had. */
const lowWater = { licenses: 50, fraction: 0.05 } as const;
/** How often to look whether another source has answered for the same chip, and how long. */
const reservedPollMs = 100;
const reservedWaitMs = 200_000;

/** Makes the broker of one source. */
export function createLicenseBroker(options: BrokerOptions): LicenseBroker {
  const { source, ledger, store, policy, onNotice } = options;
  const inFlight = new Map<string, Promise<BrokeredLicense>>();
  const accounting: Accounting = {
    source,
    ledger,
    store,
    clock: options.clock,
    waitForSourceMs: policy.waitForSourceMs,
    strictCounter: policy.strictCounter,
    onNotice,
  };
  const at = options.at ?? (async () => {});

  const describe = (request: LicenseRequest): LedgerRequest => {
    const { productId } = checkCertificate(
      request.certificate,
      policy.certificates,
      "the chip's certificate",
    );
    return {
      certificateDigest: sha256Hex(request.certificate),
      productId,
      firmware: request.firmwareId ?? `package:${request.packageDigest}`,
      packageDigest: request.packageDigest,
      protocol: "static",
    };
  };

  const kept = async (request: LicenseRequest, client: LicenseClient | undefined) => {
    const key = licenseStoreKey(request);
    const license = await loadKept({ ledger, store }, key, describe(request));
    if (license === undefined) return undefined;
    await ledger.append({ kind: "served", key, ...(client === undefined ? {} : { client: client.name }) });
    return { license, key, issued: false };
  };

  /** Takes the turn at the source; while another station is in the middle of a request, again and again. */
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const deadlineMs = options.clock.monotonicMs() + reservedWaitMs;
    for (;;) {
      try {
        return await ledger.exclusive(source.name, work);
      } catch (error) {
        if (!isStationError(error, "LICENSE_RESERVED") || options.clock.monotonicMs() >= deadlineMs)
          throw error;
        await options.clock.sleep(reservedPollMs);
      }
    }
  };

  /** With the turn at the source: what was true before it came may not be any more. */
  const obtainInTurn = async (
    asked: LicenseRequest,
    client: LicenseClient | undefined,
  ): Promise<BrokeredLicense> => {
    const state = await reconcile(accounting);
    const request = requestFor(source, asked, state);
    const found = await kept(request, client);
    if (found !== undefined) return found;
    const key = licenseStoreKey(request);
    await requireQuota(ledger, client);
    requireUnused(source, await ledger.entry(key));
    requireReady(source, state);
    const ledgerRequest = describe(request);
    const spending = { key, request, ledgerRequest, client: client?.name, allowBurn: policy.allowBurn, at };
    const license = await spendLicense(accounting, spending);
    await warnLowWater(accounting);
    return { license, key, issued: true };
  };

  const obtainOne = async (request: LicenseRequest, client: LicenseClient | undefined) => {
    describe(request);
    // Where the key is known without asking the source, a chip that has its license needs none.
    const keyIsKnown = request.firmwareId !== undefined || source.inspect === undefined;
    const found = keyIsKnown ? await kept(request, client) : undefined;
    if (found !== undefined) return found;
    return inTurn(() => obtainInTurn(request, client));
  };

  return {
    async obtain(request, client) {
      const same = sha256Hex(request.certificate, request.packageDigest, request.firmwareId ?? "");
      const running = inFlight.get(same);
      if (running !== undefined) return { ...(await running), issued: false };
      const obtaining = obtainOne(request, client).finally(() => inFlight.delete(same));
      inFlight.set(same, obtaining);
      return obtaining;
    },
    async check(real) {
      await source.check(real);
      await store.checkWritable();
      await inTurn(async () => requireReady(source, await reconcile(accounting)));
    },
    async checkBatch(requests) {
      const state = await inTurn(() => reconcile(accounting));
      let needed = 0;
      for (const request of requests) {
        const entry = await ledger.entry(licenseStoreKey(requestFor(source, request, state)));
        if (entry?.state !== "issued") needed++;
      }
      const remaining = state?.remaining;
      if (source.counted && remaining !== undefined && needed > remaining) {
        throw StationError.of("LICENSE_BATCH_TOO_LARGE", { needed, remaining, source: source.name });
      }
      await warnLowWater(accounting, needed);
      return needed;
    },
  };
}

/** Under the turn at the source nobody else is issued one, so the count stands until this one is entered. */
async function requireQuota(ledger: LicenseLedger, client: LicenseClient | undefined): Promise<void> {
  if (client?.quota === undefined) return;
  if ((await ledger.issuedTo(client.name)) >= client.quota) {
    throw StationError.of("LICENSE_QUOTA", { client: client.name, quota: client.quota });
  }
}

/** A source whose licenses are usable once gives none for an entry it was the issuer of before. */
function requireUnused(
  source: LicenseSource,
  entry: { readonly key: string; readonly issuers: readonly string[] } | undefined,
): void {
  if (source.once === true && entry?.issuers.includes(source.name)) {
    throw StationError.of("LICENSE_BUNDLE_USED", { key: entry.key, source: source.name });
  }
}

async function warnLowWater({ ledger, source, onNotice }: Accounting, planned = 0): Promise<void> {
  if (!keepsAccount(source)) return;
  const account = await ledger.account(source.name);
  if (account === undefined) return;
  const left = account.counter - planned;
  if (left > Math.max(lowWater.licenses, account.opened * lowWater.fraction)) return;
  onNotice(`${source.name}: ${left} licenses left${planned > 0 ? " after this batch" : ""}`);
}
