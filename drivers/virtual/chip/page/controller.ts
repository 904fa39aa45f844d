import { fromWords, toWords } from "../../../../src/bytes/bytes.ts";
import type { OptionWord, OptionWords, PageFlash } from "../../models/flash-model.ts";
import type { ChipStore } from "../../store.ts";
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
import { nextKeyState } from "../h7/flash-bits.ts";
import { touches } from "./areas.ts";
import { cr, type Level, levelOf, optr, sr, srErrorMask, times } from "./bits.ts";
import { pageBootPlace } from "./boot.ts";
import { PageOptions } from "./option-bytes.ts";
import { isSecondCores, isSecurePage, secureBlockPlace } from "./security.ts";

/** The two sides' words: 0 non-secure, 1 secure. */
const sideWords = {
  keyState: ["keyState1", "keyState2"],
  cr: ["cr1", "cr2"],
  sr: ["sr1", "sr2"],
} as const;
type Side = 0 | 1;

const emptyBuffer = 0xffffffff;
/** Flag in erasePending1 of a mass erase; the banks are in [1:0]. Otherwise it is 0 or the page's number plus 1. */
const massErase = 0x10000;

/**
 * The flash controller of L4, L5, U5, WBA and WL as a state machine over the store: keys, pages, programming of one
 * unit, a secure and a non-secure bank of registers where there is TrustZone. An erasure takes effect when its time is
 * over.
 */
export class PageFlashController implements FlashPart {
  readonly cells: FlashCells;
  readonly optionBytes: PageOptions;
  readonly install: InstallPort;
  readonly #model: PageFlash;
  readonly #store: ChipStore;
  readonly #host: FlashHost;
  #busyUntilMs = 0;

  constructor(store: ChipStore, model: PageFlash, words: readonly OptionWord[], host: FlashHost) {
    this.cells = new FlashCells(store, model);
    this.#model = model;
    this.#store = store;
    this.#host = host;
    this.optionBytes = new PageOptions(store, model, words, {
      now: () => host.now(),
      erase: (what) => this.#regress(what),
      refused: () => this.#flag(0, this.#model.optionErrorBit),
    });
    this.install = this.#installPort();
  }

  makeFactoryNew(): void {
    this.cells.erase(0, this.cells.bytes.length);
    this.optionBytes.makeFactoryNew();
  }

  loadOptions(): void {
    this.optionBytes.load();
  }

  powerOn(): void {
    this.optionBytes.powerOn();
  }

  takeKey(value: number): void {
    this.optionBytes.keys.take(value);
  }

  options(): OptionWords {
    return this.optionBytes.current();
  }

  get #level(): Level {
    return levelOf(this.optionBytes.optr, this.#model.trustZone !== undefined);
  }

  protection(): Protection {
    const level = this.#level;
    const { trustZone } = this.optionBytes;
    // With OEM2KEY the port stays so that the key can be given.
    const keyed = this.optionBytes.keys.state().secondLocked;
    return {
      ...open,
      trustZone,
      secureDebug: trustZone && level === 0,
      portClosed: level === 2 && !keyed,
      memoryClosed: level === 2,
      needsNonSecureCore: trustZone && level > 0,
    };
  }

  bootPlace(): BootPlace {
    return pageBootPlace(this.#model, this.optionBytes, this.cells.isBlank(0, 4));
  }

  reset(): void {
    for (const side of [0, 1] as const) {
      this.#set("keyState", side, 0);
      this.#set("sr", side, 0);
    }
    this.#set("cr", 0, cr.lock | cr.optlock);
    this.#set("cr", 1, cr.lock);
    this.#store.set("optKeyState", 0);
    this.#store.fill("secureBlocks", 0, 64, 0);
    this.#dropBuffer();
    this.#busyUntilMs = 0;
    this.optionBytes.reset();
  }

  interrupt(): void {
    this.settle();
    for (const page of this.#pagesOf(this.#store.get("erasePending1"))) {
      this.cells.erase(page * this.#model.sectorBytes, this.#model.sectorBytes / 2);
    }
    this.#store.set("erasePending1", 0);
    this.optionBytes.interrupt();
  }

  settle(all = false): void {
    if (all || this.#busyMs === 0) this.#finishErase();
    this.optionBytes.settle(all);
  }

  peek(offset: number, sizeBytes: number): Uint8Array | undefined {
    if (offset < 0 || offset + sizeBytes > this.cells.bytes.length) return undefined;
    const place = this.#physical(offset);
    return this.cells.bytes.slice(place, place + sizeBytes);
  }

  /** With SWAP_BANK the banks have changed places. */
  #physical(offset: number): number {
    const swapped = this.#model.banks === 2 && (this.optionBytes.optr & optr.swapBank) !== 0;
    return swapped ? offset ^ this.#model.bankBytes : offset;
  }

  /** A debugger reads: what is not of its side reads as zero, what RDP, PCROP or the other core closes is refused. */
  read(access: Access, address: number, offset: number, into: Uint8Array): BusOutcome {
    this.settle();
    if (this.#store.get("erasePending1") !== 0 && this.#busyMs > longestHoldMs)
      return { kind: "wait", address };
    if (this.#level >= 1) return busFault(address);
    const { sectorBytes } = this.#model;
    for (let at = 0; at < into.length; ) {
      const place = this.#physical(offset + at);
      const size = Math.min(into.length - at, sectorBytes - (place % sectorBytes));
      const stretch = { start: place, end: place + size };
      const hidden = touches(this.#model.pcrop, this.options(), this.#model.bankBytes, stretch);
      if (hidden || isSecondCores(this.#model, this.optionBytes, stretch)) return busFault(address + at);
      if (this.#isSecure(place) === access.secure)
        into.set(this.cells.bytes.subarray(place, place + size), at);
      else into.fill(0, at, at + size);
      at += size;
    }
    return done;
  }

  /** A debugger writes: bytes gather in the write buffer; the last of a unit starts programming. */
  write(access: Access, address: number, offset: number, data: Uint8Array): BusOutcome {
    this.settle();
    if (this.#store.get("erasePending1") !== 0) return { kind: "wait", address };
    if (this.#level >= 1) return busFault(address);
    const side = access.secure ? 1 : 0;
    const { unitBytes } = this.#model;
    for (let at = 0; at < data.length; ) {
      const place = this.#physical(offset + at);
      const size = Math.min(data.length - at, unitBytes - (place % unitBytes));
      this.#gather(side, place, data.subarray(at, at + size));
      at += size;
    }
    return { kind: "ok", stallMs: Math.max(0, this.#busyMs - times.unitMs) };
  }

  #gather(side: Side, place: number, bytes: Uint8Array): void {
    const { unitBytes } = this.#model;
    const within = place % unitBytes;
    const held = this.#store.get("bufferBase1");
    const mask = held === emptyBuffer ? 0 : this.#store.get("bufferMask1");
    const bits = ((1 << bytes.length) - 1) << within;
    const error = this.#gatherError(side, place, bytes.length, held);
    if (error !== 0) {
      this.#flag(side, error);
      this.#dropBuffer();
      return;
    }
    this.#store.write("writeBuffers", within, bytes);
    this.#store.set("bufferBase1", place - within);
    this.#store.set("bufferMask1", mask | bits);
    if ((mask | bits) !== (1 << unitBytes) - 1) return;
    this.#dropBuffer();
    this.#program(side, place - within, this.#store.region("writeBuffers").slice(0, unitBytes));
  }

  #gatherError(side: Side, place: number, sizeBytes: number, held: number): number {
    const control = this.#get("cr", side);
    const flagged = (this.#get("sr", side) & srErrorMask) !== 0;
    if ((control & cr.pg) === 0 || (control & cr.lock) !== 0 || flagged) return sr.pgserr;
    if (sizeBytes < 4) return sr.sizerr;
    const base = place - (place % this.#model.unitBytes);
    if (held === emptyBuffer ? base !== place : held !== base) return sr.pgaerr;
    return this.#isForbidden(side, place) ? sr.wrperr : 0;
  }

  #program(side: Side, place: number, data: Uint8Array): void {
    const { unitBytes } = this.#model;
    const zero = data.every((byte) => byte === 0);
    if (!zero && !this.cells.isBlank(place, unitBytes)) {
      this.#flag(side, sr.progerr);
      return;
    }
    this.cells.program(place, data);
    this.#busyUntilMs = Math.max(this.#host.now(), this.#busyUntilMs) + times.unitMs;
    this.#endOfOperation(side);
  }

  #dropBuffer(): void {
    this.#store.set("bufferBase1", emptyBuffer);
    this.#store.set("bufferMask1", 0);
  }

  readRegister(_access: Access, offset: number): number {
    this.settle();
    const { registers } = this.#model;
    const option = this.optionBytes.read(offset);
    if (option !== undefined) return option;
    if (offset === registers.cr) return this.#get("cr", 0);
    if (offset === registers.sr) return this.#status(0);
    // Secure registers read as zero from the other side.
    if (this.optionBytes.trustZone && !_access.secure) return 0;
    if (offset === registers.secureCr) return this.#get("cr", 1);
    if (offset === registers.secureSr) return this.#status(1);
    const block = secureBlockPlace(this.#model, offset);
    return block === undefined
      ? 0
      : (toWords(this.#store.region("secureBlocks").slice(block, block + 4))[0] ?? 0);
  }

  #status(side: Side): number {
    const busy = this.#busyMs > 0 || this.optionBytes.busy ? sr.bsy : 0;
    const keys = this.optionBytes.keys.state();
    const locks = (keys.firstLocked ? sr.oem1lock : 0) | (keys.secondLocked ? sr.oem2lock : 0);
    return (this.#get("sr", side) | busy | (side === 0 ? locks : 0)) >>> 0;
  }

  writeRegister(access: Access, offset: number, value: number): BusOutcome {
    this.settle();
    const { registers } = this.#model;
    const unlocked = (this.#get("cr", 0) & cr.optlock) === 0;
    if (this.optionBytes.write(offset, value, unlocked, access.secure)) return done;
    if (offset === registers.keyr) this.#writeKey(0, value);
    else if (offset === registers.optkeyr) this.#writeOptionKey(value);
    else if (offset === registers.sr) this.#clear(0, value);
    else if (offset === registers.cr) return this.#writeCr(0, value);
    else if (access.secure || !this.optionBytes.trustZone) return this.#writeSecureRegister(offset, value);
    return done;
  }

  #writeSecureRegister(offset: number, value: number): BusOutcome {
    const { registers } = this.#model;
    if (offset === registers.secureKeyr) this.#writeKey(1, value);
    else if (offset === registers.secureSr) this.#clear(1, value);
    else if (offset === registers.secureCr) return this.#writeCr(1, value);
    else {
      const block = secureBlockPlace(this.#model, offset);
      if (block !== undefined) this.#store.write("secureBlocks", block, fromWords([value]));
    }
    return done;
  }

  #writeKey(side: Side, value: number): void {
    const next = nextKeyState(this.#get("keyState", side), value, [0x45670123, 0xcdef89ab]);
    this.#set("keyState", side, next === "open" ? 0 : next);
    if (next === "open") this.#set("cr", side, this.#get("cr", side) & ~cr.lock);
  }

  /** The option keys are taken once the flash itself is unlocked. */
  #writeOptionKey(value: number): void {
    if ((this.#get("cr", 0) & this.#get("cr", 1) & cr.lock) !== 0) return;
    const next = nextKeyState(this.#store.get("optKeyState"), value, [0x08192a3b, 0x4c5d6e7f]);
    this.#store.set("optKeyState", next === "open" ? 0 : next);
    if (next === "open") this.#set("cr", 0, this.#get("cr", 0) & ~cr.optlock);
  }

  #writeCr(side: Side, value: number): BusOutcome {
    const old = this.#get("cr", side);
    const unlocked = (old & cr.optlock) === 0 && side === 0;
    // LOCK and OPTLOCK are only set here; the rest wants LOCK open.
    const locks = (old | value) & (cr.lock | (side === 0 ? cr.optlock : 0));
    const taken = (old & cr.lock) !== 0 || this.#store.get("erasePending1") !== 0 ? old : value;
    this.#set("cr", side, (taken & cr.writable) | locks);
    if (unlocked && (value & cr.oblLaunch) !== 0) {
      this.#host.launchOptions();
      return { kind: "lost" };
    }
    if (unlocked && (value & cr.optstrt) !== 0) this.optionBytes.start();
    if ((old & cr.lock) === 0 && (value & cr.strt) !== 0) this.#startErase(side, value);
    return done;
  }

  #startErase(side: Side, value: number): void {
    const { pageMask, banks, bankBytes, sectorBytes } = this.#model;
    const mer = ((value & cr.mer1) !== 0 ? 1 : 0) | ((value & cr.mer2) !== 0 && banks === 2 ? 2 : 0);
    const bank = banks === 2 && (value & cr.bker) !== 0 ? bankBytes / sectorBytes : 0;
    const page = bank + ((value >>> cr.pageShift) & pageMask);
    const pending = mer !== 0 ? massErase | mer : (value & cr.per) !== 0 ? page + 1 : 0;
    const pages = this.#pagesOf(pending);
    if (pending === 0 || (value & cr.pg) !== 0) this.#flag(side, sr.pgserr);
    else if (this.#level >= 1 || pages.some((number) => this.#isForbidden(side, number * sectorBytes))) {
      this.#flag(side, sr.wrperr);
    } else {
      this.#store.set("erasePending1", pending);
      this.#store.set("eraseIsSecure", side);
      this.#busyUntilMs = this.#host.now() + (mer !== 0 ? times.bankMs : times.pageMs);
    }
  }

  #finishErase(): void {
    const pending = this.#store.get("erasePending1");
    if (pending === 0) return;
    for (const page of this.#pagesOf(pending)) {
      this.cells.erase(page * this.#model.sectorBytes, this.#model.sectorBytes);
    }
    this.#store.set("erasePending1", 0);
    this.#endOfOperation(this.#store.get("eraseIsSecure") === 1 ? 1 : 0);
  }

  #pagesOf(pending: number): number[] {
    if (pending < massErase) return pending === 0 ? [] : [pending - 1];
    const perBank = this.#model.bankBytes / this.#model.sectorBytes;
    return Array.from({ length: this.#model.banks * perBank }, (_, page) => page).filter(
      (page) => ((pending >>> Math.floor(page / perBank)) & 1) === 1,
    );
  }

  /** True when the side may not change the page: not its own, or protected. */
  #isForbidden(side: Side, place: number): boolean {
    const { writeProtection, pcrop, bankBytes, sectorBytes } = this.#model;
    const start = place - (place % sectorBytes);
    const page = { start, end: start + sectorBytes };
    return (
      this.#isSecure(place) !== (side === 1) ||
      touches([...writeProtection, ...pcrop], this.options(), bankBytes, page) ||
      isSecondCores(this.#model, this.optionBytes, page)
    );
  }

  #isSecure(place: number): boolean {
    return isSecurePage(this.#model, this.optionBytes, this.#store, place);
  }

  #regress(what: "nonSecure" | "all"): void {
    const { sectorBytes } = this.#model;
    for (let at = 0; at < this.cells.bytes.length; at += sectorBytes) {
      if (what === "all" || !this.#isSecure(at)) this.cells.erase(at, sectorBytes);
    }
    this.#host.clearBackup();
  }

  #installPort(): InstallPort {
    const { unitBytes, sectorBytes, writeProtection, pcrop, bankBytes } = this.#model;
    return {
      isWritable: (offset, sizeBytes) => {
        for (let at = offset; at < offset + sizeBytes; at += unitBytes) {
          const place = this.#physical(at);
          const unit = { start: place, end: place + unitBytes };
          if (touches([...writeProtection, ...pcrop], this.options(), bankBytes, unit)) return false;
          if (!this.cells.isBlank(place, unitBytes)) return false;
        }
        return true;
      },
      program: (offset, data) => this.cells.program(this.#physical(offset), data),
      bytes: (offset, sizeBytes) => this.peek(offset, sizeBytes) ?? new Uint8Array(0),
      eraseSectorOf: (offset) => {
        const place = this.#physical(offset);
        this.cells.erase(place - (place % sectorBytes), sectorBytes);
      },
      setOptions: (words) => {
        if (!this.#agree(words)) return false;
        this.optionBytes.program(words);
        this.#store.set("loadOnReset", 1);
        return true;
      },
      ready: () =>
        this.#model.trustZone === undefined
          ? this.#level === 0
          : this.optionBytes.trustZone && this.#level === 0.5,
    };
  }

  /** An image leaves TrustZone on and RDP above 0 on the parts that install so. */
  #agree(words: OptionWords): boolean {
    const word = words["optr"];
    if (this.#model.trustZone === undefined || word === undefined) return true;
    return (word & optr.tzen) !== 0 && levelOf(word, true) !== 0;
  }

  #clear(side: Side, value: number): void {
    this.#set("sr", side, this.#get("sr", side) & ~value);
  }

  get #busyMs(): number {
    return Math.max(0, this.#busyUntilMs - this.#host.now());
  }

  #endOfOperation(side: Side): void {
    if ((this.#get("cr", side) & (1 << 24)) !== 0) this.#flag(side, sr.eop);
  }

  #flag(side: Side, bits: number): void {
    this.#set("sr", side, this.#get("sr", side) | bits);
  }

  #get(word: keyof typeof sideWords, side: Side): number {
    return this.#store.get(sideWords[word][side]);
  }

  #set(word: keyof typeof sideWords, side: Side, value: number): void {
    this.#store.set(sideWords[word][side], value);
  }
}
