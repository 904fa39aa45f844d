import type { ChipStore } from "../../store.ts";
import type { KeyState } from "./option-rules.ts";

const keyWords = [
  ["oem1Key1", "oem1Key2"],
  ["oem2Key1", "oem2Key2"],
] as const;

/** What a debugger's key opened. */
const known = { first: 1, second: 2 } as const;

/**
 * OEM1KEY and OEM2KEY of U5 and WBA (RM0456 7.6.2): written like option bytes, never read, zero is no key. A debugger
 * gives a key as two words, the least significant first, through DBGMCU's authentication register; a wrong one shuts
 * that way until power-off.
 */
export class OemKeys {
  readonly #store: ChipStore;
  readonly #draft = new Map<string, number>();

  constructor(store: ChipStore) {
    this.#store = store;
  }

  /** The supply is back: what a debugger has shown is forgotten. Returns true when OEM2KEY was shown before. */
  powerOn(): boolean {
    const second = (this.#store.get("keyMatch") & known.second) !== 0;
    for (const word of ["keyMatch", "keyLocked", "authWords"] as const) this.#store.set(word, 0);
    this.#draft.clear();
    return second;
  }

  /** A word of a key register was written. @param which 0 for OEM1KEY, 1 for OEM2KEY */
  draft(which: 0 | 1, word: 0 | 1, value: number): void {
    this.#draft.set(keyWords[which][word], value);
  }

  /** True when a key is to be programmed. */
  get drafted(): boolean {
    return this.#draft.size > 0;
  }

  /** The key registers are programmed with the option bytes; a word that was not written is 0. */
  program(): void {
    for (const pair of keyWords) {
      if (!pair.some((word) => this.#draft.has(word))) continue;
      for (const word of pair) this.#store.set(word, this.#draft.get(word) ?? 0);
    }
    this.#draft.clear();
  }

  state(): KeyState {
    const match = this.#store.get("keyMatch");
    return {
      firstLocked: this.#locked(0),
      secondLocked: this.#locked(1),
      firstKnown: (match & known.first) !== 0,
      secondKnown: (match & known.second) !== 0,
    };
  }

  /** A word through the authentication register. */
  take(value: number): void {
    const { keyLocked, authWords } = {
      keyLocked: this.#store.get("keyLocked"),
      authWords: this.#store.get("authWords"),
    };
    if (keyLocked === 1) return;
    this.#store.set(authWords === 0 ? "authHost1" : "authHost2", value);
    this.#store.set("authWords", authWords === 0 ? 1 : 0);
    if (authWords === 0) return;
    const match = ([0, 1] as const).filter((which) => this.#locked(which) && this.#shown(which));
    if (match.length === 0) this.#store.set("keyLocked", 1);
    for (const which of match) {
      this.#store.set("keyMatch", this.#store.get("keyMatch") | (which === 0 ? known.first : known.second));
    }
  }

  #locked(which: 0 | 1): boolean {
    return keyWords[which].some((word) => this.#store.get(word) !== 0);
  }

  #shown(which: 0 | 1): boolean {
    const [low, high] = keyWords[which];
    return (
      this.#store.get(low) === this.#store.get("authHost1") &&
      this.#store.get(high) === this.#store.get("authHost2")
    );
  }
}
