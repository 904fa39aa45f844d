import { sha256Hex } from "../bytes/digest.ts";
import { StationError } from "../errors/station-error.ts";
import type { ProbeIdentity } from "../ports/index.ts";
import { assumedFacts } from "../target/evidence.ts";
import type { DeviceManifest } from "../target/manifest-types.ts";

/**
 * Refuses to act on assumed facts on a real part without consent.
 * @param path the facts that are about to be used
 * @throws FACT_ASSUMED
 */
export function requireConsent(
  manifest: DeviceManifest,
  path: string,
  probe: ProbeIdentity,
  allowAssumed: boolean,
): void {
  const facts = assumedFacts(manifest, path);
  if (!probe.real || allowAssumed || facts.length === 0) return;
  throw StationError.of("FACT_ASSUMED", { facts: facts.join(", "), probe: probe.selector });
}

/**
 * Refuses an erasing or irreversible step on a real part without its approval.
 * @param what everything that decides what is done; its digest is what `--approve` takes
 * @throws PLAN_NOT_APPROVED
 */
export function requireApproval(what: unknown, probe: ProbeIdentity, approved: string | undefined): void {
  const digest = sha256Hex(JSON.stringify(what));
  if (probe.real && approved !== digest) throw StationError.of("PLAN_NOT_APPROVED", { digest });
}
