import { type OptionName, type OptionWords, optionNames } from "../chips.ts";
import type { ChipStore } from "../store.ts";
import { bankBytes, type FlashArray, sectorBytes, sectorsPerBank, touchedSectors } from "./flash-array.ts";
import { flashTimes, nextKeyState, optcr } from "./flash-bits.ts";
import { evaluateOptionChange, implementedBits, type OptionChange, optsrBits } from "./option-rules.ts";

interface OptionRegister {
  readonly name: OptionName;
  readonly kind: "Cur" | "Prg";
}

/** What the option bytes need of the chip around them. */
export interface OptionHost {
  readonly security: boolean;
  /** Modelled time in milliseconds. */
  now(): number;
  /** FLASH_OPTCR.MER was written: erase both banks. */
  massErase(): void;
  /** The option bytes have changed. */
  changed(): void;
}

/**
 * The option bytes of the H7 and the registers that change them: OPTKEYR, OPTCR, OPTCCR and the current/programming
 * register pairs (RM0433 4.4). A change holds when its time is over and obeys `evaluateOptionChange`.
 */
export class OptionBytes {
  readonly #store: ChipStore;
  readonly #array: FlashArray;
  readonly #host: OptionHost;
  #doneMs = 0;

  constructor(store: ChipStore, array: FlashArray, host: OptionHost) {
    this.#store = store;
    this.#array = array;
    this.#host = host;
  }

  /** The option words in force. */
  current(): OptionWords {
    // Written out: it is asked for with every access to flash.
    const store = this.#store;
    return {
      optsr: store.get("optsrCur"),
      prar1: store.get("prar1Cur"),
      prar2: store.get("prar2Cur"),
      scar1: store.get("scar1Cur"),
      scar2: store.get("scar2Cur"),
      wpsn1: store.get("wpsn1Cur"),
      wpsn2: store.get("wpsn2Cur"),
      boot7: store.get("boot7Cur"),
      boot4: store.get("boot4Cur"),
    };
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
    this.#store.set("optcr", optcr.lock | (this.current().optsr & (1 << optsrBits.swapBank)));
  }

  /** A change that is cut off does not happen. */
  interrupt(): void {
    this.#store.set("optionPending", 0);
  }

  /** Ends a change whose time is over, or any change with `all`. */
  settle(all: boolean): void {
    if (this.#store.get("optionPending") === 0 || (!all && this.#host.now() < this.#doneMs)) return;
    this.#store.set("optionPending", 0);
    const change = evaluateOptionChange(this.current(), this.#programming());
    if (change.kind === "refused") this.#store.set("optChangeError", 1);
    else this.apply(change);
  }

  /** The value of an option register; undefined when the offset (from 0x52002000) is none of them. */
  read(offset: number): number | undefined {
    if (offset === 0x1c) {
      const error = this.#store.get("optChangeError") << optsrBits.optChangeError;
      return (this.#store.get("optsrCur") | this.#store.get("optionPending") | error) >>> 0;
    }
    if (offset === 0x18 || offset === 0x118) return this.#store.get("optcr");
    const register = optionRegisters.get(offset);
    return register && this.#store.get(`${register.name}${register.kind}`);
  }

  /** Writes an option register. Returns false when the offset is none of them. */
  write(offset: number, value: number): boolean {
    const register = optionRegisters.get(offset);
    if (register !== undefined) {
      if (register.kind === "Prg" && !this.#locked) this.#writeProgrammingRegister(register.name, value);
    } else if (offset === 0x08 || offset === 0x108) this.#writeKey(value);
    else if (offset === 0x18 || offset === 0x118) this.#writeOptcr(value);
    else if (offset === 0x24) {
      if ((value >>> optsrBits.optChangeError) & 1) this.#store.set("optChangeError", 0);
    } else return false;
    return true;
  }

  get #locked(): boolean {
    return (this.#store.get("optcr") & optcr.lock) !== 0;
  }

  #writeProgrammingRegister(name: OptionName, value: number): void {
    this.#store.set(`${name}Prg`, value & implementedBits(name, this.#host.security));
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
    const change = evaluateOptionChange(this.current(), this.#programming());
    const times = flashTimes(3);
    this.#store.set("optionPending", 1);
    this.#doneMs =
      this.#host.now() +
      (change.kind === "accepted" && change.regression ? times.regressionMs : times.optionMs);
  }

  /** Puts an accepted change into force, with the erasure that a regression brings. */
  apply(change: Extract<OptionChange, { kind: "accepted" }>): void {
    if (change.regression) {
      for (const bank of [0, 1]) {
        const kept = new Set((change.kept[bank] ?? []).flatMap(touchedSectors));
        for (let sector = 0; sector < sectorsPerBank; sector++) {
          if (!kept.has(sector)) this.#array.erase(bank * bankBytes + sector * sectorBytes, sectorBytes);
        }
      }
      this.#store.fill("backup", 0, this.#store.region("backup").length, 0);
    }
    for (const name of optionNames) this.#store.set(`${name}Cur`, change.next[name]);
    this.#loadProgrammingRegisters();
    this.#host.changed();
  }

  /** What the programming registers hold. */
  #programming(): OptionWords {
    const words = optionNames.map((name): [OptionName, number] => [name, this.#store.get(`${name}Prg`)]);
    return Object.fromEntries(words) as Record<OptionName, number>;
  }

  #loadProgrammingRegisters(): void {
    for (const name of optionNames) this.#store.set(`${name}Prg`, this.#store.get(`${name}Cur`));
  }
}

/** Offset to option word: the current register and, 4 behind it, the one for programming (RM0433 4.9). */
const optionRegisters: ReadonlyMap<number, OptionRegister> = new Map(
  (
    [
      [0x1c, "optsr"],
      [0x28, "prar1"],
      [0x128, "prar2"],
      [0x30, "scar1"],
      [0x130, "scar2"],
      [0x38, "wpsn1"],
      [0x138, "wpsn2"],
      [0x40, "boot7"],
      [0x48, "boot4"],
    ] as const
  ).flatMap(([offset, name]): [number, OptionRegister][] => [
    [offset, { name, kind: "Cur" }],
    [offset + 4, { name, kind: "Prg" }],
  ]),
);
