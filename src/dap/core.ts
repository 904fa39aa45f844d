import { StationError } from "../errors/station-error.ts";
import type { Clock, Memory, MemoryOperation } from "../ports/index.ts";
import { isLinkTrouble } from "./link.ts";
import { poll } from "./poll.ts";
import { aircrSystemReset, core, dcrsrWrite, demcr, dhcsr, dhcsrHalt, dhcsrRun } from "./registers.ts";
import type { DebugSession } from "./session.ts";

/** How long a halt request may take. A running core halts within its longest instruction. */
const haltMs = 1000;
/** How long the target may be away after a system reset (st-flash and probe-rs allow 500 ms). */
const resetMs = 2000;

/**
 * Halts the core and waits until it is (Armv7-M C1.6.2).
 * @throws CORE_NOT_HALTED
 */
export async function haltCore(memory: Memory, clock: Clock): Promise<void> {
  await memory.writeWord(core.DHCSR, dhcsrHalt);
  await waitForHalt(memory, clock, haltMs);
}

/** Waits until the core is halted. @throws CORE_NOT_HALTED */
export async function waitForHalt(memory: Memory, clock: Clock, timeoutMs: number): Promise<void> {
  const halted = await poll(clock, { timeoutMs, intervalMs: 5 }, async () => {
    const status = await memory.readWord(core.DHCSR);
    return (status & dhcsr.S_HALT) !== 0 ? true : undefined;
  });
  if (halted === undefined) throw StationError.of("CORE_NOT_HALTED", { timeoutMs });
}

/** Lets the core run; debug stays enabled. */
export async function resumeCore(memory: Memory): Promise<void> {
  await memory.writeWord(core.DHCSR, dhcsrRun);
}

/**
 * Reads core registers of a halted core.
 * @param registers DCRSR.REGSEL numbers (`coreRegister`)
 * @throws CORE_RUNNING when the core does not hand a register over
 */
export async function readCoreRegisters(memory: Memory, registers: readonly number[]): Promise<number[]> {
  const answers = await memory.batch(
    registers.flatMap((register): MemoryOperation[] => [
      { kind: "write", address: core.DCRSR, value: register },
      { kind: "read", address: core.DHCSR },
      { kind: "read", address: core.DCRDR },
    ]),
  );
  return registers.map((_, i) => {
    requireReady(answers[2 * i]);
    return answers[2 * i + 1] ?? 0;
  });
}

/**
 * Writes core registers of a halted core.
 * @param values pairs of DCRSR.REGSEL number and value
 * @throws CORE_RUNNING when the core does not take a register
 */
export async function writeCoreRegisters(
  memory: Memory,
  values: readonly (readonly [register: number, value: number])[],
): Promise<void> {
  const answers = await memory.batch(
    values.flatMap(([register, value]): MemoryOperation[] => [
      { kind: "write", address: core.DCRDR, value },
      { kind: "write", address: core.DCRSR, value: register | dcrsrWrite },
      { kind: "read", address: core.DHCSR },
    ]),
  );
  for (const status of answers) requireReady(status);
}

/** One core register of a halted core. @throws CORE_RUNNING */
export async function readCoreRegister(memory: Memory, register: number): Promise<number> {
  const [value] = await readCoreRegisters(memory, [register]);
  return value ?? 0;
}

/** Sets one core register of a halted core. @throws CORE_RUNNING */
export async function writeCoreRegister(memory: Memory, register: number, value: number): Promise<void> {
  await writeCoreRegisters(memory, [[register, value]]);
}

/**
 * S_REGRDY is read a whole SWD transfer after the request. The core needs a few of its cycles for the transfer, so
 * a register that is not ready then never will be: the core is not halted.
 */
function requireReady(status: number | undefined): void {
  if (((status ?? 0) & dhcsr.S_REGRDY) === 0) throw StationError.of("CORE_RUNNING", {});
}

/**
 * Resets the system through the core (AIRCR.SYSRESETREQ). The write may go unanswered because the reset takes the
 * link down with it; that is not an error.
 */
export async function requestSystemReset(memory: Memory): Promise<void> {
  await tolerateLinkLoss(() => memory.writeWord(core.AIRCR, aircrSystemReset));
}

/**
 * Resets the system and stops the core before its first instruction (vector catch). When the reset takes the link
 * down the session is reattached.
 * @throws CORE_NOT_HALTED, TARGET_NO_ANSWER
 */
export async function resetAndHalt(session: DebugSession, clock: Clock): Promise<void> {
  await session.memory().batch([
    { kind: "write", address: core.DHCSR, value: dhcsrHalt },
    { kind: "write", address: core.DEMCR, value: demcr.TRCENA | demcr.VC_CORERESET },
  ]);
  await requestSystemReset(session.memory());
  await clock.sleep(10);
  const linked = await tolerateLinkLoss(() => waitForHalt(session.memory(), clock, haltMs));
  if (!linked) {
    await session.reattach({ timeoutMs: resetMs });
    await haltCore(session.memory(), clock);
  }
  await session.memory().writeWord(core.DEMCR, demcr.TRCENA);
}

/** Runs `work`; false when the link to the target broke under it. */
async function tolerateLinkLoss(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (thrown) {
    if (isLinkTrouble(thrown)) return false;
    throw thrown;
  }
}
