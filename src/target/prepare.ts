import type { DebugSession } from "../dap/session.ts";
import type { Clock } from "../ports/index.ts";
import { firstNotBlank } from "./flash.ts";
import { flashRanges } from "./flash-layout.ts";
import type { DeviceManifest, FieldValues, Variant } from "./manifest-types.ts";
import {
  applyFields,
  defaultOptionBytes,
  diffOptionBytes,
  type FieldChange,
  fieldsOf,
  fieldValue,
  type OptionBytes,
} from "./option-bytes.ts";
import { readOptionBytes, writeOptionBytes } from "./option-controller.ts";
import { regress } from "./regress.ts";
import { readSecurityState } from "./security.ts";

/** What has to be done to a part before a secure install can begin on it. */
export interface Preparation {
  /** Option bytes as they are to be. */
  readonly wanted: OptionBytes;
  readonly changes: readonly FieldChange[];
  /** Only a regression does it, which erases the part. */
  readonly regression: boolean;
  /** The flash has to be erased. */
  readonly erase: boolean;
}

/**
 * What keeps a part from a secure install as AN5054 asks for it, and can be put right: level or state, protections,
 * fields that must hold a value, flash that is not blank. Reads only.
 * @param flashSizeBytes as the part's flash-size register says
 */
export async function planPreparation(
  session: DebugSession,
  manifest: DeviceManifest,
  variant: Variant,
  flashSizeBytes: number,
): Promise<Preparation> {
  const now = await readOptionBytes(session.memory(), manifest, variant);
  const state = readSecurityState(manifest, variant, now);
  const wanted = applyFields(manifest, variant, now, preparedFields(manifest, variant, now));
  const changes = diffOptionBytes(manifest, variant, now, wanted);
  const { preconditions } = manifest.sfi;
  const areas = manifest.protections.areas.some(
    ({ kind, name }) =>
      (kind === "pcrop" || kind === "secure") &&
      [...state.pcropAreas, ...state.secureAreas].some((each) => each.name === name),
  );
  const leavesTrustZone =
    state.trustZone === true && changes.some(({ field }) => field === manifest.trustZone?.field);
  const regression =
    state.rdpLevel !== preconditions.rdpLevel ||
    areas ||
    state.security ||
    state.sfiPending ||
    leavesTrustZone;
  if (regression || !preconditions.blankFlash) return { wanted, changes, regression, erase: regression };
  const ranges = flashRanges(manifest, variant, flashSizeBytes);
  const written = await firstNotBlank(session.memory(), manifest, ranges);
  return { wanted, changes, regression, erase: written !== undefined };
}

/**
 * Does what `planPreparation` found.
 * @throws what a regression, an erase or an option write can throw
 */
export async function prepare(
  session: DebugSession,
  clock: Clock,
  manifest: DeviceManifest,
  variant: Variant,
  { wanted, regression, erase }: Preparation,
): Promise<void> {
  if (regression || erase) await regress(session, clock, manifest, variant, wanted);
  else await writeOptionBytes(session, clock, manifest, variant, wanted);
}

/** The fields that stand in the way of an install, each with the value of a part as delivered or as it must begin. */
function preparedFields(manifest: DeviceManifest, variant: Variant, now: OptionBytes): FieldValues {
  const { protections, rdp, sfi } = manifest;
  const delivered = defaultOptionBytes(manifest, variant);
  const fields = fieldsOf(manifest, variant);
  const trustZoneOff =
    manifest.trustZone !== undefined &&
    sfi.preconditions.fields.some(({ field }) => field === manifest.trustZone?.field);
  const names = [
    ...(rdp.regression.by === "options" ? [rdp.field] : []),
    ...[protections.securityField, protections.sfiPendingField],
    ...protections.areas.flatMap(({ start, end, enable, eraseField }) => [start, end, enable, eraseField]),
    ...fields.flatMap(({ name, field }) => (field.writeProtects === undefined ? [] : [name])),
  ];
  const secure = new Set(fields.flatMap(({ name, field }) => (field.secure === true ? [name] : [])));
  const values = names.flatMap((name) => {
    if (name === undefined || (trustZoneOff && secure.has(name))) return [];
    const value = fieldValue(manifest, variant, delivered, name);
    return value === undefined || fieldValue(manifest, variant, now, name) === value
      ? []
      : [[name, value] as const];
  });
  const begin = sfi.preconditions.fields.flatMap(({ field, value }) =>
    fields.some(({ name }) => name === field) ? [[field, value] as const] : [],
  );
  return Object.fromEntries([...values, ...begin]);
}
