import { poll } from "../dap/poll.ts";
import { StationError } from "../errors/station-error.ts";
import type { Clock, Memory, MemoryOperation } from "../ports/index.ts";
import type { DeviceManifest, OptionRegister, Variant } from "./manifest-types.ts";
import { describeDifferences, differences, type OptionBytes, registersOf } from "./option-bytes.ts";
import { thenLock } from "./then-lock.ts";

/** How often the controller is asked whether it has finished. */
const pollMs = 10;

/** What a write did. */
export interface OptionWrite {
  /** Names of the fields whose value is another one now; empty when nothing was written. */
  readonly changed: readonly string[];
}

/** The option bytes in force (FLASH_…_CUR), of the registers that the variant has. One batch. */
export async function readOptionBytes(
  memory: Memory,
  manifest: DeviceManifest,
  variant: Variant,
): Promise<OptionBytes> {
  const registers = registersOf(manifest, variant);
  const words = await memory.batch(
    registers.map(({ register }): MemoryOperation => ({ kind: "read", address: register.current })),
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
 * @throws OPTION_BYTES_NOT_TAKEN
 */
export async function writeOptionBytes(
  memory: Memory,
  clock: Clock,
  manifest: DeviceManifest,
  variant: Variant,
  wanted: OptionBytes,
  timeoutMs: number = manifest.sfi.deadlines.optionWriteMs,
): Promise<OptionWrite> {
  const now = await readOptionBytes(memory, manifest, variant);
  const changes = differences(manifest, variant, wanted, now);
  if (changes.length === 0) return { changed: [] };
  await launchOptionBytes(memory, clock, manifest, variant, now, wanted, timeoutMs);
  await checkOptionBytes(memory, manifest, variant, wanted);
  return { changed: changes.map(({ field }) => field) };
}

/**
 * The option write itself: unlock, program registers, start, wait, errors, lock (RM0433 chapter 4, option bytes). There is no launch
 * and no reset: the values hold once OPT_BUSY falls.
 * @param now what is in force, for the bits that belong to no field
 * @throws OPTION_BYTES_NOT_TAKEN
 */
export async function launchOptionBytes(
  memory: Memory,
  clock: Clock,
  manifest: DeviceManifest,
  variant: Variant,
  now: OptionBytes,
  wanted: OptionBytes,
  timeoutMs: number,
): Promise<void> {
  const { control } = manifest.optionBytes;
  const unlocked = await unlock(memory, manifest);
  await thenLock(
    async () => {
      // Every register, not only the changed ones: the start takes over whatever an earlier program left in them.
      await memory.batch([
        ...registersOf(manifest, variant).map(({ name, register, mask }): MemoryOperation => {
          const kept = now.words.get(name) ?? 0;
          const value = ((kept & ~mask) | ((wanted.words.get(name) ?? kept) & mask)) >>> 0;
          return { kind: "write", address: register.program, value };
        }),
        { kind: "write", address: control.address, value: (unlocked | control.start) >>> 0 },
      ]);
      await waitOptionsIdle(memory, clock, manifest, timeoutMs);
      await checkChangeError(memory, manifest);
    },
    () => memory.writeWord(control.address, (unlocked | control.lock) >>> 0),
  );
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

/** Unlocks the option control register and returns its value. A key into an open register would lock it for good. */
async function unlock(memory: Memory, { optionBytes }: DeviceManifest): Promise<number> {
  const { control, keyAddress, keys } = optionBytes;
  const before = await memory.readWord(control.address);
  if ((before & control.lock) === 0) return before;
  const [after = control.lock] = await memory.batch([
    ...keys.map((value): MemoryOperation => ({ kind: "write", address: keyAddress, value })),
    { kind: "read", address: control.address },
  ]);
  if ((after & control.lock) !== 0) throw notTaken("the controller stays locked until the next reset");
  return after;
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

/** A current word without the status flags that share its register. */
function withoutStatus({ optionBytes }: DeviceManifest, register: OptionRegister, word: number): number {
  const flags = [optionBytes.busy, optionBytes.changeError]
    .filter(({ address }) => address === register.current)
    .reduce((mask, flag) => mask | flag.mask, 0);
  return (word & ~flags) >>> 0;
}

function notTaken(detail: string): StationError {
  return StationError.of("OPTION_BYTES_NOT_TAKEN", { detail });
}
