import type { OptionWord, OptionWords, PageFlash } from "../../models/flash-model.ts";
import type { ChipStore } from "../../store.ts";
import { currentWord, programmingWord, storedWord } from "../../store-layout.ts";
import { levelOf, optr, times } from "./bits.ts";
import { OemKeys } from "./oem-keys.ts";
import { evaluateOptionChange, type OptionChange } from "./option-rules.ts";

/** What the option bytes need of the controller around them. */
export interface OptionHost {
  now(): number;
  /** A regression erases the array, or what no watermark covers. */
  erase(what: "nonSecure" | "all"): void;
  /** OPTSTRT was refused. */
  refused(): void;
}

/**
 * Option bytes of the page controllers: registers that are written in place, programmed by OPTSTRT, and in force when
 * they are loaded (OBL_LAUNCH or power-on).
 */
export class PageOptions {
  readonly keys: OemKeys;
  readonly #store: ChipStore;
  readonly #model: PageFlash;
  readonly #words: readonly OptionWord[];
  readonly #host: OptionHost;
  #doneMs = 0;

  constructor(store: ChipStore, model: PageFlash, words: readonly OptionWord[], host: OptionHost) {
    this.#store = store;
    this.#model = model;
    this.#words = words;
    this.#host = host;
    this.keys = new OemKeys(store);
  }

  makeFactoryNew(): void {
    for (const { name, factory } of this.#words) this.#store.set(storedWord(name), factory);
    this.load();
  }

  /** What is programmed comes into force. */
  load(): void {
    for (const { name } of this.#words) this.#store.set(currentWord(name), this.#store.get(storedWord(name)));
    this.reset();
  }

  /** The registers show what is in force again. */
  reset(): void {
    for (const { name } of this.#words) {
      this.#store.set(programmingWord(name), this.#store.get(currentWord(name)));
    }
  }

  /** After power-on: OEM2KEY that was shown at level 2 has taken the part to level 1. */
  powerOn(): void {
    const shown = this.keys.powerOn();
    const stored = this.#store.get(storedWord("optr"));
    if (shown && levelOf(stored, true) === 2)
      this.#store.set(storedWord("optr"), ((stored & ~0xff) | 0xdc) >>> 0);
    this.load();
  }

  /** Option words in force. */
  current(): OptionWords {
    return this.#gather(currentWord);
  }

  word(name: string): number {
    return this.#words.some((word) => word.name === name) ? this.#store.get(currentWord(name)) : 0;
  }

  /** OPTR in force. */
  get optr(): number {
    return this.#store.get(currentWord("optr"));
  }

  get trustZone(): boolean {
    return this.#model.trustZone !== undefined && (this.optr & optr.tzen) !== 0;
  }

  /** True while a change is being programmed. */
  get busy(): boolean {
    return this.#store.get("optionPending") === 1;
  }

  /** A change that is cut off does not happen. */
  interrupt(): void {
    this.#store.set("optionPending", 0);
  }

  settle(all: boolean): void {
    if (!this.busy || (!all && this.#host.now() < this.#doneMs)) return;
    this.#store.set("optionPending", 0);
    const change = this.#evaluate(this.#gather(programmingWord));
    if (change.kind === "refused") {
      this.#host.refused();
      this.reset();
      return;
    }
    this.keys.program();
    this.#keep(change.next);
    if (change.erases !== "nothing") this.#host.erase(change.erases);
  }

  /** OPTSTRT. */
  start(): void {
    const change = this.#evaluate(this.#gather(programmingWord));
    const erases = change.kind === "accepted" && change.erases !== "nothing";
    this.#store.set("optionPending", 1);
    this.#doneMs = this.#host.now() + (erases ? times.regressionMs : times.optionMs);
  }

  /** Programs words without the rules of OPTSTRT: what code of ST does in the part. Words not named stay. */
  program(words: OptionWords): void {
    const next = this.#words.map(({ name, mask, factory }): [string, number] => {
      const wanted = words[name];
      return [name, wanted === undefined ? this.#store.get(storedWord(name)) : fitted(wanted, mask, factory)];
    });
    this.#keep(Object.fromEntries(next));
  }

  read(offset: number): number | undefined {
    const word = this.#words.find((candidate) => candidate.offset === offset);
    if (word !== undefined) return this.#store.get(programmingWord(word.name));
    return this.#keyPlace(offset) === undefined ? undefined : 0;
  }

  /**
   * Writes an option register. Returns false when the offset is none of them.
   * @param open option bytes are unlocked
   */
  write(offset: number, value: number, open: boolean, secure: boolean): boolean {
    const word = this.#words.find((candidate) => candidate.offset === offset);
    const key = this.#keyPlace(offset);
    if (word === undefined && key === undefined) return false;
    if (!open || this.busy) return true;
    if (key !== undefined) this.keys.draft(key.which, key.word, value);
    // What belongs to the secure side is not changed from the other once there are two.
    else if (word !== undefined && !(word.secure && this.trustZone && !secure)) {
      this.#store.set(programmingWord(word.name), fitted(value, word.mask, word.factory));
    }
    return true;
  }

  #evaluate(wanted: OptionWords): OptionChange {
    const stored = this.#gather(storedWord);
    if (this.keys.drafted && levelOf(stored["optr"] ?? 0, true) >= 1) {
      return { kind: "refused", reason: "keys are written below RDP level 1" };
    }
    return evaluateOptionChange(this.#model, this.#words, stored, wanted, this.keys.state());
  }

  #keyPlace(offset: number): { readonly which: 0 | 1; readonly word: 0 | 1 } | undefined {
    const keys = this.#model.trustZone?.oemKeys;
    if (keys === undefined) return undefined;
    for (const [which, first] of [keys.first, keys.second].entries()) {
      if (offset === first || offset === first + 4) {
        return { which: which === 0 ? 0 : 1, word: offset === first ? 0 : 1 };
      }
    }
    return undefined;
  }

  #gather(wordOf: typeof currentWord): OptionWords {
    return Object.fromEntries(this.#words.map(({ name }) => [name, this.#store.get(wordOf(name))]));
  }

  #keep(words: OptionWords): void {
    for (const { name } of this.#words) {
      this.#store.set(storedWord(name), words[name] ?? 0);
      this.#store.set(programmingWord(name), words[name] ?? 0);
    }
  }
}

/** Bits that do not exist read as they left the factory. */
function fitted(value: number, mask: number, factory: number): number {
  return ((value & mask) | (factory & ~mask)) >>> 0;
}
