import type { OptionWord, OptionWords } from "../../models/flash-model.ts";
import type { ChipStore } from "../../store.ts";
import { currentWord, programmingWord } from "../../store-layout.ts";
import type { FlashCells } from "../flash-cells.ts";
import { flashTimes, nextKeyState, optcr } from "./flash-bits.ts";
import { evaluateOptionChange, type OptionChange, optsrBits, type ProtectedArea } from "./option-rules.ts";

/** What the option bytes need of the chip around them. */
export interface OptionHost {
  /** Modelled time in milliseconds. */
  now(): number;
  /** FLASH_OPTCR.MER was written: erase both banks. */
  massErase(): void;
  /** The option bytes have changed. */
  changed(): void;
  /** Memories that a regression clears besides the flash. */
  clearBackup(): void;
}

/**
 * The option bytes of the H7 and the registers that change them: OPTKEYR, OPTCR, OPTCCR and the current/programming
 * register pairs (RM0433 4.4). A change holds when its time is over and obeys `evaluateOptionChange`.
 */
export class OptionBytes {
  readonly #store: ChipStore;
  readonly #cells: FlashCells;
  readonly #words: readonly OptionWord[];
  readonly #host: OptionHost;
  #doneMs = 0;

  constructor(store: ChipStore, cells: FlashCells, words: readonly OptionWord[], host: OptionHost) {
    this.#store = store;
    this.#cells = cells;
    this.#words = words;
    this.#host = host;
  }

  /** The option words in force. */
  current(): OptionWords {
    return Object.fromEntries(this.#words.map(({ name }) => [name, this.word(name)]));
  }

  /** One option word in force; 0 when the part has none of that name. */
  word(name: string): number {
    return this.#words.some((word) => word.name === name) ? this.#store.get(currentWord(name)) : 0;
  }

  /** FLASH_OPTSR in force. */
  get optsr(): number {
    return this.#store.get(currentWord("optsr"));
  }

  /** What the words would be with bits that do not exist left out, and with what is not named as it is. */
  masked(words: OptionWords): OptionWords {
    return Object.fromEntries(
      this.#words.map(({ name, mask }) => {
        const wanted = words[name];
        return [name, wanted === undefined ? this.word(name) : (wanted & mask) >>> 0];
      }),
    );
  }

  makeFactoryNew(): void {
    for (const { name, factory, mask } of this.#words) this.#store.set(currentWord(name), factory & mask);
  }

  /** True when SWAP_BANK has been taken over at the last reset. */
  get swapped(): boolean {
    return this.#store.get("optcr") >>> optsrBits.swapBank === 1;
  }

  /** State after a system reset. */
  reset(): void {
    this.#store.set("optKeyState", 0);
    this.#store.set("optChangeError", 0);
    this.#loadProgrammingRegisters();
    this.#store.set("optcr", optcr.lock | (this.optsr & (1 << optsrBits.swapBank)));
  }

  /** A change that is cut off does not happen. */
  interrupt(): void {
    this.#store.set("optionPending", 0);
  }

  /** Ends a change whose time is over, or any change with `all`. */
  settle(all: boolean): void {
    if (this.#store.get("optionPending") === 0 || (!all && this.#host.now() < this.#doneMs)) return;
    this.#store.set("optionPending", 0);
    const change = this.evaluate(this.#programming());
    if (change.kind === "refused") this.#store.set("optChangeError", 1);
    else this.apply(change);
  }

  /** The value of an option register; undefined when the offset (from 0x52002000) is none of them. */
  read(offset: number): number | undefined {
    if (offset === 0x1c) {
      const error = this.#store.get("optChangeError") << optsrBits.optChangeError;
      return (this.optsr | this.#store.get("optionPending") | error) >>> 0;
    }
    if (offset === 0x18 || offset === 0x118) return this.#store.get("optcr");
    const current = this.#words.find((word) => word.offset === offset);
    if (current !== undefined) return this.#store.get(currentWord(current.name));
    const programming = this.#words.find((word) => word.programOffset === offset);
    return programming && this.#store.get(programmingWord(programming.name));
  }

  /** Writes an option register. Returns false when the offset is none of them. */
  write(offset: number, value: number): boolean {
    const word = this.#words.find(({ programOffset }) => programOffset === offset);
    if (word !== undefined) {
      if (!this.#locked) this.#store.set(programmingWord(word.name), value & word.mask);
    } else if (this.#words.some((current) => current.offset === offset)) return true;
    else if (offset === 0x08 || offset === 0x108) this.#writeKey(value);
    else if (offset === 0x18 || offset === 0x118) this.#writeOptcr(value);
    else if (offset === 0x24) {
      if ((value >>> optsrBits.optChangeError) & 1) this.#store.set("optChangeError", 0);
    } else return false;
    return true;
  }

  get #locked(): boolean {
    return (this.#store.get("optcr") & optcr.lock) !== 0;
  }

  #writeKey(value: number): void {
    const next = nextKeyState(this.#store.get("optKeyState"), value, [0x08192a3b, 0x4c5d6e7f]);
    this.#store.set("optKeyState", next === "open" ? 0 : next);
    if (next === "open") this.#store.set("optcr", this.#store.get("optcr") & ~optcr.lock);
  }

  #writeOptcr(value: number): void {
    if (this.#locked || this.#store.get("optionPending") === 1) return;
    const swapped = this.#store.get("optcr") & (1 << optsrBits.swapBank);
    this.#store.set("optcr", swapped | (value & (optcr.lock | optcr.errorInterrupt)));
    if ((value & optcr.mer) !== 0) this.#host.massErase();
    if ((value & optcr.start) === 0) return;
    const change = this.evaluate(this.#programming());
    const times = flashTimes(3);
    this.#store.set("optionPending", 1);
    this.#doneMs =
      this.#host.now() +
      (change.kind === "accepted" && change.regression ? times.regressionMs : times.optionMs);
  }

  /** What programming `wanted` would do. */
  evaluate(wanted: OptionWords): OptionChange {
    return evaluateOptionChange(this.current(), wanted, this.#cells.geometry.bankBytes);
  }

  /** Puts an accepted change into force, with the erasure that a regression brings. */
  apply(change: Extract<OptionChange, { kind: "accepted" }>): void {
    const { banks, bankBytes, sectorBytes } = this.#cells.geometry;
    if (change.regression) {
      for (let bank = 0; bank < banks; bank++) {
        const kept = new Set((change.kept[bank] ?? []).flatMap((area) => touchedSectors(area, sectorBytes)));
        for (let sector = 0; sector < bankBytes / sectorBytes; sector++) {
          if (!kept.has(sector)) this.#cells.erase(bank * bankBytes + sector * sectorBytes, sectorBytes);
        }
      }
      this.#host.clearBackup();
    }
    for (const { name } of this.#words) this.#store.set(currentWord(name), change.next[name] ?? 0);
    this.#loadProgrammingRegisters();
    this.#host.changed();
  }

  /** What the programming registers hold. */
  #programming(): OptionWords {
    return Object.fromEntries(this.#words.map(({ name }) => [name, this.#store.get(programmingWord(name))]));
  }

  #loadProgrammingRegisters(): void {
    for (const { name } of this.#words) this.#store.set(programmingWord(name), this.word(name));
  }
}

/** Numbers of the sectors of a bank that a stretch of it touches. */
function touchedSectors(area: ProtectedArea, sectorBytes: number): number[] {
  const first = Math.floor(area.start / sectorBytes);
  const last = Math.floor((area.end - 1) / sectorBytes);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
