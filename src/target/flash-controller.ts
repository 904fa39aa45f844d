import { hex32 } from "../bytes/hex.ts";
import { poll } from "../dap/poll.ts";
import { StationError } from "../errors/station-error.ts";
import type { Clock, Memory, MemoryOperation } from "../ports/index.ts";
import type { DeviceManifest, FlashBankFacts } from "./manifest-types.ts";
import { thenLock } from "./then-lock.ts";
import { flashRegisters, type WorldView } from "./trust-zone.ts";

/** The codes with which a flash operation fails. */
export type FlashFailure = "FLASH_ERASE_FAILED" | "FLASH_PROGRAM_FAILED";

/** One bank's controller while an operation is under way. All methods speak RM0433 chapter 4. */
export interface OpenBank {
  readonly bank: FlashBankFacts;
  /** Writes the control register. */
  control(bits: number): Promise<void>;
  /**
   * Waits until nothing is under way or queued, then looks at the error flags.
   * @param address names the place in the error
   * @throws FLASH_ERASE_FAILED or FLASH_PROGRAM_FAILED
   */
  finish(address: string, timeoutMs: number): Promise<void>;
}

/**
 * Runs a flash operation on a bank: idle, unlocked, old error flags cleared; locked again afterwards whatever happens.
 * @param failure the code to fail with
 * @param address names the place in errors before the first `finish`
 */
export async function withBank<T>(
  memory: Memory,
  clock: Clock,
  { flash }: DeviceManifest,
  bank: FlashBankFacts,
  view: WorldView,
  failure: FlashFailure,
  address: string,
  work: (open: OpenBank) => Promise<T>,
): Promise<T> {
  const registers = flashRegisters(bank, view);
  const { status, control, deadlines } = flash;
  const fail = (at: string, detail: string): StationError =>
    StationError.of(failure, { address: at, detail });

  const idle = (at: string, timeoutMs: number): Promise<number> =>
    waitFlashIdle(memory, clock, { flash }, bank, view, failure, timeoutMs, at);

  await idle(address, deadlines.bankEraseMs);
  const before = await memory.readWord(registers.control);
  // A key into an unlocked bank would lock it until the next reset.
  const keys = (before & control.lock) === 0 ? [] : flash.unlockKeys;
  const [after = control.lock] = await memory.batch([
    ...keys.map((value): MemoryOperation => ({ kind: "write", address: registers.key, value })),
    { kind: "write", address: registers.clear, value: status.clearAll },
    { kind: "read", address: registers.control },
  ]);
  if ((after & control.lock) !== 0) throw fail(address, "the controller stays locked until the next reset");
  return await thenLock(
    () =>
      work({
        bank,
        control: (bits) => memory.writeWord(registers.control, bits >>> 0),
        finish: async (at, timeoutMs) => {
          const word = await idle(at, timeoutMs);
          const flags = registers.errors === undefined ? word : await memory.readWord(registers.errors);
          const names = Object.entries(status.errors).flatMap(([name, mask]) =>
            (flags & mask) === 0 ? [] : [name],
          );
          if (names.length === 0) return;
          await memory.writeWord(registers.clear, status.clearAll);
          throw fail(at, `the controller reports ${names.join(", ")}`);
        },
      }),
    () => memory.writeWord(registers.control, (control.lock | control.parallelism) >>> 0),
  );
}

/** A flash word takes 0.1 ms and a sector a second: the controller is asked closely at first, then at leisure. */
const closePollMs = 1;
const leisurePollMs = 50;

/**
 * Waits until nothing is under way or queued in a bank.
 * @returns the status register
 * @throws FLASH_ERASE_FAILED or FLASH_PROGRAM_FAILED when it takes longer than `timeoutMs`
 */
export async function waitFlashIdle(
  memory: Memory,
  clock: Clock,
  { flash }: Pick<DeviceManifest, "flash">,
  bank: FlashBankFacts,
  view: WorldView,
  failure: FlashFailure,
  timeoutMs: number,
  address: string = hex32(bank.address),
): Promise<number> {
  const idleFlags = async (): Promise<number | undefined> => {
    const flags = await memory.readWord(flashRegisters(bank, view).status);
    return (flags & flash.status.busy) === 0 ? flags : undefined;
  };
  const soon = Math.min(timeoutMs, 5);
  const flags =
    (await poll(clock, { timeoutMs: soon, intervalMs: closePollMs }, idleFlags)) ??
    (await poll(clock, { timeoutMs: timeoutMs - soon, intervalMs: leisurePollMs }, idleFlags));
  if (flags === undefined)
    throw StationError.of(failure, { address, detail: `still busy after ${timeoutMs} ms` });
  return flags;
}
