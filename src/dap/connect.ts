import { isStationError } from "../errors/station-error.ts";
import type { Clock, DebugPort, Probe } from "../ports/index.ts";
import { haltCore, resetAndHalt } from "./core.ts";
import { initDebugPort, isLinkTrouble } from "./link.ts";
import { poll } from "./poll.ts";
import { core, demcr, dhcsr, dhcsrHalt } from "./registers.ts";
import { createSession, type DebugSession } from "./session.ts";

export type ConnectMode = "normal" | "hot-plug" | "under-reset";

export interface ConnectOptions {
  readonly mode: ConnectMode;
  readonly clockKilohertz: number;
  /** Access port of the core; of several the first behind which a core answers. */
  readonly ap: number | readonly number[];
  /**
   * normal: halt the core (default true). hot-plug never halts, whatever this says; under-reset always does.
   */
  readonly halt?: boolean;
}

/** NRST stays low this long before it is let go, for boards with a capacitor on it. */
const resetPulseMs = 20;
/** A core that was caught at its reset vector shows so within this time (probe-rs waits 100 ms). */
const catchMs = 500;

/**
 * Connects to a target. The clock is set first, because entering SWD already uses the wire.
 * - normal: attach, and halt the core
 * - hot-plug: attach without touching the core, DEMCR or NRST
 * - under-reset: attach while NRST is low and catch the core at its reset vector; when NRST turns out not to be
 *   wired, a system reset with vector catch takes its place
 * @throws TARGET_NO_ANSWER, CORE_NOT_HALTED, PROBE_UNSUPPORTED and whatever the probe throws
 */
export async function connectDebug(
  probe: Probe,
  clock: Clock,
  options: ConnectOptions,
): Promise<DebugSession> {
  const actualKilohertz = await probe.setClock(options.clockKilohertz);
  const { port, inReset } =
    options.mode === "under-reset"
      ? await enterUnderReset(probe)
      : { port: await probe.enterSwd(), inReset: false };
  const dpidr = await initDebugPort(probe, port, clock);
  const ap = await openCoreAp(port, typeof options.ap === "number" ? [options.ap] : options.ap);
  const session = createSession({ probe, clock, ap, actualKilohertz, port, dpidr });
  if (inReset) await catchReset(session, clock);
  else if (options.mode === "under-reset") await resetAndHalt(session, clock);
  else if (options.mode === "normal" && options.halt !== false) await haltCore(session.memory(), clock);
  return session;
}

/** CPUID bits 31:24: implementer Arm (Armv7-M and Armv8-M reference manuals). */
const implementerArm = 0x41;

/**
 * Opens the access port of the core. Families have it at different numbers, and the device is not known yet; behind
 * the right one CPUID reads as an Arm core. Of a part that hides its core (closed, or held in reset) the first access
 * port that opens is kept.
 */
async function openCoreAp(port: DebugPort, candidates: readonly number[]): Promise<number> {
  const [first = 0, ...others] = candidates;
  if (others.length === 0) {
    await port.openAp(first);
    return first;
  }
  let opened: number | undefined;
  let refusal: unknown;
  for (const ap of candidates) {
    try {
      await port.openAp(ap);
      opened ??= ap;
      if (await hasCore(port, ap)) return ap;
    } catch (thrown) {
      if (!isLinkTrouble(thrown)) throw thrown;
      refusal ??= thrown;
    }
  }
  if (opened === undefined) throw refusal;
  return opened;
}

async function hasCore(port: DebugPort, ap: number): Promise<boolean> {
  try {
    return (await port.memory(ap).readWord(core.CPUID)) >>> 24 === implementerArm;
  } catch (thrown) {
    if (isLinkTrouble(thrown)) return false;
    throw thrown;
  }
}

/**
 * Enters SWD with NRST low (the order of OpenOCD and st-util). A debug port that is dead under reset answers only
 * with NRST high again; the caller then has to reset the core in another way.
 */
async function enterUnderReset(probe: Probe): Promise<{ port: DebugPort; inReset: boolean }> {
  try {
    await probe.setNrst("low");
  } catch (thrown) {
    // Some ST-LINK/V2 firmware cannot drive NRST before the mode is entered; it is driven again below.
    if (!isStationError(thrown, "PROBE_COMMAND_FAILED")) throw thrown;
  }
  try {
    const port = await probe.enterSwd({ keepNrst: true });
    await probe.setNrst("low");
    return { port, inReset: true };
  } catch (thrown) {
    if (!isStationError(thrown, "TARGET_NO_ANSWER")) throw thrown;
    await probe.setNrst("high");
    return { port: await probe.enterSwd(), inReset: false };
  }
}

/** With NRST low: arm the catch, let NRST go, and see that the core stopped at its reset vector. */
async function catchReset(session: DebugSession, clock: Clock): Promise<void> {
  await armCatch(session);
  await clock.sleep(resetPulseMs);
  await session.probe.setNrst("high");
  let resetSeen = false;
  const halted = await poll(clock, { timeoutMs: catchMs, intervalMs: 10 }, async () => {
    const status = await session.memory().readWord(core.DHCSR);
    resetSeen ||= (status & dhcsr.S_RESET_ST) !== 0;
    return (status & dhcsr.S_HALT) !== 0 ? true : undefined;
  });
  if (halted === undefined || !resetSeen) await resetAndHalt(session, clock);
  else await session.memory().writeWord(core.DEMCR, demcr.TRCENA);
}

/**
 * Asks for a halt and for a catch of the next reset. Parts whose access port is dead under reset refuse this (the
 * STM32H7RS does); they are then caught by a second reset, through the core.
 */
async function armCatch(session: DebugSession): Promise<void> {
  try {
    await session.memory().batch([
      { kind: "write", address: core.DHCSR, value: dhcsrHalt },
      { kind: "write", address: core.DEMCR, value: demcr.TRCENA | demcr.VC_CORERESET },
    ]);
  } catch (thrown) {
    if (!isLinkTrouble(thrown)) throw thrown;
  }
}
