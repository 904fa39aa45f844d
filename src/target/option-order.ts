import { StationError } from "../errors/station-error.ts";
import type { Memory } from "../ports/index.ts";
import { firstNotBlank } from "./flash.ts";
import type { DeviceManifest, Variant } from "./manifest-types.ts";
import { fieldsOf, fieldValue, type OptionBytes } from "./option-bytes.ts";
import { rdpLevelOf, rdpNameOf } from "./security.ts";

/**
 * Refuses an option write whose order would lock the part or that it would not take: a level or state that cannot be
 * reached from the present one, RDP level 0.5 without TrustZone, TrustZone off without the regression that belongs to
 * it (AN5347), a closing product state not from Provisioning (RM0481, ST's provisioning scripts).
 * @throws OPTION_ORDER_REFUSED
 */
export function checkOptionOrder(
  manifest: DeviceManifest,
  variant: Variant,
  now: OptionBytes,
  wanted: OptionBytes,
): void {
  const refuse = (detail: string): never => {
    throw StationError.of("OPTION_ORDER_REFUSED", { detail });
  };
  const { rdp, trustZone } = manifest;
  const from = rdpLevelOf(manifest, variant, now);
  const to = rdpLevelOf(manifest, variant, wanted);
  const fromName = rdpNameOf(manifest, variant, now);
  const toName = rdpNameOf(manifest, variant, wanted);
  const value = fieldValue(manifest, variant, wanted, rdp.field);
  const changes = fieldValue(manifest, variant, now, rdp.field) !== value;
  const entry = rdp.levels.find((each) => each.value === value);
  if (changes && entry?.from !== undefined) {
    const current = fieldValue(manifest, variant, now, rdp.field);
    if (!entry.from.some((each) => each === current)) {
      const names = entry.from.map(
        (each) => rdp.levels.find((level) => level.value === each)?.name ?? String(each),
      );
      refuse(`${toName} is entered from ${names.join(" or ")} only, the part is in ${fromName}`);
    }
  }
  if (changes && rdp.term === "RDP level" && from !== to) {
    const known = rdp.transitions.some((each) => each.from === from && each.to === to);
    if (!known) refuse(`there is no way from ${fromName} to ${toName}`);
  }
  if (trustZone === undefined || rdp.term !== "RDP level") return;
  const on = (words: OptionBytes): boolean =>
    fieldValue(manifest, variant, words, trustZone.field) === trustZone.enabled;
  if (!on(wanted) && to === 0.5)
    refuse("RDP level 0.5 exists only with TrustZone on: set TZEN=1 first, on its own");
  if (!on(now) && on(wanted) && changes) refuse("turn TrustZone on first, then change RDP in a second write");
  if (on(now) && !on(wanted) && !(from === 1 && to === 0)) {
    refuse("TrustZone goes off only in the write that takes RDP from level 1 to 0: use `sfi regress`");
  }
}

/**
 * Refuses to hide the secure world of a part that would boot into nothing: its core would stay in the secure world,
 * where the debug port no longer reaches it, and not even a regression could be asked for (AN5347).
 * @throws OPTION_ORDER_REFUSED
 */
export async function checkSecureBoot(
  memory: Memory,
  manifest: DeviceManifest,
  variant: Variant,
  now: OptionBytes,
  wanted: OptionBytes,
): Promise<void> {
  const { trustZone } = manifest;
  if (trustZone?.bootField === undefined || trustZone.bootsRss === undefined) return;
  const value = (name: string): number | undefined => fieldValue(manifest, variant, wanted, name);
  const hides = rdpLevelOf(manifest, variant, now) === 0 && rdpLevelOf(manifest, variant, wanted) > 0;
  if (!hides || value(trustZone.field) !== trustZone.enabled) return;
  if (Object.entries(trustZone.bootsRss).every(([name, each]) => value(name) === each)) return;
  const { bootField } = trustZone;
  const equation = fieldsOf(manifest, variant).find(({ name }) => name === bootField)?.field.equation;
  if (equation === undefined) return;
  const address = (value(bootField) ?? 0) * equation.multiplier + equation.offset;
  const vectors = { address, sizeBytes: 8 };
  if ((await firstNotBlank(memory, manifest, [vectors])) !== undefined) return;
  const boots = Object.entries(trustZone.bootsRss).map(([name, each]) => `${name}=${each}`);
  throw StationError.of("OPTION_ORDER_REFUSED", {
    detail: `there is no firmware where the part boots securely; set ${boots.join(" ")} first, so that it boots from RSS`,
  });
}
