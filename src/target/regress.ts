import { isLinkTrouble } from "../dap/link.ts";
import type { DebugSession } from "../dap/session.ts";
import { StationError } from "../errors/station-error.ts";
import type { Clock } from "../ports/index.ts";
import { waitFlashIdle } from "./flash-controller.ts";
import { banksOf } from "./flash-layout.ts";
import type { DeviceManifest, FieldValues, RdpLevel, Variant } from "./manifest-types.ts";
import { applyFields, type OptionBytes } from "./option-bytes.ts";
import {
  checkOptionBytes,
  launchOptionBytes,
  readOptionBytes,
  waitOptionsIdle,
  writeOptionBytes,
} from "./option-controller.ts";
import { activeRange, rdpLevelOf } from "./security.ts";

/** How a regression is stopped from outside; only between its steps. */
export interface RegressOptions {
  readonly signal?: AbortSignal;
}

/**
 * Takes a part back to RDP level 0: raises RDP to level 1 when it is at 0, then one option write with RDP level 0
 * and the wanted values, which erases the whole flash and removes PCROP and secure areas (RM0433 chapter 4, protections; ST's tool does
 * the same when it aborts an install). Areas that exist are marked to go with the erase (DMEP, DMES) in that write;
 * a last write puts the marks back to what is wanted.
 * @param wanted option bytes afterwards; its RDP value does not matter, registers it lacks keep what they hold
 * @returns the option bytes as read back
 * @throws READOUT_PROTECTED at level 2, OPTION_BYTES_NOT_TAKEN, FLASH_ERASE_FAILED, TARGET_NO_ANSWER
 */
export async function regress(
  session: DebugSession,
  clock: Clock,
  manifest: DeviceManifest,
  variant: Variant,
  wanted: OptionBytes,
  { signal }: RegressOptions = {},
): Promise<OptionBytes> {
  const { coreAp } = manifest.identity;
  const { optionWriteMs, reattachMs, regressionMs } = manifest.sfi.deadlines;
  const memory = () => session.memory(coreAp);

  const before = await readOptionBytes(memory(), manifest, variant);
  const complete = { words: new Map([...before.words, ...wanted.words]) };
  const opened = applyFields(manifest, variant, complete, rdpTo(manifest, 0));
  const level = rdpLevelOf(manifest, variant, before);
  if (level === 2) throw StationError.of("READOUT_PROTECTED", { level });
  const raised = applyFields(manifest, variant, before, rdpTo(manifest, 1));
  if (level === 0) {
    signal?.throwIfAborted();
    await launch(before, raised, optionWriteMs, reattachMs);
    await checkOptionBytes(memory(), manifest, variant, raised);
  }
  // From here on the flash is lost, so there is no stopping half way.
  const erasing = applyFields(manifest, variant, opened, erasedAreas(manifest, variant, before));
  const closed = level === 0 ? raised : before;
  await launch(closed, erasing, regressionMs, regressionMs);
  for (const bank of banksOf(manifest, variant)) {
    await waitFlashIdle(memory(), clock, manifest, bank, "FLASH_ERASE_FAILED", regressionMs);
  }
  await checkOptionBytes(memory(), manifest, variant, erasing);
  await writeOptionBytes(memory(), clock, manifest, variant, opened);
  return await readOptionBytes(memory(), manifest, variant);

  /** One option write; a change of RDP may take the link with it. */
  async function launch(
    now: OptionBytes,
    next: OptionBytes,
    timeoutMs: number,
    backMs: number,
  ): Promise<void> {
    try {
      await launchOptionBytes(memory(), clock, manifest, variant, now, next, timeoutMs);
    } catch (thrown) {
      if (!isLinkTrouble(thrown)) throw thrown;
      await session.reattach({ timeoutMs: backMs });
      await waitOptionsIdle(memory(), clock, manifest, timeoutMs);
    }
  }
}

function rdpTo({ rdp }: DeviceManifest, level: RdpLevel): FieldValues {
  const value = rdp.levels.find((each) => each.level === level)?.value;
  if (value === undefined) throw new RangeError(`no RDP value for level ${level}`);
  return { [rdp.field]: value };
}

/** The erase marks of the areas that exist. */
function erasedAreas(manifest: DeviceManifest, variant: Variant, now: OptionBytes): FieldValues {
  const existing = manifest.protections.areas.filter(
    (area) => activeRange(manifest, variant, now, area) !== undefined,
  );
  return Object.fromEntries(existing.map(({ eraseField }) => [eraseField, 1]));
}
