import { requestSystemReset } from "../dap/core.ts";
import { isLinkTrouble } from "../dap/link.ts";
import { poll } from "../dap/poll.ts";
import { StationError } from "../errors/station-error.ts";
import type { Clock, Memory, MemoryOperation } from "../ports/index.ts";
import type { DeviceManifest, OptionRegister, Variant } from "./manifest-types.ts";
import { describeDifferences, differences, type OptionBytes, registersOf } from "./option-bytes.ts";
import { orLock, thenLock } from "./then-lock.ts";
import { optionOffset, readView, type WorldView } from "./trust-zone.ts";

/** How often the controller is asked whether it has finished. */
const pollMs = 10;

/** What a write did. */
export interface OptionWrite {
  /** Names of the fields whose value is another one now; empty when nothing was written. */
  readonly changed: readonly string[];
}

/**
 * What option bytes are written over. A reset that loads them takes the link away; `memory` is asked for again then.
 * A debug session is one.
 */
export interface OptionLink {
  memory(): Memory;
  reattach(options: { readonly timeoutMs: number }): Promise<void>;
}

/** The option bytes in force (FLASH_…_CUR), of the registers that the variant has. One batch. */
export async function readOptionBytes(
  memory: Memory,
  manifest: DeviceManifest,
  variant: Variant,
): Promise<OptionBytes> {
  const registers = registersOf(manifest, variant);
  const offset = optionOffset(manifest, await readView(memory, manifest));
  const words = await memory.batch(
    registers.map(({ register }): MemoryOperation => ({ kind: "read", address: register.current + offset })),
  );
  return {
    words: new Map(
      registers.map(({ name, register }, i) => [name, withoutStatus(manifest, register, words[i] ?? 0)]),
    ),
  };
}

/**
 * Puts option bytes in force, reads them back and compares. Nothing is written when no field differs. Bits that
 * belong to no field keep what they hold. The controller is locked again whatever happens.
 * @param wanted registers it lacks keep what they hold
 * @param timeoutMs for the controller to finish; the device's own time for a write without regression unless told
 * @throws OPTION_BYTES_NOT_TAKEN; TARGET_NO_ANSWER when the part does not come back from the reset that loads them
 */
export async function writeOptionBytes(
  link: OptionLink,
  clock: Clock,
  manifest: DeviceManifest,
  variant: Variant,
  wanted: OptionBytes,
  timeoutMs: number = manifest.sfi.deadlines.optionWriteMs,
): Promise<OptionWrite> {
  const now = await readOptionBytes(link.memory(), manifest, variant);
  const changes = differences(manifest, variant, wanted, now);
  if (changes.length === 0) return { changed: [] };
  await launchOptionBytes(link, clock, manifest, variant, now, wanted, timeoutMs);
  await checkOptionBytes(link.memory(), manifest, variant, wanted);
  return { changed: changes.map(({ field }) => field) };
}

/**
 * The option write itself: unlock, registers, start, wait, errors, lock, and the reset that loads them where the
 * part has one (RM0433 chapter 4; RM0438, RM0456, RM0453 and RM0481 flash chapters; the HAL's option launch).
 * @param now what is in force, for the bits that belong to no field
 * @throws OPTION_BYTES_NOT_TAKEN; TARGET_NO_ANSWER
 */
export async function launchOptionBytes(
  link: OptionLink,
  clock: Clock,
  manifest: DeviceManifest,
  variant: Variant,
  now: OptionBytes,
  wanted: OptionBytes,
  timeoutMs: number,
): Promise<void> {
  const memory = link.memory();
  const placed = inView(manifest, await readView(memory, manifest));
  const { control, launch } = placed.optionBytes;
  const unlocked = await unlock(memory, placed);
  const program = (): Promise<void> =>
    programWords(memory, clock, placed, wordsToWrite(placed, variant, now, wanted), unlocked, timeoutMs);
  const lock = (): Promise<void> =>
    memory.writeWord(control.address, (unlocked | control.lock | flashLockOf(placed)) >>> 0);
  if (launch === "reload") await orLock(program, lock);
  else await thenLock(program, lock);
  if (launch === "start") return;
  await loadByReset(memory, placed, unlocked);
  await link.reattach({ timeoutMs: Math.max(timeoutMs, manifest.sfi.deadlines.reattachMs) });
}

/** A word to be programmed. */
interface OptionWord {
  readonly address: number;
  readonly value: number;
}

/**
 * The words of a write. Where the current and the programming register are two, every register, not only the changed
 * ones: the start takes over whatever an earlier program left in them. Otherwise the changed ones.
 */
function wordsToWrite(
  manifest: DeviceManifest,
  variant: Variant,
  now: OptionBytes,
  wanted: OptionBytes,
): OptionWord[] {
  const { launch } = manifest.optionBytes;
  return registersOf(manifest, variant).flatMap(({ name, register, writeMask }) => {
    const kept = now.words.get(name) ?? 0;
    const value = ((kept & ~writeMask) | ((wanted.words.get(name) ?? kept) & writeMask)) >>> 0;
    const needed = launch === "start" || launch === "reset" ? writeMask !== 0 : value !== kept;
    return needed ? [{ address: register.program, value }] : [];
  });
}

async function programWords(
  memory: Memory,
  clock: Clock,
  manifest: DeviceManifest,
  words: readonly OptionWord[],
  unlocked: number,
  timeoutMs: number,
): Promise<void> {
  const { control, launch } = manifest.optionBytes;
  const start: MemoryOperation = {
    kind: "write",
    address: control.address,
    value: (unlocked | control.start) >>> 0,
  };
  if (launch !== "program") {
    await memory.batch([
      ...words.map(({ address, value }): MemoryOperation => ({ kind: "write", address, value })),
      start,
    ]);
    await waitOptionsIdle(memory, clock, manifest, timeoutMs);
    await checkChangeError(memory, manifest);
    return;
  }
  await memory.batch([start]);
  for (const { address, value } of words) {
    await memory.writeWord(address, value);
    await waitOptionsIdle(memory, clock, manifest, timeoutMs);
    await checkChangeError(memory, manifest);
  }
}

/** The reset that loads option bytes takes the link with it. */
async function loadByReset(memory: Memory, { optionBytes }: DeviceManifest, unlocked: number): Promise<void> {
  const { control, reload } = optionBytes;
  if (reload === undefined) return requestSystemReset(memory);
  try {
    await memory.writeWord(control.address, (unlocked | reload) >>> 0);
  } catch (thrown) {
    if (!isLinkTrouble(thrown)) throw thrown;
  }
}

/** The manifest with its option and first flash registers where a view has them. */
function inView(manifest: DeviceManifest, view: WorldView): DeviceManifest {
  const offset = optionOffset(manifest, view);
  if (offset === 0) return manifest;
  const { optionBytes, flash } = manifest;
  const { control, busy, changeError, registers } = optionBytes;
  return {
    ...manifest,
    flash: {
      ...flash,
      banks: flash.banks.map((bank) => ({
        ...bank,
        registers: {
          ...bank.registers,
          key: bank.registers.key + offset,
          control: bank.registers.control + offset,
        },
      })),
    },
    optionBytes: {
      ...optionBytes,
      keyAddress: optionBytes.keyAddress + offset,
      control: { ...control, address: control.address + offset },
      busy: { ...busy, address: busy.address + offset },
      changeError: {
        ...changeError,
        address: changeError.address + offset,
        clearAddress: changeError.clearAddress + offset,
      },
      registers: Object.fromEntries(
        Object.entries(registers).map(([name, register]) => [
          name,
          { ...register, current: register.current + offset, program: register.program + offset },
        ]),
      ),
    },
  };
}

/**
 * Waits until no option write is under way.
 * @throws OPTION_BYTES_NOT_TAKEN when it takes longer than `timeoutMs`
 */
export async function waitOptionsIdle(
  memory: Memory,
  clock: Clock,
  { optionBytes: { busy } }: DeviceManifest,
  timeoutMs: number,
): Promise<void> {
  const idle = await poll(clock, { timeoutMs, intervalMs: pollMs }, async () => {
    const word = await memory.readWord(busy.address);
    return (word & busy.mask) === 0 ? true : undefined;
  });
  if (idle === undefined) throw notTaken(`the controller was still busy after ${timeoutMs} ms`);
}

/** Reads the option bytes and compares them. @throws OPTION_BYTES_NOT_TAKEN naming the fields that differ */
export async function checkOptionBytes(
  memory: Memory,
  manifest: DeviceManifest,
  variant: Variant,
  wanted: OptionBytes,
): Promise<OptionBytes> {
  const taken = await readOptionBytes(memory, manifest, variant);
  const wrong = differences(manifest, variant, wanted, taken);
  if (wrong.length > 0) throw notTaken(describeDifferences(wrong));
  return taken;
}

/**
 * Unlocks the option control register, and the flash lock before it where both are in one register.
 * @returns the control register; a key into an open register would lock it for good
 */
async function unlock(memory: Memory, manifest: DeviceManifest): Promise<number> {
  const { control, keyAddress, keys } = manifest.optionBytes;
  const flashLock = flashLockOf(manifest);
  const before = await memory.readWord(control.address);
  const flashKeys = (before & flashLock) === 0 ? [] : manifest.flash.unlockKeys;
  const optionKeys = (before & control.lock) === 0 ? [] : keys;
  if (flashKeys.length === 0 && optionKeys.length === 0) return before;
  const [after = control.lock] = await memory.batch([
    ...flashKeys.map((value): MemoryOperation => ({ kind: "write", address: flashKeyOf(manifest), value })),
    ...optionKeys.map((value): MemoryOperation => ({ kind: "write", address: keyAddress, value })),
    { kind: "read", address: control.address },
  ]);
  if ((after & (control.lock | flashLock)) !== 0) {
    throw notTaken("the controller stays locked until the next reset");
  }
  return after;
}

/** The flash lock bit in the option control register; 0 where it is in a register of its own. */
function flashLockOf({ optionBytes, flash }: DeviceManifest): number {
  return optionBytes.behindFlashLock ? flash.control.lock : 0;
}

function flashKeyOf({ flash }: DeviceManifest): number {
  const [bank] = flash.banks;
  if (bank === undefined) throw new RangeError("a manifest has at least one bank");
  return bank.registers.key;
}

/** OPTCHANGEERR: the controller refused the change (RM0433 chapter 4). Cleared, because it would refuse the next too. */
async function checkChangeError(
  memory: Memory,
  { optionBytes: { changeError } }: DeviceManifest,
): Promise<void> {
  const status = await memory.readWord(changeError.address);
  if ((status & changeError.mask) === 0) return;
  await memory.writeWord(changeError.clearAddress, changeError.clearMask);
  throw notTaken("the controller reports OPTCHANGEERR");
}

/** A current word without the status flags that share its register, in the code that files have it in. */
function withoutStatus({ optionBytes }: DeviceManifest, register: OptionRegister, word: number): number {
  const translated = register.translate?.find(({ read }) => read === (word & 0xff));
  if (translated !== undefined) return translated.means;
  const flags = [optionBytes.busy, optionBytes.changeError]
    .filter(({ address }) => address === register.current)
    .reduce((mask, flag) => mask | flag.mask, 0);
  return (word & ~flags) >>> 0;
}

function notTaken(detail: string): StationError {
  return StationError.of("OPTION_BYTES_NOT_TAKEN", { detail });
}
