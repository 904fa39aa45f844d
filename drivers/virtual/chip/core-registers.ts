import { fromWords, toWords } from "../../../src/bytes/bytes.ts";
import { bitField } from "../../../src/bytes/numbers.ts";
import type { ChipStore } from "../store.ts";
import type { WordName } from "../store-layout.ts";

/** Register numbers of DCRSR.REGSEL (Armv7-M ARM C1.6.3); 13 is the stack pointer in use. */
const nameOfNumber: Readonly<Record<number, WordName>> = {
  0: "r0",
  1: "r1",
  2: "r2",
  3: "r3",
  4: "r4",
  5: "r5",
  6: "r6",
  7: "r7",
  8: "r8",
  9: "r9",
  10: "r10",
  11: "r11",
  12: "r12",
  14: "lr",
  15: "pc",
  16: "xpsr",
  17: "msp",
  18: "psp",
  20: "cfbp",
  33: "fpscr",
};
const firstFpuRegister = 64;

/** The word that holds core register `number`; undefined when it is an FPU register or none. */
function wordOf(store: ChipStore, number: number): WordName | undefined {
  // CONTROL.SPSEL is bit 1 of the top byte of CFBP.
  if (number === 13) return bitField(store.get("cfbp"), 25, 1) === 1 ? "psp" : "msp";
  return nameOfNumber[number];
}

/** Value of a core register; registers that do not exist read 0. */
export function readCoreRegister(store: ChipStore, number: number): number {
  const word = wordOf(store, number);
  if (word !== undefined) return store.get(word);
  const at = 4 * (number - firstFpuRegister);
  return at >= 0 && at < 128 ? (toWords(store.region("fpu").slice(at, at + 4))[0] ?? 0) : 0;
}

/** Sets a core register. Stack pointers are word aligned and the PC is halfword aligned. */
export function writeCoreRegister(store: ChipStore, number: number, value: number): void {
  const word = wordOf(store, number);
  if (word === "msp" || word === "psp") store.set(word, value & ~3);
  else if (word === "pc") store.set(word, value & ~1);
  else if (word !== undefined) store.set(word, value);
  else {
    const at = 4 * (number - firstFpuRegister);
    if (at >= 0 && at < 128) store.write("fpu", at, fromWords([value]));
  }
}
