import { isLinkTrouble } from "../dap/link.ts";
import type { DebugSession } from "../dap/session.ts";
import { StationError } from "../errors/station-error.ts";
import type { Clock, Memory } from "../ports/index.ts";
import { eraseAll } from "./flash.ts";
import { waitFlashIdle } from "./flash-controller.ts";
import { banksOf } from "./flash-layout.ts";
import type { DeviceManifest, FieldValues, RdpLevel, Variant } from "./manifest-types.ts";
import { applyFields, fieldValue, type OptionBytes, registerOf } from "./option-bytes.ts";
import {
  checkOptionBytes,
  launchOptionBytes,
  readOptionBytes,
  waitOptionsIdle,
  writeOptionBytes,
} from "./option-controller.ts";
import { activeRange, rdpLevelOf, rdpNameOf } from "./security.ts";
import { readView } from "./trust-zone.ts";

/** How a regression is stopped from outside, only between its steps; and what it may leave alone. */
export interface RegressOptions {
  readonly signal?: AbortSignal;
  /** Where the part opens without erasing itself, leave the flash as it is: for putting back option bytes only. */
  readonly keepFlash?: boolean;
}

/**
 * Takes a part back to RDP level 0, or its product state Open, with the wanted option bytes.
 *
 * Where something stands that only a regression removes (a security bit, PCROP or secure areas, TrustZone: RM0433
 * chapter 4, AN5347), and always on parts that say so, it raises RDP to level 1, then writes level 0 together with the
 * wanted values, which erases the whole flash. Areas that exist are marked to go with the erase (DMEP, DMES) in that
 * write; a last write puts the marks back to what is wanted and sets the fields that the part takes only alone.
 * Otherwise it writes the wanted values and erases the flash.
 * @param wanted option bytes afterwards; its RDP value does not matter, registers it lacks keep what they hold
 * @returns the option bytes as read back
 * @throws READOUT_PROTECTED at level 2, REGRESSION_LOCKED behind an OEM key, REGRESSION_NEEDS_AUTHENTICATION for a part
 *   that only debug authentication opens, OPTION_BYTES_NOT_TAKEN, FLASH_ERASE_FAILED, TARGET_NO_ANSWER
 */
export async function regress(
  session: DebugSession,
  clock: Clock,
  manifest: DeviceManifest,
  variant: Variant,
  wanted: OptionBytes,
  { signal, keepFlash = false }: RegressOptions = {},
): Promise<OptionBytes> {
  const { optionWriteMs, reattachMs, regressionMs } = manifest.sfi.deadlines;
  const { regression } = manifest.rdp;
  const memory = () => session.memory();

  const before = await readOptionBytes(memory(), manifest, variant);
  const complete = { words: new Map([...before.words, ...wanted.words]) };
  const level = rdpLevelOf(manifest, variant, before);
  if (level === 2)
    throw StationError.of("READOUT_PROTECTED", { level: rdpNameOf(manifest, variant, before) });
  if (regression.by === "debug-authentication" && level !== 0) {
    throw StationError.of("REGRESSION_NEEDS_AUTHENTICATION", { state: rdpNameOf(manifest, variant, before) });
  }
  const opened =
    regression.by === "options" ? applyFields(manifest, variant, complete, rdpTo(manifest, 0)) : complete;
  if (level === 0 && !needsLevel1(manifest, variant, before, wanted)) {
    signal?.throwIfAborted();
    await writeOptionBytes(session, clock, manifest, variant, opened);
    if (!keepFlash) await eraseAll(memory(), clock, manifest, variant);
    return await readOptionBytes(memory(), manifest, variant);
  }
  await checkLocks(memory(), manifest);
  const raised = applyFields(manifest, variant, before, {
    ...rdpTo(manifest, 1),
    ...bootWhileRaised(manifest, variant, before),
  });
  if (level !== 1) {
    signal?.throwIfAborted();
    await launch(before, raised, optionWriteMs, reattachMs);
    await checkOptionBytes(memory(), manifest, variant, onlyRdp(manifest, raised));
  }
  // From here on the flash is lost, so there is no stopping half way.
  const closed = level === 1 ? before : raised;
  const erasing = applyFields(manifest, variant, opened, {
    ...erasedAreas(manifest, variant, before),
    ...keptForLater(manifest, variant, before),
  });
  await launch(closed, erasing, regressionMs, regressionMs);
  for (const bank of banksOf(manifest, variant)) {
    const view = await readView(memory(), manifest);
    await waitFlashIdle(memory(), clock, manifest, bank, view, "FLASH_ERASE_FAILED", regressionMs);
  }
  await checkOptionBytes(memory(), manifest, variant, erasing);
  await writeOptionBytes(session, clock, manifest, variant, opened);
  return await readOptionBytes(memory(), manifest, variant);

  /** One option write; a change of RDP may take the link with it where no reset belongs to the write. */
  async function launch(
    now: OptionBytes,
    next: OptionBytes,
    timeoutMs: number,
    backMs: number,
  ): Promise<void> {
    try {
      await launchOptionBytes(session, clock, manifest, variant, now, next, timeoutMs);
    } catch (thrown) {
      if (manifest.optionBytes.launch !== "start" || !isLinkTrouble(thrown)) throw thrown;
      await session.reattach({ timeoutMs: backMs });
      await waitOptionsIdle(memory(), clock, manifest, timeoutMs);
    }
  }
}

/** True when something stands that only the way back from level 1 removes. */
function needsLevel1(
  manifest: DeviceManifest,
  variant: Variant,
  before: OptionBytes,
  wanted: OptionBytes,
): boolean {
  const { rdp, protections, trustZone } = manifest;
  if (rdp.regression.by !== "options") return false;
  if (rdp.regression.alwaysThroughLevel1) return true;
  const { securityField } = protections;
  if (securityField !== undefined && fieldValue(manifest, variant, before, securityField) === 1) return true;
  if (trustZone !== undefined) {
    const on = (words: OptionBytes): boolean =>
      words.words.has(registerOf(manifest, trustZone.field)) &&
      fieldValue(manifest, variant, words, trustZone.field) === trustZone.enabled;
    if (on(before) && !on(wanted)) return true;
  }
  return protections.areas.some(
    (area) =>
      (area.kind === "pcrop" || area.kind === "secure") &&
      activeRange(manifest, variant, before, area) !== undefined,
  );
}

/**
 * At level 1 a part with TrustZone can be reached only while its core is in the non-secure world (AN5347), so it is
 * made to boot from RSS, which goes on in the non-secure bootloader.
 */
function bootWhileRaised(manifest: DeviceManifest, variant: Variant, before: OptionBytes): FieldValues {
  const { trustZone } = manifest;
  if (trustZone?.bootsRss === undefined) return {};
  const on = fieldValue(manifest, variant, before, trustZone.field) === trustZone.enabled;
  return on ? trustZone.bootsRss : {};
}

/** An OEM key stands between level 1 and level 0 (RM0456): raising RDP would only lead into it. */
async function checkLocks(memory: Memory, { rdp }: DeviceManifest): Promise<void> {
  for (const { name, address, mask } of rdp.regression.locks) {
    const word = await memory.readWord(address);
    if ((word & mask) !== 0) throw StationError.of("REGRESSION_LOCKED", { lock: name });
  }
}

/** The word that holds RDP: at level 1 a part with TrustZone may hide the others from the debug port. */
function onlyRdp(manifest: DeviceManifest, { words }: OptionBytes): OptionBytes {
  const register = registerOf(manifest, manifest.rdp.field);
  return { words: new Map([...words].filter(([name]) => name === register)) };
}

/** Fields that the part takes only in a write of their own keep their value in the write that regresses. */
function keptForLater(manifest: DeviceManifest, variant: Variant, before: OptionBytes): FieldValues {
  return Object.fromEntries(
    manifest.rdp.regression.ownWrite.flatMap((name) => {
      const value = fieldValue(manifest, variant, before, name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function rdpTo({ rdp }: DeviceManifest, level: RdpLevel): FieldValues {
  const value = rdp.levels.find((each) => each.level === level)?.value;
  if (value === undefined) throw new RangeError(`no RDP value for level ${level}`);
  return { [rdp.field]: value };
}

/** The erase marks of the areas that exist. */
function erasedAreas(manifest: DeviceManifest, variant: Variant, now: OptionBytes): FieldValues {
  return Object.fromEntries(
    manifest.protections.areas.flatMap((area) =>
      area.eraseField === undefined || activeRange(manifest, variant, now, area) === undefined
        ? []
        : [[area.eraseField, 1]],
    ),
  );
}
