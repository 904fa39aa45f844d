import { concatBytes } from "../../../../src/bytes/bytes.ts";
import type { H7Flash, OptionWord, OptionWords } from "../../models/flash-model.ts";
import type { ChipStore } from "../../store.ts";
import type { WordName } from "../../store-layout.ts";
import { type BusOutcome, busFault, done, longestHoldMs } from "../bus.ts";
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
import { cr, type FlashTimes, flashTimes, nextKeyState, sr, srErrorMask } from "./flash-bits.ts";
import { OptionBytes } from "./option-bytes.ts";
import { installArmed, rdpLevel, withoutSfiStarted } from "./option-rules.ts";
import { isSectorProtected, readRefusal } from "./protections.ts";

type Bank = 0 | 1;
const bankWords = {
  keyState: ["keyState1", "keyState2"],
  cr: ["cr1", "cr2"],
  sr: ["sr1", "sr2"],
  erasePending: ["erasePending1", "erasePending2"],
  bufferBase: ["bufferBase1", "bufferBase2"],
  bufferMask: ["bufferMask1", "bufferMask2"],
} as const satisfies Record<string, readonly [WordName, WordName]>;

/** Value of bufferBase when the write buffer holds nothing. */
const emptyBuffer = 0xffffffff;

/** Value of erasePending when the whole bank goes; otherwise it is 0 or the sector's number plus 1. */
const wholeBank = 0xffff;

/**
 * The flash controller of the H7 as a state machine over the store (RM0433 chapter 4): keys, write buffers, sector and
 * bank erase; the option bytes are a part of their own. An erasure takes effect when its time is over.
 */
export class H7FlashController implements FlashPart {
  readonly cells: FlashCells;
  readonly optionBytes: OptionBytes;
  readonly install: InstallPort;
  readonly #model: H7Flash;
  readonly #store: ChipStore;
  readonly #host: FlashHost;
  readonly #banks: readonly Bank[];
  readonly #busyUntilMs: [number, number] = [0, 0];

  constructor(store: ChipStore, model: H7Flash, words: readonly OptionWord[], host: FlashHost) {
    this.cells = new FlashCells(store, model);
    this.#model = model;
    this.#banks = model.banks === 2 ? [0, 1] : [0];
    this.optionBytes = new OptionBytes(store, this.cells, words, {
      now: () => host.now(),
      massErase: () => {
        for (const bank of this.#banks) this.#startErase(bank, wholeBank);
      },
      changed: () => host.optionsChanged(),
      clearBackup: () => host.clearBackup(),
    });
    this.install = this.#installPort();
    this.#store = store;
    this.#host = host;
  }

  makeFactoryNew(): void {
    this.cells.erase(0, this.#model.banks * this.#model.bankBytes);
    this.optionBytes.makeFactoryNew();
  }

  /** Option bytes of the H7 are in force as soon as they are programmed. */
  loadOptions(): void {}
  powerOn(): void {}
  /** There is no debug authentication on these parts. */
  takeKey(): void {}

  options(): OptionWords {
    return this.optionBytes.current();
  }

  /** RDP 2 closes the port; level 1 only closes the flash, which `read` sees to. */
  protection(): Protection {
    const level = rdpLevel(this.optionBytes.optsr);
    return { ...open, portClosed: level === 2, stopsFetches: level !== 0 };
  }

  /** BOOT_ADD0 (BOOT0 low), unit 64 KiB. */
  bootPlace(): BootPlace {
    return { kind: "vectors", address: (this.optionBytes.word("boot7") & 0xffff) * 0x10000 };
  }

  peek(offset: number, sizeBytes: number): Uint8Array | undefined {
    if (offset < 0 || offset + sizeBytes > this.cells.bytes.length) return undefined;
    const place = this.#physical(offset);
    return this.cells.bytes.slice(place, place + sizeBytes);
  }

  /** State after a system reset: locked, PSIZE x64, flags clear. */
  reset(): void {
    for (const bank of this.#banks) {
      this.#set("keyState", bank, 0);
      this.#set("cr", bank, cr.lock | (this.#model.control.hasPsize ? 3 << cr.psize : 0));
      this.#set("sr", bank, 0);
      this.#dropBuffer(bank);
      this.#busyUntilMs[bank] = 0;
    }
    this.optionBytes.reset();
  }

  /** A reset or loss of power in the middle of a job: half of what was to be erased is; options stay as they were. */
  interrupt(): void {
    this.settle();
    for (const bank of this.#banks) {
      const { bankBytes, sectorBytes } = this.#model;
      for (const sector of this.#sectorsOf(this.#get("erasePending", bank))) {
        this.cells.erase(bank * bankBytes + sector * sectorBytes, sectorBytes / 2);
      }
      this.#set("erasePending", bank, 0);
    }
    this.optionBytes.interrupt();
  }

  /** Ends whatever has run its time. @param all true: ends everything, because nobody looked for long. */
  settle(all = false): void {
    for (const bank of this.#banks) {
      if (all || this.#host.now() >= this.#busyUntilMs[bank]) this.#finishErase(bank);
    }
    this.optionBytes.settle(all);
  }

  /** Array offset of an offset from the start of user flash: with SWAP_BANK the banks have changed places. */
  #physical(offset: number): number {
    return this.#model.banks === 2 && this.optionBytes.swapped ? offset ^ this.#model.bankBytes : offset;
  }

  #bankOf(place: number): Bank {
    return place < this.#model.bankBytes ? 0 : 1;
  }

  /** A debugger reads. @param offset from the start of user flash */
  read(_access: Access, address: number, offset: number, into: Uint8Array): BusOutcome {
    this.settle();
    const { bankBytes } = this.#model;
    for (let at = 0; at < into.length; ) {
      const place = this.#physical(offset + at);
      const size = Math.min(into.length - at, bankBytes - (place % bankBytes));
      const bank = this.#bankOf(place);
      if (this.#busyMs(bank) > longestHoldMs) return { kind: "wait", address: address + at };
      if (this.#readRefused(bank, place, size)) return busFault(address + at);
      into.set(this.cells.bytes.subarray(place, place + size), at);
      at += size;
    }
    return done;
  }

  #readRefused(bank: Bank, place: number, sizeBytes: number): boolean {
    if (rdpLevel(this.optionBytes.optsr) !== 0) return true;
    const refusal = readRefusal(this.cells, place, sizeBytes, (name) => this.optionBytes.word(name));
    if (refusal === undefined) return false;
    this.#flag(bank, { pcrop: sr.rdpErr, secure: sr.rdsErr, ecc: sr.dbeccErr }[refusal]);
    return true;
  }

  /** A debugger writes: bytes gather in the bank's write buffer; the last of a unit starts programming. */
  write(_access: Access, address: number, offset: number, data: Uint8Array): BusOutcome {
    this.settle();
    const { unitBytes } = this.#model;
    let stallMs = 0;
    for (let at = 0; at < data.length; ) {
      const place = this.#physical(offset + at);
      const bank = this.#bankOf(place);
      if (this.#get("erasePending", bank) !== 0) return { kind: "wait", address: address + at };
      const size = Math.min(data.length - at, unitBytes - (place % unitBytes));
      this.#gather(bank, place, data.subarray(at, at + size));
      // One flash word waits in the buffer while the one before is programmed; the bus is held for the rest.
      stallMs = Math.max(stallMs, this.#busyMs(bank) - this.#times(bank).wordMs);
      at += size;
    }
    return { kind: "ok", stallMs };
  }

  /** Takes bytes of one flash word into the write buffer. */
  #gather(bank: Bank, place: number, bytes: Uint8Array): void {
    const { unitBytes } = this.#model;
    const full = unitBytes === 32 ? 0xffffffff : (1 << unitBytes) - 1;
    const within = place % unitBytes;
    const held = this.#get("bufferBase", bank);
    const mask = held === emptyBuffer ? 0 : this.#get("bufferMask", bank);
    const bits = (bytes.length === unitBytes ? full : ((1 << bytes.length) - 1) << within) >>> 0;
    const error = this.#gatherError(bank, place, held, (mask & bits) !== 0);
    if (error !== 0) {
      this.#flag(bank, error);
      this.#dropBuffer(bank);
      return;
    }
    if (bits === full) {
      this.#program(bank, place, bytes);
      return;
    }
    this.#store.write("writeBuffers", bank * 32 + within, bytes);
    this.#set("bufferBase", bank, place - within);
    this.#set("bufferMask", bank, mask | bits);
    if ((mask | bits) >>> 0 === full) this.#programBuffer(bank);
  }

  #gatherError(bank: Bank, place: number, held: number, written: boolean): number {
    const control = this.#get("cr", bank);
    const flagged = (this.#get("sr", bank) & srErrorMask) !== 0;
    if ((control & cr.pg) === 0 || (control & cr.lock) !== 0 || flagged) return sr.pgsErr;
    const { bankBytes, sectorBytes, unitBytes } = this.#model;
    const sector = Math.floor((place % bankBytes) / sectorBytes);
    if (rdpLevel(this.optionBytes.optsr) !== 0 || this.#isProtected(bank, sector)) return sr.wrpErr;
    if (held !== emptyBuffer && held !== place - (place % unitBytes)) return sr.incErr;
    return written ? sr.strbErr : 0;
  }

  #programBuffer(bank: Bank): void {
    const mask = this.#get("bufferMask", bank);
    const buffer = this.#store.region("writeBuffers").subarray(bank * 32, bank * 32 + this.#model.unitBytes);
    const base = this.#get("bufferBase", bank);
    this.#dropBuffer(bank);
    this.#program(
      bank,
      base,
      buffer.map((byte, i) => ((mask >>> i) & 1 ? byte : 0xff)),
    );
  }

  #program(bank: Bank, place: number, data: Uint8Array): void {
    this.cells.program(place, data);
    const begin = Math.max(this.#host.now(), this.#busyUntilMs[bank]);
    this.#busyUntilMs[bank] = begin + this.#times(bank).wordMs;
    this.#endOfOperation(bank);
  }

  #dropBuffer(bank: Bank): void {
    this.#set("bufferBase", bank, emptyBuffer);
    this.#set("bufferMask", bank, 0);
  }

  /** A register as the bus sees it; reserved places read 0. @param offset from 0x52002000 */
  readRegister(_access: Access, offset: number): number {
    this.settle();
    const option = this.optionBytes.read(offset);
    if (option !== undefined) return option;
    const bank: Bank = offset < 0x100 ? 0 : 1;
    if (offset % 0x100 === 0x0c) return this.#get("cr", bank);
    if (offset % 0x100 !== 0x10) return 0;
    const busy = this.#busyMs(bank) > 0 ? sr.bsy | sr.qw : 0;
    const gathering = this.#get("bufferBase", bank) === emptyBuffer ? 0 : sr.wbne;
    return (this.#get("sr", bank) | busy | gathering) >>> 0;
  }

  /** A register write. What goes to locked or reserved places is lost. */
  writeRegister(_access: Access, offset: number, value: number): BusOutcome {
    this.settle();
    if (!this.optionBytes.write(offset, value)) this.#writeBankRegister(offset, value);
    return done;
  }

  #writeBankRegister(offset: number, value: number): void {
    const bank: Bank = offset < 0x100 ? 0 : 1;
    if (offset % 0x100 === 0x04) this.#writeKey(bank, value);
    else if (offset % 0x100 === 0x0c) this.#writeCr(bank, value);
    else if (offset % 0x100 === 0x14) this.#set("sr", bank, this.#get("sr", bank) & ~value);
  }

  #writeKey(bank: Bank, value: number): void {
    const next = nextKeyState(this.#get("keyState", bank), value, [0x45670123, 0xcdef89ab]);
    this.#set("keyState", bank, next === "open" ? 0 : next);
    if (next === "open") this.#set("cr", bank, this.#get("cr", bank) & ~cr.lock);
  }

  #writeCr(bank: Bank, value: number): void {
    if ((this.#get("cr", bank) & cr.lock) !== 0 || this.#get("erasePending", bank) !== 0) return;
    const { control } = this.#model;
    this.#set("cr", bank, value & control.writable);
    if ((value & cr.lock) !== 0) return;
    const gathered = this.#get("bufferBase", bank) !== emptyBuffer;
    if ((value & control.fw) !== 0 && (value & cr.pg) !== 0 && gathered) this.#programBuffer(bank);
    if ((value & control.start) === 0) return;
    if ((value & cr.pg) !== 0 || (value & (cr.ser | cr.ber)) === 0) this.#flag(bank, sr.pgsErr);
    else {
      const sector = (value >>> control.snbShift) & control.snbMask;
      this.#startErase(bank, (value & cr.ber) !== 0 ? wholeBank : sector + 1);
    }
  }

  /** Sector erase or bank erase. A protected sector forbids the whole operation. */
  #startErase(bank: Bank, pending: number): void {
    const forbidden = this.#sectorsOf(pending).some((sector) => this.#isProtected(bank, sector));
    if (forbidden || rdpLevel(this.optionBytes.optsr) !== 0) {
      this.#flag(bank, sr.wrpErr);
      return;
    }
    const { bankMs, sectorMs } = this.#times(bank);
    this.#set("erasePending", bank, pending);
    this.#busyUntilMs[bank] = this.#host.now() + (pending === wholeBank ? bankMs : sectorMs);
  }

  #finishErase(bank: Bank): void {
    const pending = this.#get("erasePending", bank);
    if (pending === 0) return;
    const { bankBytes, sectorBytes } = this.#model;
    for (const sector of this.#sectorsOf(pending)) {
      this.cells.erase(bank * bankBytes + sector * sectorBytes, sectorBytes);
    }
    this.#set("erasePending", bank, 0);
    this.#endOfOperation(bank);
  }

  #isProtected(bank: Bank, sector: number): boolean {
    return isSectorProtected(this.cells, this.#model, bank, sector, (name) => this.optionBytes.word(name));
  }

  #sectorsOf(pending: number): number[] {
    if (pending !== wholeBank) return pending === 0 ? [] : [pending - 1];
    return Array.from({ length: this.#model.bankBytes / this.#model.sectorBytes }, (_, sector) => sector);
  }

  #installPort(): InstallPort {
    const { unitBytes, bankBytes, sectorBytes } = this.#model;
    return {
      isWritable: (offset, sizeBytes) => {
        for (let at = offset; at < offset + sizeBytes; at += unitBytes) {
          const place = this.#physical(at);
          const sector = Math.floor((place % bankBytes) / sectorBytes);
          if (this.#isProtected(this.#bankOf(place), sector)) return false;
          if (!this.cells.isBlank(place, unitBytes)) return false;
        }
        return true;
      },
      program: (offset, data) => this.cells.program(this.#physical(offset), data),
      bytes: (offset, sizeBytes) => this.peek(offset, sizeBytes) ?? concatBytes(),
      eraseSectorOf: (offset) => {
        const place = this.#physical(offset);
        this.cells.erase(place - (place % sectorBytes), sectorBytes);
      },
      setOptions: (words) => {
        const masked = this.optionBytes.masked(words);
        const change = this.optionBytes.evaluate({
          ...masked,
          optsr: withoutSfiStarted(masked["optsr"] ?? 0),
        });
        if (change.kind === "accepted") this.optionBytes.apply(change);
        return change.kind === "accepted";
      },
      ready: () => installArmed(this.optionBytes.optsr),
    };
  }

  #busyMs(bank: Bank): number {
    return Math.max(0, this.#busyUntilMs[bank] - this.#host.now());
  }

  #endOfOperation(bank: Bank): void {
    if ((this.#get("cr", bank) & cr.eopie) !== 0) this.#flag(bank, sr.eop);
  }

  #times(bank: Bank): FlashTimes {
    return flashTimes((this.#get("cr", bank) >>> cr.psize) & 3);
  }

  #flag(bank: Bank, bits: number): void {
    this.#set("sr", bank, this.#get("sr", bank) | bits);
  }

  #get(word: keyof typeof bankWords, bank: Bank): number {
    return this.#store.get(bankWords[word][bank]);
  }

  #set(word: keyof typeof bankWords, bank: Bank, value: number): void {
    this.#store.set(bankWords[word][bank], value);
  }
}
