import { equalBytes } from "../bytes/bytes.ts";
import { sha256Hex } from "../bytes/digest.ts";
import { toHex } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import type { LedgerEntry, LedgerRequest, LicenseLedger, LicenseStore } from "../ports/index.ts";

/** A chip may refuse its license once more after the first time; then the operator decides (AN5054 3.2.1: reuse). */
export const suspicionLimit = 2;

/** For a license from before the ledger: its key says whose it is, to whoever has the certificate. */
const unknownRequest: LedgerRequest = {
  certificateDigest: "unknown",
  productId: "unknown",
  firmware: "unknown",
  protocol: "static",
};

/** Ledger and license folder of a station: the account, and the bytes at hand. */
export interface Keeping {
  readonly ledger: LicenseLedger;
  readonly store: LicenseStore;
}

/**
 * The license kept under a key, from the folder or the ledger, whichever has it; the other one is brought up to date:
 * a file the ledger lacks is adopted, a file that is missing is written again.
 * @param request whose license it is, for a file that is adopted; undefined when only the key is known
 * @throws LICENSE_SUSPECT when its chip has refused it too often
 * @throws LICENSE_STORE_DAMAGED when folder and ledger hold different ones
 */
export async function loadKept(
  { ledger, store }: Keeping,
  key: string,
  request: LedgerRequest | undefined,
): Promise<Uint8Array | undefined> {
  const entry = await ledger.entry(key);
  const file = await fileInUse(store, key, entry);
  if (entry?.state === "issued" && entry.license !== undefined) {
    if (entry.suspicions >= suspicionLimit) {
      throw StationError.of("LICENSE_SUSPECT", { key, count: entry.suspicions });
    }
    if (file === undefined) await store.save(key, entry.license);
    else if (!equalBytes(file, entry.license)) {
      const detail = `the ledger ${ledger.name} holds another license for this chip`;
      throw StationError.of("LICENSE_STORE_DAMAGED", { file: key, detail });
    }
    return entry.license;
  }
  if (file === undefined) return undefined;
  // A file without an entry was there before the ledger; one with an entry was stored by a station that died then.
  if (entry !== undefined) await recordFound(ledger, entry, file);
  else {
    const found = { source: "folder", license: toHex(file), digest: sha256Hex(file) };
    await ledger.append({ kind: "adopted", key, request: request ?? unknownRequest, ...found });
  }
  return file;
}

/** The stored file, unless it is one that was given up: that is set aside. */
async function fileInUse(
  store: LicenseStore,
  key: string,
  entry: LedgerEntry | undefined,
): Promise<Uint8Array | undefined> {
  const file = await store.load(key);
  if (file === undefined || !entry?.forgotten.includes(sha256Hex(file))) return file;
  await store.setAside?.(key);
  return undefined;
}

/**
 * Enters a license that is on stable storage although its reservation has no such outcome.
 * @param spent what it cost, where the source counts
 */
export async function recordFound(
  ledger: LicenseLedger,
  entry: LedgerEntry,
  license: Uint8Array,
  spent?: 0 | 1,
): Promise<void> {
  const counted = (await ledger.account(entry.source)) !== undefined;
  await ledger.append({
    kind: "issued",
    key: entry.key,
    source: entry.source,
    reservation: entry.reservation,
    license: toHex(license),
    digest: sha256Hex(license),
    spent: spent ?? (counted ? 1 : 0),
  });
}
