import type { ChipModel } from "../models/model.ts";
import type { ChipStore } from "../store.ts";

/** A word of the peripherals a debugger looks at; undefined where nothing answers. */
export function readPeripheral(store: ChipStore, model: ChipModel, address: number): number | undefined {
  const register = model.registers.find((candidate) => candidate.address === address);
  if (register === undefined) return isQuiet(model, address) ? 0 : undefined;
  // A peripheral without clock reads 0.
  if (register.clock && (store.get(register.clock.word) & register.clock.mask) === 0) return 0;
  return typeof register.value === "number" ? register.value : store.get(register.value);
}

/** Writes a word of the peripherals. Returns false where nothing answers. */
export function writePeripheral(store: ChipStore, model: ChipModel, address: number, value: number): boolean {
  const register = model.registers.find((candidate) => candidate.address === address);
  if (typeof register?.value === "string") store.set(register.value, value);
  return register !== undefined || isQuiet(model, address);
}

function isQuiet(model: ChipModel, address: number): boolean {
  return model.quietBlocks.some(({ base, sizeBytes }) => address >= base && address < base + sizeBytes);
}
