import { hex32 } from "../bytes/hex.ts";
import { isStationError, StationError } from "../errors/station-error.ts";
import type { Clock, Memory } from "../ports/index.ts";
import { haltCore, readCoreRegisters, waitForHalt, writeCoreRegisters } from "./core.ts";
import { breakpointWord, core, coreRegister, dhcsr, dhcsrHalt, dhcsrRun, xpsrThumb } from "./registers.ts";

/** A function on the target that the host runs. */
export interface FunctionCall {
  /** Address of the function; bit 0 (Thumb) may be set or not. */
  readonly entry: number;
  /** Up to four words, for R0 to R3 (AAPCS). */
  readonly arguments: readonly number[];
  /** Initial stack pointer, 8-byte aligned; the stack grows down from here. */
  readonly stackTop: number;
  /** A word of RAM that is overwritten with a breakpoint and that the function returns to. */
  readonly returnAddress: number;
  readonly timeoutMs: number;
}

/**
 * Halts the core, runs a function on it and waits until it has returned. The core stays halted; its registers are
 * those after the call.
 * @returns R0
 * @throws CALL_NOT_RETURNED when it does not return in time (the core is halted again) or stops elsewhere
 * @throws CORE_NOT_HALTED when the core cannot be halted to begin with
 * @throws RangeError for more than four arguments
 */
export async function callFunction(memory: Memory, clock: Clock, call: FunctionCall): Promise<number> {
  if (call.arguments.length > 4)
    throw new RangeError(`${call.arguments.length} arguments do not fit R0 to R3`);
  await haltCore(memory, clock);
  await memory.writeWord(call.returnAddress, breakpointWord);
  await writeCoreRegisters(memory, [
    ...call.arguments.map((value, register): [number, number] => [register, value]),
    [coreRegister.SP, call.stackTop],
    [coreRegister.LR, (call.returnAddress | 1) >>> 0],
    [coreRegister.PC, (call.entry & ~1) >>> 0],
    [coreRegister.xPSR, xpsrThumb],
  ]);
  // Firmware's interrupts must not run into the call. C_MASKINTS changes while the core is halted, hence two writes.
  const masked = (dhcsrRun | dhcsr.C_MASKINTS) >>> 0;
  await memory.writeWord(core.DHCSR, (masked | dhcsr.C_HALT) >>> 0);
  await memory.writeWord(core.DHCSR, masked);
  const notReturned = (detail: string, cause?: unknown): StationError =>
    StationError.of("CALL_NOT_RETURNED", { entry: hex32(call.entry), detail }, { cause });
  try {
    await waitForHalt(memory, clock, call.timeoutMs);
  } catch (thrown) {
    if (!isStationError(thrown, "CORE_NOT_HALTED")) throw thrown;
    await haltCore(memory, clock);
    throw notReturned(`it was still running after ${call.timeoutMs} ms`, thrown);
  }
  const [result = 0, pc = 0] = await readCoreRegisters(memory, [coreRegister.R0, coreRegister.PC]);
  await memory.writeWord(core.DHCSR, dhcsrHalt);
  if (pc !== call.returnAddress) throw notReturned(`the core stopped at ${hex32(pc)}`);
  return result;
}
