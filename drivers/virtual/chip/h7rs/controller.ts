import type { H7rsFlash, OptionWord, OptionWords } from "../../models/flash-model.ts";
import type { ChipStore } from "../../store.ts";
import { currentWord, storedWord } from "../../store-layout.ts";
import { type BusOutcome, done, longestHoldMs } from "../bus.ts";
import { FlashCells } from "../flash-cells.ts";
import {
  type Access,
  type BootPlace,
  type FlashHost,
  type FlashPart,
  type InstallPort,
  open,
  type Protection,
} from "../flash-part.ts";
import { nextKeyState } from "../h7/flash-bits.ts";

/** FLASH_CR (RM0477 5.9.3). FW and START clear themselves. */
const cr = {
  lock: 1 << 0,
  pg: 1 << 1,
  ser: 1 << 2,
  ber: 1 << 3,
  fw: 1 << 4,
  start: 1 << 5,
  snbShift: 6,
  writable: 0x010301cf,
} as const;
const sr = { busy: 1 << 0, wbne: 1 << 1, qw: 1 << 2, isOptionChange: 1 << 6 } as const;
/** FLASH_ISR. */
const isr = { eop: 1 << 16, wrperr: 1 << 17, pgserr: 1 << 18, strberr: 1 << 19, incerr: 1 << 21 } as const;
const isrErrorMask = isr.wrperr | isr.pgserr | isr.strberr | isr.incerr;
const optcr = { lock: 1 << 0, program: 1 << 1 } as const;
const optionError = 1 << 30;
/** Product state and NVSTATE (CMSIS RSSLIB, HAL). */
export const productState = { open: 0x39, provisioning: 0x17, closed: 0x72, locked: 0x5c } as const;
const nvState = { open: 0xb4, closed: 0x51 } as const;
const times = { unitMs: 0.06, sectorMs: 20, bankMs: 100, optionMs: 20 } as const;
const emptyBuffer = 0xffffffff;
const bankErase = 0x10000;
/** Words that RSS alone writes when the part is not Open. */
const rssWords: readonly string[] = ["rotsr", "wrpsr", "hdpsr"];

/**
 * The flash controller of H7R and H7S (RM0477 chapter 5) as a state machine over the store: one bank, option words that
 * are programmed one by one as they are written and in force after a reset. The product state is behind RSS.
 */
export class H7rsFlashController implements FlashPart {
  readonly cells: FlashCells;
  readonly install: InstallPort;
  readonly #model: H7rsFlash;
  readonly #words: readonly OptionWord[];
  readonly #store: ChipStore;
  readonly #host: FlashHost;
  #busyUntilMs = 0;
  #optionsDoneMs = 0;

  constructor(store: ChipStore, model: H7rsFlash, words: readonly OptionWord[], host: FlashHost) {
    this.cells = new FlashCells(store, model);
    this.#model = model;
    this.#words = words;
    this.#store = store;
    this.#host = host;
    this.install = this.#installPort();
  }

  makeFactoryNew(): void {
    this.cells.erase(0, this.cells.bytes.length);
    for (const { name, factory } of this.#words) this.#store.set(storedWord(name), factory);
    this.loadOptions();
  }

  loadOptions(): void {
    for (const { name } of this.#words) this.#store.set(currentWord(name), this.#store.get(storedWord(name)));
  }

  powerOn(): void {
    this.loadOptions();
  }

  /** Keys of these parts go through debug authentication, which this bench has not. */
  takeKey(): void {}

  options(): OptionWords {
    return Object.fromEntries(this.#words.map(({ name }) => [name, this.#store.get(currentWord(name))]));
  }

  get #state(): number {
    return this.#store.get(currentWord("productState"));
  }

  protection(): Protection {
    return {
      ...open,
      portClosed: this.#state === productState.closed || this.#state === productState.locked,
    };
  }

  bootPlace(): BootPlace {
    return this.#state === productState.provisioning || this.cells.isBlank(0, 8)
      ? { kind: "bootloader", address: 0x1ff18000 }
      : { kind: "vectors", address: this.#model.base };
  }

  reset(): void {
    for (const word of ["keyState1", "optKeyState", "sr1", "optChangeError"] as const)
      this.#store.set(word, 0);
    this.#store.set("cr1", cr.lock);
    this.#store.set("optcr", optcr.lock);
    this.#dropBuffer();
    this.#busyUntilMs = 0;
  }

  interrupt(): void {
    this.settle();
    const { sectorBytes } = this.#model;
    for (const sector of this.#sectorsOf(this.#store.get("erasePending1"))) {
      this.cells.erase(sector * sectorBytes, sectorBytes / 2);
    }
    this.#store.set("erasePending1", 0);
  }

  settle(all = false): void {
    const pending = this.#store.get("erasePending1");
    if (pending === 0 || !(all || this.#busyMs === 0)) return;
    const { sectorBytes } = this.#model;
    for (const sector of this.#sectorsOf(pending)) this.cells.erase(sector * sectorBytes, sectorBytes);
    this.#store.set("erasePending1", 0);
    this.#flag(isr.eop);
  }

  peek(offset: number, sizeBytes: number): Uint8Array | undefined {
    const inside = offset >= 0 && offset + sizeBytes <= this.cells.bytes.length;
    return inside ? this.cells.bytes.slice(offset, offset + sizeBytes) : undefined;
  }

  read(_access: Access, address: number, offset: number, into: Uint8Array): BusOutcome {
    this.settle();
    if (this.#store.get("erasePending1") !== 0 && this.#busyMs > longestHoldMs)
      return { kind: "wait", address };
    into.set(this.cells.bytes.subarray(offset, offset + into.length));
    return done;
  }

  /** A debugger writes: bytes gather in the write buffer; the last of a flash word starts programming. */
  write(_access: Access, address: number, offset: number, data: Uint8Array): BusOutcome {
    this.settle();
    if (this.#store.get("erasePending1") !== 0) return { kind: "wait", address };
    const { unitBytes } = this.#model;
    for (let at = 0; at < data.length; ) {
      const place = offset + at;
      const size = Math.min(data.length - at, unitBytes - (place % unitBytes));
      this.#gather(place, data.subarray(at, at + size));
      at += size;
    }
    return { kind: "ok", stallMs: Math.max(0, this.#busyMs - times.unitMs) };
  }

  #gather(place: number, bytes: Uint8Array): void {
    const { unitBytes } = this.#model;
    const within = place % unitBytes;
    const held = this.#store.get("bufferBase1");
    const mask = held === emptyBuffer ? 0 : this.#store.get("bufferMask1");
    const bits = ((1 << bytes.length) - 1) << within;
    const error = this.#gatherError(place, held, (mask & bits) !== 0);
    if (error !== 0) {
      this.#flag(error);
      this.#dropBuffer();
      return;
    }
    this.#store.write("writeBuffers", within, bytes);
    this.#store.set("bufferBase1", place - within);
    this.#store.set("bufferMask1", mask | bits);
    if ((mask | bits) === (1 << unitBytes) - 1) this.#programBuffer();
  }

  #gatherError(place: number, held: number, written: boolean): number {
    const control = this.#store.get("cr1");
    const flagged = (this.#store.get("sr1") & isrErrorMask) !== 0;
    if ((control & cr.pg) === 0 || (control & cr.lock) !== 0 || flagged) return isr.pgserr;
    if (this.#isWriteProtected(place)) return isr.wrperr;
    if (held !== emptyBuffer && held !== place - (place % this.#model.unitBytes)) return isr.incerr;
    return written ? isr.strberr : 0;
  }

  #programBuffer(): void {
    const mask = this.#store.get("bufferMask1");
    const buffer = this.#store.region("writeBuffers").slice(0, this.#model.unitBytes);
    const base = this.#store.get("bufferBase1");
    this.#dropBuffer();
    this.cells.program(
      base,
      buffer.map((byte, i) => ((mask >>> i) & 1 ? byte : 0xff)),
    );
    this.#busyUntilMs = Math.max(this.#host.now(), this.#busyUntilMs) + times.unitMs;
    this.#flag(isr.eop);
  }

  #dropBuffer(): void {
    this.#store.set("bufferBase1", emptyBuffer);
    this.#store.set("bufferMask1", 0);
  }

  readRegister(_access: Access, offset: number): number {
    this.settle();
    const word = this.#words.find(
      (candidate) => candidate.offset === offset || candidate.programOffset === offset,
    );
    if (word !== undefined) return this.#store.get(storedWord(word.name));
    switch (offset) {
      case 0x10:
        return this.#store.get("cr1");
      case 0x14:
        return this.#status();
      case 0x24:
        return this.#store.get("sr1");
      case 0x104:
        return this.#store.get("optcr");
      case 0x108:
        return this.#store.get("optChangeError") === 1 ? optionError : 0;
      case 0x200:
        return this.#state === productState.open ? nvState.open : nvState.closed;
      default:
        return 0;
    }
  }

  #status(): number {
    const changing = this.#host.now() < this.#optionsDoneMs ? sr.busy | sr.qw | sr.isOptionChange : 0;
    const gathering = this.#store.get("bufferBase1") === emptyBuffer ? 0 : sr.wbne;
    return changing | gathering | (this.#busyMs > 0 ? sr.busy | sr.qw : 0);
  }

  writeRegister(_access: Access, offset: number, value: number): BusOutcome {
    this.settle();
    const word = this.#words.find(({ programOffset }) => programOffset === offset);
    if (word !== undefined) this.#writeOption(word, value);
    else if (offset === 0x04) this.#writeKey(value);
    else if (offset === 0x10) this.#writeCr(value);
    else if (offset === 0x28) this.#store.set("sr1", this.#store.get("sr1") & ~value);
    else if (offset === 0x100) this.#writeOptionKey(value);
    else if (offset === 0x104) this.#writeOptcr(value);
    else if (offset === 0x10c && (value & optionError) !== 0) this.#store.set("optChangeError", 0);
    return done;
  }

  /** Programming starts with the write. */
  #writeOption(word: OptionWord, value: number): void {
    const control = this.#store.get("optcr");
    const unlocked = (control & optcr.lock) === 0 && (control & optcr.program) !== 0;
    const mine = this.#state === productState.open || !rssWords.includes(word.name);
    if (!unlocked || !mine) {
      this.#store.set("optChangeError", 1);
      return;
    }
    this.#keep({ [word.name]: value });
    this.#optionsDoneMs = this.#host.now() + times.optionMs;
  }

  #writeKey(value: number): void {
    const next = nextKeyState(this.#store.get("keyState1"), value, [0x45670123, 0xcdef89ab]);
    this.#store.set("keyState1", next === "open" ? 0 : next);
    if (next === "open") this.#store.set("cr1", this.#store.get("cr1") & ~cr.lock);
  }

  #writeOptionKey(value: number): void {
    const next = nextKeyState(this.#store.get("optKeyState"), value, [0x08192a3b, 0x4c5d6e7f]);
    this.#store.set("optKeyState", next === "open" ? 0 : next);
    if (next === "open") this.#store.set("optcr", this.#store.get("optcr") & ~optcr.lock);
  }

  #writeOptcr(value: number): void {
    if ((this.#store.get("optcr") & optcr.lock) === 0)
      this.#store.set("optcr", value & (optcr.lock | optcr.program));
  }

  #writeCr(value: number): void {
    if ((this.#store.get("cr1") & cr.lock) !== 0 || this.#store.get("erasePending1") !== 0) return;
    this.#store.set("cr1", value & cr.writable);
    if ((value & cr.lock) !== 0) return;
    const gathered = this.#store.get("bufferBase1") !== emptyBuffer;
    if ((value & cr.fw) !== 0 && (value & cr.pg) !== 0 && gathered) this.#programBuffer();
    if ((value & cr.start) !== 0) this.#startErase(value);
  }

  #startErase(value: number): void {
    const whole = (value & cr.ber) !== 0;
    const sector = (value >>> cr.snbShift) & 7;
    const pending = whole ? bankErase : (value & cr.ser) !== 0 ? sector + 1 : 0;
    const sectors = this.#sectorsOf(pending);
    if (pending === 0 || (value & cr.pg) !== 0) this.#flag(isr.pgserr);
    else if (sectors.some((number) => this.#isWriteProtected(number * this.#model.sectorBytes))) {
      this.#flag(isr.wrperr);
    } else {
      this.#store.set("erasePending1", pending);
      this.#busyUntilMs = this.#host.now() + (whole ? times.bankMs : times.sectorMs);
    }
  }

  #sectorsOf(pending: number): number[] {
    if (pending !== bankErase) return pending === 0 ? [] : [pending - 1];
    return Array.from({ length: this.#model.bankBytes / this.#model.sectorBytes }, (_, sector) => sector);
  }

  /** WRPS: one bit a sector, 0 is protected. */
  #isWriteProtected(place: number): boolean {
    const sector = Math.floor(place / this.#model.sectorBytes);
    return ((this.#store.get(currentWord("wrpsr")) >>> sector) & 1) === 0;
  }

  #installPort(): InstallPort {
    const { unitBytes, sectorBytes } = this.#model;
    return {
      isWritable: (offset, sizeBytes) => {
        for (let at = offset; at < offset + sizeBytes; at += unitBytes) {
          if (this.#isWriteProtected(at) || !this.cells.isBlank(at, unitBytes)) return false;
        }
        return true;
      },
      program: (offset, data) => this.cells.program(offset, data),
      bytes: (offset, sizeBytes) => this.peek(offset, sizeBytes) ?? new Uint8Array(0),
      eraseSectorOf: (offset) => this.cells.erase(offset - (offset % sectorBytes), sectorBytes),
      setOptions: (words) => {
        this.#keep(words);
        return true;
      },
      ready: () => this.#state === productState.open,
    };
  }

  /** Programmed: in force after the next reset. Words that are not named stay. */
  #keep(words: OptionWords): void {
    for (const { name, mask, factory } of this.#words) {
      const wanted = words[name];
      if (wanted !== undefined)
        this.#store.set(storedWord(name), ((wanted & mask) | (factory & ~mask)) >>> 0);
    }
    this.#store.set("loadOnReset", 1);
  }

  get #busyMs(): number {
    return Math.max(0, this.#busyUntilMs - this.#host.now());
  }

  #flag(bits: number): void {
    this.#store.set("sr1", this.#store.get("sr1") | bits);
  }
}
