import type { Memory } from "../../../src/ports/index.ts";
import { wordMemory } from "./word-memory.ts";

/** A core behind its debug registers (Armv7-M C1.6), with the plain memory around it. */
export interface CoreModel {
  readonly memory: Memory;
  readonly registers: number[];
  readonly words: Map<number, number>;
  /** Every write to DHCSR, DEMCR and AIRCR, in order, as `name=value`. */
  readonly log: string[];
  halted: boolean;
  /** What happens when the core is let go; returns true when it has stopped again. */
  onRun: (core: CoreModel) => boolean;
  /** What a system reset does besides. */
  onReset: () => void;
  /** Halt requests are ignored. */
  stuck: boolean;
}

export function coreModel(): CoreModel {
  let dcrdr = 0;
  let dhcsr = 0;
  let demcr = 0;
  const hex = (value: number) => value.toString(16);
  const core: CoreModel = {
    registers: Array.from({ length: 21 }, () => 0),
    words: new Map(),
    log: [],
    halted: false,
    stuck: false,
    onRun: () => false,
    onReset: () => undefined,
    memory: wordMemory({
      read: (address) => {
        if (address === 0xe000edf0)
          return (dhcsr & 0xffff) | (core.halted ? 1 << 17 : 0) | (core.halted ? 1 << 16 : 0);
        if (address === 0xe000edf8) return dcrdr;
        return core.words.get(address) ?? 0;
      },
      write: (address, value) => {
        if (address === 0xe000edf0) {
          core.log.push(`DHCSR=${hex(value)}`);
          if (value >>> 16 !== 0xa05f) return;
          dhcsr = value;
          const halt = (value & 2) !== 0 && !core.stuck;
          if (halt || !core.halted) core.halted = halt || core.halted;
          else core.halted = core.onRun(core);
        } else if (address === 0xe000edf8) dcrdr = value;
        else if (address === 0xe000edf4) {
          if (!core.halted) return;
          if ((value & 0x10000) !== 0) core.registers[value & 0x7f] = dcrdr;
          else dcrdr = core.registers[value & 0x7f] ?? 0;
        } else if (address === 0xe000edfc) {
          core.log.push(`DEMCR=${hex(value)}`);
          demcr = value;
        } else if (address === 0xe000ed0c) {
          core.log.push(`AIRCR=${hex(value)}`);
          core.halted = (demcr & 1) !== 0;
          core.onReset();
        } else core.words.set(address, value);
      },
    }),
  };
  return core;
}
