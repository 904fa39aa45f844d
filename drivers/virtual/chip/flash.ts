import type { ChipStore } from "../store.ts";
import type { WordName } from "../store-layout.ts";
import { type BusOutcome, busFault, done, longestHoldMs } from "./bus.ts";
import { bankBytes, FlashArray, flashWordBytes, sectorBytes, sectorsPerBank } from "./flash-array.ts";
import { cr, type FlashTimes, flashTimes, nextKeyState, sr, srErrorMask } from "./flash-bits.ts";
import { OptionBytes } from "./option-bytes.ts";
import { rdpLevel } from "./option-rules.ts";

type Bank = 0 | 1;
const banks = [0, 1] as const;
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

/** What the flash controller needs of the chip around it. */
export interface FlashHost {
  readonly security: boolean;
  /** Modelled time in milliseconds. */
  now(): number;
  optionsChanged(): void;
}

/**
 * The flash controller of the H7 as a state machine over the store (RM0433 chapter 4): keys, write buffers, sector and
 * bank erase; the option bytes are a part of their own. An erasure takes effect when its time is over.
 */
export class FlashController {
  readonly array: FlashArray;
  readonly options: OptionBytes;
  readonly #store: ChipStore;
  readonly #host: FlashHost;
  readonly #busyUntilMs: [number, number] = [0, 0];

  constructor(store: ChipStore, host: FlashHost) {
    this.array = new FlashArray(store);
    this.options = new OptionBytes(store, this.array, {
      security: host.security,
      now: () => host.now(),
      massErase: () => {
        for (const bank of banks) this.#startErase(bank, 0xff);
      },
      changed: () => host.optionsChanged(),
    });
    this.#store = store;
    this.#host = host;
  }

  /** State after a system reset: locked, PSIZE x64, flags clear. */
  reset(): void {
    for (const bank of banks) {
      this.#set("keyState", bank, 0);
      this.#set("cr", bank, cr.lock | (3 << cr.psize));
      this.#set("sr", bank, 0);
      this.#dropBuffer(bank);
      this.#busyUntilMs[bank] = 0;
    }
    this.options.reset();
  }

  /** A reset or loss of power in the middle of a job: half of what was to be erased is; options stay as they were. */
  interrupt(): void {
    this.settle();
    for (const bank of banks) {
      for (const sector of sectorsOf(this.#get("erasePending", bank))) {
        this.array.erase(bank * bankBytes + sector * sectorBytes, sectorBytes / 2);
      }
      this.#set("erasePending", bank, 0);
    }
    this.options.interrupt();
  }

  /** Ends whatever has run its time. @param all true: ends everything, because nobody looked for long. */
  settle(all = false): void {
    for (const bank of banks) {
      if (all || this.#host.now() >= this.#busyUntilMs[bank]) this.#finishErase(bank);
    }
    this.options.settle(all);
  }

  /** Array offset of an offset from the start of user flash: with SWAP_BANK the banks have changed places. */
  physical(offset: number): number {
    return this.options.swapped ? offset ^ bankBytes : offset;
  }

  /** A debugger reads. @param offset from the start of user flash */
  read(address: number, offset: number, into: Uint8Array): BusOutcome {
    this.settle();
    for (let at = 0; at < into.length; ) {
      const place = this.physical(offset + at);
      const size = Math.min(into.length - at, bankBytes - (place % bankBytes));
      const bank = bankOf(place);
      if (this.#busyMs(bank) > longestHoldMs) return { kind: "wait", address: address + at };
      if (this.#readRefused(bank, place, size)) return busFault(address + at);
      into.set(this.array.bytes.subarray(place, place + size), at);
      at += size;
    }
    return done;
  }

  #readRefused(bank: Bank, place: number, sizeBytes: number): boolean {
    const options = this.options.current();
    if (rdpLevel(options.optsr) !== 0) return true;
    const refusal = this.array.readRefusal(place, sizeBytes, options);
    if (refusal === undefined) return false;
    this.#flag(bank, { pcrop: sr.rdpErr, secure: sr.rdsErr, ecc: sr.dbeccErr }[refusal]);
    return true;
  }

  /** A debugger writes: bytes gather in the bank's write buffer; the 32nd starts programming. */
  write(address: number, offset: number, data: Uint8Array): BusOutcome {
    this.settle();
    let stallMs = 0;
    for (let at = 0; at < data.length; ) {
      const place = this.physical(offset + at);
      const bank = bankOf(place);
      if (this.#get("erasePending", bank) !== 0) return { kind: "wait", address: address + at };
      const size = Math.min(data.length - at, flashWordBytes - (place % flashWordBytes));
      this.#gather(bank, place, data.subarray(at, at + size));
      // One flash word waits in the buffer while the one before is programmed; the bus is held for the rest.
      stallMs = Math.max(stallMs, this.#busyMs(bank) - this.#times(bank).wordMs);
      at += size;
    }
    return { kind: "ok", stallMs };
  }

  /** Takes bytes of one flash word into the write buffer. */
  #gather(bank: Bank, place: number, bytes: Uint8Array): void {
    const within = place % flashWordBytes;
    const held = this.#get("bufferBase", bank);
    const mask = held === emptyBuffer ? 0 : this.#get("bufferMask", bank);
    const bits = (bytes.length === 32 ? 0xffffffff : ((1 << bytes.length) - 1) << within) >>> 0;
    const error = this.#gatherError(bank, place, held, (mask & bits) !== 0);
    if (error !== 0) {
      this.#flag(bank, error);
      this.#dropBuffer(bank);
      return;
    }
    if (bits === 0xffffffff) {
      this.#program(bank, place, bytes);
      return;
    }
    this.#store.write("writeBuffers", bank * flashWordBytes + within, bytes);
    this.#set("bufferBase", bank, place - within);
    this.#set("bufferMask", bank, mask | bits);
    if ((mask | bits) >>> 0 === 0xffffffff) this.#programBuffer(bank);
  }

  #gatherError(bank: Bank, place: number, held: number, written: boolean): number {
    const control = this.#get("cr", bank);
    const flagged = (this.#get("sr", bank) & srErrorMask) !== 0;
    if ((control & cr.pg) === 0 || (control & cr.lock) !== 0 || flagged) return sr.pgsErr;
    const options = this.options.current();
    const sector = Math.floor((place % bankBytes) / sectorBytes);
    if (rdpLevel(options.optsr) !== 0 || this.array.isSectorProtected(bank, sector, options))
      return sr.wrpErr;
    if (held !== emptyBuffer && held !== place - (place % flashWordBytes)) return sr.incErr;
    return written ? sr.strbErr : 0;
  }

  #programBuffer(bank: Bank): void {
    const mask = this.#get("bufferMask", bank);
    const buffer = this.#store
      .region("writeBuffers")
      .subarray(bank * flashWordBytes, (bank + 1) * flashWordBytes);
    const base = this.#get("bufferBase", bank);
    this.#dropBuffer(bank);
    this.#program(
      bank,
      base,
      buffer.map((byte, i) => ((mask >>> i) & 1 ? byte : 0xff)),
    );
  }

  #program(bank: Bank, place: number, data: Uint8Array): void {
    this.array.program(place, data);
    const begin = Math.max(this.#host.now(), this.#busyUntilMs[bank]);
    this.#busyUntilMs[bank] = begin + this.#times(bank).wordMs;
    this.#endOfOperation(bank);
  }

  #dropBuffer(bank: Bank): void {
    this.#set("bufferBase", bank, emptyBuffer);
    this.#set("bufferMask", bank, 0);
  }

  /** A register as the bus sees it; reserved places read 0. @param offset from 0x52002000 */
  readRegister(offset: number): number {
    this.settle();
    const option = this.options.read(offset);
    if (option !== undefined) return option;
    const bank: Bank = offset < 0x100 ? 0 : 1;
    if (offset % 0x100 === 0x0c) return this.#get("cr", bank);
    if (offset % 0x100 !== 0x10) return 0;
    const busy = this.#busyMs(bank) > 0 ? sr.bsy | sr.qw : 0;
    const gathering = this.#get("bufferBase", bank) === emptyBuffer ? 0 : sr.wbne;
    return (this.#get("sr", bank) | busy | gathering) >>> 0;
  }

  /** A register write. What goes to locked or reserved places is lost. */
  writeRegister(offset: number, value: number): void {
    this.settle();
    if (this.options.write(offset, value)) return;
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
    this.#set("cr", bank, value & cr.writable);
    if ((value & cr.lock) !== 0) return;
    const gathered = this.#get("bufferBase", bank) !== emptyBuffer;
    if ((value & cr.fw) !== 0 && (value & cr.pg) !== 0 && gathered) this.#programBuffer(bank);
    if ((value & cr.start) === 0) return;
    if ((value & cr.pg) !== 0 || (value & (cr.ser | cr.ber)) === 0) this.#flag(bank, sr.pgsErr);
    else this.#startErase(bank, (value & cr.ber) !== 0 ? 0xff : 1 << ((value >>> cr.snb) & 7));
  }

  /** Sector erase, or bank erase when all eight are asked for. A protected sector forbids the whole operation. */
  #startErase(bank: Bank, sectors: number): void {
    const options = this.options.current();
    const forbidden = sectorsOf(sectors).some((sector) =>
      this.array.isSectorProtected(bank, sector, options),
    );
    if (forbidden || rdpLevel(options.optsr) !== 0) {
      this.#flag(bank, sr.wrpErr);
      return;
    }
    const { bankMs, sectorMs } = this.#times(bank);
    this.#set("erasePending", bank, sectors);
    this.#busyUntilMs[bank] = this.#host.now() + (sectors === 0xff ? bankMs : sectorMs);
  }

  #finishErase(bank: Bank): void {
    const pending = this.#get("erasePending", bank);
    if (pending === 0) return;
    for (const sector of sectorsOf(pending))
      this.array.erase(bank * bankBytes + sector * sectorBytes, sectorBytes);
    this.#set("erasePending", bank, 0);
    this.#endOfOperation(bank);
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

function bankOf(place: number): Bank {
  return place < bankBytes ? 0 : 1;
}

function sectorsOf(mask: number): number[] {
  return Array.from({ length: sectorsPerBank }, (_, sector) => sector).filter(
    (sector) => (mask >>> sector) & 1,
  );
}
