import { toWords } from "../../../src/bytes/bytes.ts";
import type { ChipModel } from "../models/model.ts";
import type { ChipStore } from "../store.ts";

/** The volatile memory that holds a whole stretch of addresses, and where in it; undefined when none does. */
export function volatilePlace(
  model: ChipModel,
  address: number,
  sizeBytes: number,
): { readonly name: string; readonly offset: number } | undefined {
  for (const region of model.regions) {
    if (region.kind !== "volatile") continue;
    for (const base of [region.base, ...(region.aliases ?? []).map((alias) => alias.base)]) {
      if (address >= base && address + sizeBytes <= base + region.sizeBytes) {
        return { name: region.name, offset: address - base };
      }
    }
  }
  return undefined;
}

/** Keeps the unique id of a new chip. */
export function writeUid(store: ChipStore, uid: Uint8Array): void {
  const [uid0 = 0, uid1 = 0, uid2 = 0] = toWords(uid);
  store.set("uid0", uid0);
  store.set("uid1", uid1);
  store.set("uid2", uid2);
}

/** What RAM holds after power-on: nothing one may rely on, and the same in every run. */
export function noise(seed: number, sizeBytes: number): Uint8Array {
  const words = new Uint32Array(sizeBytes / 4);
  let state = (seed ^ 0x9e3779b9) >>> 0;
  for (let i = 0; i < words.length; i++) {
    // xorshift32 (Marsaglia 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}
