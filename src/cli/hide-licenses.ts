import { type GivenLicenseSource, isGiven } from "../license/file-source.ts";
import type { LicenseSource, LicenseStore } from "../ports/index.ts";
import type { Bench } from "./bench.ts";

/**
 * Source and store that tell the bench of every license before anyone can send it, so that no trace holds one.
 * What they return and throw is unchanged.
 */
export function hidingLicenses(
  source: LicenseSource,
  store: LicenseStore,
  bench: Pick<Bench, "hide">,
): { readonly licenseSource: LicenseSource | GivenLicenseSource; readonly licenseStore: LicenseStore } {
  const inspect = source.inspect?.bind(source);
  const licenseSource: LicenseSource = {
    name: source.name,
    counted: source.counted,
    check: (real) => source.check(real),
    ...(inspect === undefined ? {} : { inspect }),
    async issue(request) {
      const license = await source.issue(request);
      bench.hide(license);
      return license;
    },
  };
  const licenseStore: LicenseStore = {
    ...store,
    async load(key) {
      const license = await store.load(key);
      if (license !== undefined) bench.hide(license);
      return license;
    },
  };
  if (!isGiven(source)) return { licenseSource, licenseStore };
  bench.hide(source.given);
  return { licenseSource: { ...licenseSource, given: source.given }, licenseStore };
}
