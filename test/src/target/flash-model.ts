import type { Memory } from "../../../src/ports/index.ts";
import type { fakeClock } from "../dap/fake-clock.ts";
import { wordMemory } from "../dap/word-memory.ts";

const base = 0x52002000;
/** FLASH_…_CUR offsets (RM0433 4.9); the programming register is 4 further. */
const optionOffsets = [0x1c, 0x28, 0x30, 0x38, 0x40, 0x48, 0x128, 0x130, 0x138] as const;
const factory: Readonly<Record<number, number>> = {
  28: 0x0bde_aaf0 & ~0x0030_0000,
  40: 0xff,
  296: 0xff,
  48: 0xff,
  304: 0xff,
  56: 0xff,
  312: 0xff,
  64: 0x1ff00800,
  72: 0x10000810,
};

interface Bank {
  locked: boolean;
  dead: boolean;
  keys: number;
  cr: number;
  sr: number;
  busyUntilMs: number;
}

/**
 * The flash controller of an STM32H753 as far as the tests need it, written from RM0433 chapter 4: keys, erase,
 * programming, option bytes, RDP regression. Flash is 2 MB in `flash`.
 */
export interface FlashModel {
  readonly memory: Memory;
  readonly flash: Uint8Array;
  /** Current option words by offset of their CUR register. */
  readonly options: Map<number, number>;
  /** Writes to control registers, keys and clears, `offset=value` in hexadecimal. */
  readonly log: string[];
  readonly banks: readonly [Bank, Bank];
  optionsLocked: boolean;
  /** The next option write ends with OPTCHANGEERR. */
  refuseOptions: boolean;
  /** Called when an option write starts. */
  onOptionStart: () => void;
  /** Sets error flags in SR when this address is programmed. */
  failAt: { readonly address: number; readonly flags: number } | undefined;
}

export function flashModel(clock: ReturnType<typeof fakeClock>): FlashModel {
  const bank = (): Bank => ({ locked: true, dead: false, keys: 0, cr: 0, sr: 0, busyUntilMs: 0 });
  let optionKeys = 0;
  let optionsDead = false;
  let optionsBusyUntilMs = 0;
  let changeError = false;
  const programWords = new Map<number, number>(optionOffsets.map((offset) => [offset, factory[offset]!]));

  const model: FlashModel = {
    flash: new Uint8Array(0x200000).fill(0xff),
    options: new Map(programWords),
    log: [],
    banks: [bank(), bank()],
    optionsLocked: true,
    refuseOptions: false,
    onOptionStart: () => undefined,
    failAt: undefined,
    memory: wordMemory({ read, write }),
  };
  const rdp = (): number => ((model.options.get(0x1c) ?? 0) >>> 8) & 0xff;

  function read(address: number): number {
    if (address >= 0x08000000 && address < 0x08200000) {
      return new DataView(model.flash.buffer).getUint32(address - 0x08000000, true);
    }
    const offset = address - base;
    if (offset === 0x18) return model.optionsLocked ? 1 : 0;
    if (offset === 0x1c) {
      const busy = clock.monotonicMs() < optionsBusyUntilMs ? 1 : 0;
      return (model.options.get(0x1c) ?? 0) | busy | (changeError ? 1 << 30 : 0);
    }
    if (model.options.has(offset)) return model.options.get(offset) ?? 0;
    const each = model.banks[offset < 0x100 ? 0 : 1];
    if (offset % 0x100 === 0x0c) return each.cr | (each.locked ? 1 : 0);
    if (offset % 0x100 === 0x10) return each.sr | (clock.monotonicMs() < each.busyUntilMs ? 5 : 0);
    throw new Error(`read of ${address.toString(16)} is not modelled`);
  }

  function write(address: number, value: number): void {
    if (address >= 0x08000000 && address < 0x08200000) {
      program(address, value);
      return;
    }
    const offset = address - base;
    model.log.push(`${offset.toString(16)}=${value.toString(16)}`);
    const index = offset < 0x100 ? 0 : 1;
    const each = model.banks[index];
    if (offset === 0x08) optionKey(value);
    else if (offset === 0x18) optionControl(value);
    else if (offset === 0x24) changeError &&= (value & (1 << 30)) === 0;
    else if (programWords.has(offset - 4)) programWords.set(offset - 4, value);
    else if (offset % 0x100 === 0x04) bankKey(each, value);
    else if (offset % 0x100 === 0x0c) bankControl(each, index, value);
    else if (offset % 0x100 === 0x14) each.sr &= ~value;
    else throw new Error(`write to ${address.toString(16)} is not modelled`);
  }

  function bankKey(each: Bank, value: number): void {
    const wanted = [0x45670123, 0xcdef89ab][each.keys];
    if (each.dead || !each.locked || value !== wanted) each.dead = true;
    else if (++each.keys === 2) each.locked = false;
    if (each.dead) each.locked = true;
  }

  function bankControl(each: Bank, index: number, value: number): void {
    if (each.locked) return;
    each.cr = value & ~1;
    if ((value & 1) !== 0) {
      each.locked = true;
      each.keys = 0;
      return;
    }
    if ((value & 0x80) === 0) return;
    const start = index * 0x100000;
    if ((value & 8) !== 0) erase(each, start, 0x100000, 8000);
    else if ((value & 4) !== 0) erase(each, start + ((value >>> 8) & 7) * 0x20000, 0x20000, 1000);
  }

  function erase(each: Bank, start: number, sizeBytes: number, ms: number): void {
    const protectedSectors = ~(model.options.get(each === model.banks[0] ? 0x38 : 0x138) ?? 0) & 0xff;
    if (protectedSectors !== 0) {
      each.sr |= 1 << 17;
      return;
    }
    model.flash.fill(0xff, start, start + sizeBytes);
    each.busyUntilMs = clock.monotonicMs() + ms;
  }

  /** Words must come in order and fill whole 256-bit flash words; a programmed flash word takes no second one. */
  function program(address: number, value: number): void {
    const each = model.banks[address < 0x08100000 ? 0 : 1];
    const at = address - 0x08000000;
    const first = at % 32 === 0;
    const blank = !first || model.flash.subarray(at, at + 32).every((byte) => byte === 0xff);
    if (each.locked || (each.cr & 2) === 0 || !blank || (each.sr & 0x1ffe0000) !== 0) {
      each.sr |= 1 << 18;
      return;
    }
    if (model.failAt?.address === address) each.sr |= model.failAt.flags;
    new DataView(model.flash.buffer).setUint32(at, value, true);
  }

  function optionKey(value: number): void {
    const wanted = [0x08192a3b, 0x4c5d6e7f][optionKeys];
    if (optionsDead || !model.optionsLocked || value !== wanted) optionsDead = true;
    else if (++optionKeys === 2) model.optionsLocked = false;
    if (optionsDead) model.optionsLocked = true;
  }

  function optionControl(value: number): void {
    if (model.optionsLocked) return;
    if ((value & 1) !== 0) {
      model.optionsLocked = true;
      optionKeys = 0;
      return;
    }
    if ((value & 2) === 0) return;
    const before = rdp();
    const next = programWords.get(0x1c) ?? 0;
    const regression = before !== 0xaa && before !== 0xcc && ((next >>> 8) & 0xff) === 0xaa;
    const security = (model.options.get(0x1c) ?? 0) & (1 << 21);
    if (
      model.refuseOptions ||
      before === 0xcc ||
      (security !== 0 && (next & (1 << 21)) === 0 && !regression)
    ) {
      changeError = true;
      return;
    }
    for (const [offset, word] of programWords) model.options.set(offset, word);
    optionsBusyUntilMs = clock.monotonicMs() + (regression ? 12_000 : 300);
    if (regression) model.flash.fill(0xff);
    model.onOptionStart();
  }

  return model;
}
