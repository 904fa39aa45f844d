import { sha256Hex } from "../bytes/digest.ts";
import type { LicenseLedger, LicenseSource, LicenseStore } from "../ports/index.ts";
import { type GivenLicenseSource, isGiven } from "./file-source.ts";
import { type Keeping, loadKept } from "./kept-license.ts";
import type { LicenseBroker } from "./license-broker.ts";

/** A source as a run uses it: it checks and asks through the broker, so that every license is accounted for. */
export function brokeredSource(
  source: LicenseSource,
  broker: LicenseBroker,
  ledger: LicenseLedger,
): LicenseSource | GivenLicenseSource {
  const inspect = source.inspect?.bind(source);
  const brokered: LicenseSource = {
    name: source.name,
    counted: source.counted,
    ...(source.idempotent === undefined ? {} : { idempotent: source.idempotent }),
    check: (real) => broker.check(real),
    // A token has room for one at a time, for reading too.
    ...(inspect === undefined ? {} : { inspect: () => ledger.exclusive(source.name, inspect) }),
    issue: async (request) => (await broker.obtain(request)).license,
  };
  return isGiven(source) ? { ...brokered, given: source.given } : brokered;
}

/** Folder and ledger as one store: what one of them lacks the other one gives. */
export function ledgeredStore(keeping: Keeping): LicenseStore {
  const { ledger, store } = keeping;
  return {
    load: (key) => loadKept(keeping, key, undefined),
    save: (key, license) => store.save(key, license),
    checkWritable: () => store.checkWritable(),
    async firmwareOf({ certificate, packageDigest }) {
      const entries = await ledger.entriesOf(sha256Hex(certificate));
      const entry = entries.find(
        ({ state, request }) => state === "issued" && request.packageDigest === packageDigest,
      );
      return entry?.request.firmware;
    },
    async suspect(key, reason) {
      await ledger.append({ kind: "suspect", key, reason });
    },
  };
}
