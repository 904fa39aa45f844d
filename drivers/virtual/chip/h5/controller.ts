import { bitField } from "../../../../src/bytes/numbers.ts";
import type { H5Flash, OptionWord, OptionWords } from "../../models/flash-model.ts";
import type { ChipStore } from "../../store.ts";
import { currentWord, programmingWord, storedWord } from "../../store-layout.ts";
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
import { touches } from "../page/areas.ts";
import { cr, keyed, optcr, productState, sr, srErrorMask, times } from "./bits.ts";
import { optionFault, stateOf, trustZoneOn } from "./option-rules.ts";

/** The two sides' words: 0 non-secure, 1 secure. */
const sideWords = {
  keyState: ["keyState1", "keyState2"],
  cr: ["cr1", "cr2"],
  sr: ["sr1", "sr2"],
} as const;
type Side = 0 | 1;

/** Registers of both sides by offset. */
const places = { keyr: [0x04, 0x08], sr: [0x20, 0x24], cr: [0x28, 0x2c], ccr: [0x30, 0x34] } as const;
const emptyBuffer = 0xffffffff;
/** Flag in erasePending1 of a bank or mass erase; the banks are in [1:0]. Otherwise it is 0 or the sector plus 1. */
const bankErase = 0x10000;

/**
 * The flash controller of the H5 (RM0481 chapter 7) as a state machine over the store. Option bytes are programmed by
 * OPTSTART and in force after the next reset; the product state says what a debugger may.
 */
export class H5FlashController implements FlashPart {
  readonly cells: FlashCells;
  readonly install: InstallPort;
  readonly #model: H5Flash;
  readonly #words: readonly OptionWord[];
  readonly #store: ChipStore;
  readonly #host: FlashHost;
  #busyUntilMs = 0;
  #optionsDoneMs = 0;

  constructor(store: ChipStore, model: H5Flash, words: readonly OptionWord[], host: FlashHost) {
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
    return this.#gather(currentWord);
  }

  get #trustZone(): boolean {
    return this.#model.trustZone && trustZoneOn(this.options());
  }

  protection(): Protection {
    const state = stateOf(this.options());
    const trustZone = this.#trustZone;
    return {
      ...open,
      trustZone,
      secureDebug: trustZone && state === productState.open,
      // Silicon leaves AP0 with the mailbox of debug authentication; without that there is nothing to answer.
      portClosed: state === productState.closed || state === productState.locked,
      needsNonSecureCore: trustZone && state !== productState.open,
    };
  }

  /** In Provisioning user code is not run; BOOT_UBE 0xC3 starts ST's code. */
  bootPlace(): BootPlace {
    const words = this.options();
    const bootloader: BootPlace = { kind: "bootloader", address: this.#model.bootloader };
    if (stateOf(words) === productState.provisioning) return bootloader;
    if (!this.#trustZone) return { kind: "vectors", address: ((words["nsbootr"] ?? 0) & 0xffffff00) >>> 0 };
    if (bitField(words["optsr"] ?? 0, 22, 8) === keyed.off) return bootloader;
    return { kind: "vectors", address: ((words["secbootr"] ?? 0) & 0xffffff00) >>> 0, secure: true };
  }

  reset(): void {
    for (const side of [0, 1] as const) {
      this.#set("keyState", side, 0);
      this.#set("sr", side, 0);
      this.#set("cr", side, cr.lock);
    }
    this.#store.set("optKeyState", 0);
    this.#store.set("optcr", optcr.lock);
    this.#dropBuffer();
    this.#busyUntilMs = 0;
    for (const { name } of this.#words) {
      this.#store.set(programmingWord(name), this.#store.get(storedWord(name)));
    }
  }

  interrupt(): void {
    this.settle();
    const { sectorBytes } = this.#model;
    for (const sector of this.#sectorsOf(this.#store.get("erasePending1"))) {
      this.cells.erase(sector * sectorBytes, sectorBytes / 2);
    }
    this.#store.set("erasePending1", 0);
    this.#store.set("optionPending", 0);
  }

  settle(all = false): void {
    if (all || this.#busyMs === 0) this.#finishErase();
    if (this.#store.get("optionPending") === 0 || (!all && this.#host.now() < this.#optionsDoneMs)) return;
    this.#store.set("optionPending", 0);
    const wanted = this.#gather(programmingWord);
    if (optionFault(this.#model, this.#gather(storedWord), wanted) === undefined) this.#keep(wanted);
    else this.#flag(0, sr.optchangeerr);
  }

  peek(offset: number, sizeBytes: number): Uint8Array | undefined {
    if (offset < 0 || offset + sizeBytes > this.cells.bytes.length) return undefined;
    const place = this.#physical(offset);
    return this.cells.bytes.slice(place, place + sizeBytes);
  }

  /** With SWAP_BANK the banks have changed places. */
  #physical(offset: number): number {
    return (this.#store.get(currentWord("optsr")) & 0x80000000) !== 0
      ? offset ^ this.#model.bankBytes
      : offset;
  }

  /** A debugger reads; sectors of the other side read as zero. */
  read(access: Access, address: number, offset: number, into: Uint8Array): BusOutcome {
    this.settle();
    if (this.#store.get("erasePending1") !== 0 && this.#busyMs > longestHoldMs)
      return { kind: "wait", address };
    const { sectorBytes } = this.#model;
    for (let at = 0; at < into.length; ) {
      const place = this.#physical(offset + at);
      const size = Math.min(into.length - at, sectorBytes - (place % sectorBytes));
      if (this.#isSecure(place) === access.secure)
        into.set(this.cells.bytes.subarray(place, place + size), at);
      else into.fill(0, at, at + size);
      at += size;
    }
    return done;
  }

  /** A debugger writes: bytes gather in the write buffer; the last of a flash word starts programming. */
  write(access: Access, address: number, offset: number, data: Uint8Array): BusOutcome {
    this.settle();
    if (this.#store.get("erasePending1") !== 0) return { kind: "wait", address };
    const { unitBytes } = this.#model;
    for (let at = 0; at < data.length; ) {
      const place = this.#physical(offset + at);
      const size = Math.min(data.length - at, unitBytes - (place % unitBytes));
      this.#gatherBytes(access.secure ? 1 : 0, place, data.subarray(at, at + size));
      at += size;
    }
    return { kind: "ok", stallMs: Math.max(0, this.#busyMs - times.unitMs) };
  }

  #gatherBytes(side: Side, place: number, bytes: Uint8Array): void {
    const { unitBytes } = this.#model;
    const within = place % unitBytes;
    const held = this.#store.get("bufferBase1");
    const mask = held === emptyBuffer ? 0 : this.#store.get("bufferMask1");
    const bits = ((1 << bytes.length) - 1) << within;
    const error = this.#gatherError(side, place, held, (mask & bits) !== 0);
    if (error !== 0) {
      this.#flag(side, error);
      this.#dropBuffer();
      return;
    }
    this.#store.write("writeBuffers", within, bytes);
    this.#store.set("bufferBase1", place - within);
    this.#store.set("bufferMask1", mask | bits);
    if ((mask | bits) === (1 << unitBytes) - 1) this.#programBuffer(side);
  }

  #gatherError(side: Side, place: number, held: number, written: boolean): number {
    const control = this.#get("cr", side);
    const flagged = (this.#get("sr", side) & srErrorMask) !== 0;
    if ((control & cr.pg) === 0 || (control & cr.lock) !== 0 || flagged) return sr.pgserr;
    if (this.#isForbidden(side, place)) return sr.wrperr;
    if (held !== emptyBuffer && held !== place - (place % this.#model.unitBytes)) return sr.incerr;
    return written ? sr.strberr : 0;
  }

  #programBuffer(side: Side): void {
    const { unitBytes } = this.#model;
    const mask = this.#store.get("bufferMask1");
    const buffer = this.#store.region("writeBuffers").slice(0, unitBytes);
    const base = this.#store.get("bufferBase1");
    this.#dropBuffer();
    this.cells.program(
      base,
      buffer.map((byte, i) => ((mask >>> i) & 1 ? byte : 0xff)),
    );
    this.#busyUntilMs = Math.max(this.#host.now(), this.#busyUntilMs) + times.unitMs;
    this.#endOfOperation(side);
  }

  #dropBuffer(): void {
    this.#store.set("bufferBase1", emptyBuffer);
    this.#store.set("bufferMask1", 0);
  }

  readRegister(access: Access, offset: number): number {
    this.settle();
    // The current registers show what is programmed; in force it is after the next reset.
    const current = this.#words.find((word) => word.offset === offset);
    if (current !== undefined) return this.#store.get(storedWord(current.name));
    const programming = this.#words.find((word) => word.programOffset === offset);
    if (programming !== undefined) return this.#store.get(programmingWord(programming.name));
    if (offset === 0x1c) return this.#store.get("optcr");
    for (const side of this.#sidesOf(access)) {
      if (offset === places.cr[side]) return this.#get("cr", side);
      if (offset === places.sr[side]) return this.#status(side);
    }
    return 0;
  }

  #status(side: Side): number {
    const busy = this.#busyMs > 0 || this.#store.get("optionPending") === 1 ? sr.bsy : 0;
    const gathering = this.#store.get("bufferBase1") === emptyBuffer ? 0 : sr.wbne;
    return (this.#get("sr", side) | busy | gathering) >>> 0;
  }

  /** Registers of the secure side are there for secure accesses, or for all while there is only one side. */
  #sidesOf(access: Access): readonly Side[] {
    return this.#trustZone && !access.secure ? [0] : [0, 1];
  }

  writeRegister(access: Access, offset: number, value: number): BusOutcome {
    this.settle();
    const word = this.#words.find((candidate) => candidate.programOffset === offset);
    if (word !== undefined) this.#writeProgrammingRegister(word, value, access);
    else if (offset === 0x0c) this.#writeOptionKey(value);
    else if (offset === 0x1c) this.#writeOptcr(value);
    for (const side of this.#sidesOf(access)) {
      if (offset === places.keyr[side]) this.#writeKey(side, value);
      else if (offset === places.cr[side]) this.#writeCr(side, value);
      else if (offset === places.ccr[side]) this.#set("sr", side, this.#get("sr", side) & ~value);
    }
    return done;
  }

  /** What belongs to the secure side is not changed from the other, but while the part is Open. */
  #writeProgrammingRegister(word: OptionWord, value: number, access: Access): void {
    const closed = stateOf(this.options()) !== productState.open;
    const foreign = word.secure && this.#trustZone && !access.secure && closed;
    if ((this.#store.get("optcr") & optcr.lock) !== 0 || foreign) return;
    this.#store.set(programmingWord(word.name), fitted(value, word));
  }

  #writeKey(side: Side, value: number): void {
    const next = nextKeyState(this.#get("keyState", side), value, [0x45670123, 0xcdef89ab]);
    this.#set("keyState", side, next === "open" ? 0 : next);
    if (next === "open") this.#set("cr", side, this.#get("cr", side) & ~cr.lock);
  }

  #writeOptionKey(value: number): void {
    const next = nextKeyState(this.#store.get("optKeyState"), value, [0x08192a3b, 0x4c5d6e7f]);
    this.#store.set("optKeyState", next === "open" ? 0 : next);
    if (next === "open") this.#store.set("optcr", this.#store.get("optcr") & ~optcr.lock);
  }

  #writeOptcr(value: number): void {
    if ((this.#store.get("optcr") & optcr.lock) !== 0 || this.#store.get("optionPending") === 1) return;
    this.#store.set("optcr", value & optcr.lock);
    if ((value & optcr.start) === 0) return;
    this.#store.set("optionPending", 1);
    this.#optionsDoneMs = this.#host.now() + times.optionMs;
  }

  #writeCr(side: Side, value: number): void {
    if ((this.#get("cr", side) & cr.lock) !== 0 || this.#store.get("erasePending1") !== 0) return;
    this.#set("cr", side, value & cr.writable);
    if ((value & cr.lock) !== 0) return;
    const gathered = this.#store.get("bufferBase1") !== emptyBuffer;
    if ((value & cr.fw) !== 0 && (value & cr.pg) !== 0 && gathered) this.#programBuffer(side);
    if ((value & cr.start) !== 0) this.#startErase(side, value);
  }

  #startErase(side: Side, value: number): void {
    const { bankBytes, sectorBytes } = this.#model;
    const perBank = bankBytes / sectorBytes;
    const bank = (value & cr.bksel) !== 0 ? 1 : 0;
    const sector = bank * perBank + ((value >>> cr.snbShift) & (perBank - 1));
    const banks = (value & cr.mer) !== 0 ? 3 : (value & cr.ber) !== 0 ? 1 << bank : 0;
    const pending = banks !== 0 ? bankErase | banks : (value & cr.ser) !== 0 ? sector + 1 : 0;
    const sectors = this.#sectorsOf(pending);
    if (pending === 0 || (value & cr.pg) !== 0) this.#flag(side, sr.pgserr);
    else if (sectors.some((number) => this.#isForbidden(side, number * sectorBytes)))
      this.#flag(side, sr.wrperr);
    else {
      this.#store.set("erasePending1", pending);
      this.#store.set("eraseIsSecure", side);
      this.#busyUntilMs = this.#host.now() + (banks !== 0 ? times.bankMs : times.sectorMs);
    }
  }

  #finishErase(): void {
    const pending = this.#store.get("erasePending1");
    if (pending === 0) return;
    for (const sector of this.#sectorsOf(pending)) {
      this.cells.erase(sector * this.#model.sectorBytes, this.#model.sectorBytes);
    }
    this.#store.set("erasePending1", 0);
    this.#endOfOperation(this.#store.get("eraseIsSecure") === 1 ? 1 : 0);
  }

  #sectorsOf(pending: number): number[] {
    if (pending < bankErase) return pending === 0 ? [] : [pending - 1];
    const perBank = this.#model.bankBytes / this.#model.sectorBytes;
    return Array.from({ length: 2 * perBank }, (_, sector) => sector).filter(
      (sector) => ((pending >>> Math.floor(sector / perBank)) & 1) === 1,
    );
  }

  #isForbidden(side: Side, place: number): boolean {
    return this.#isSecure(place) !== (side === 1) || this.#isWriteProtected(place);
  }

  #isWriteProtected(place: number): boolean {
    const { bankBytes, sectorBytes, sectorsPerWrpBit } = this.#model;
    const bank = Math.floor(place / bankBytes);
    const group = Math.floor((place % bankBytes) / sectorBytes / sectorsPerWrpBit);
    return ((this.#store.get(currentWord(`wrp${bank + 1}r`)) >>> group) & 1) === 0;
  }

  #isSecure(place: number): boolean {
    if (!this.#trustZone) return false;
    const { secureAreas, bankBytes } = this.#model;
    return touches(secureAreas, this.options(), bankBytes, { start: place, end: place + 1 });
  }

  #installPort(): InstallPort {
    const { unitBytes, sectorBytes } = this.#model;
    return {
      isWritable: (offset, sizeBytes) => {
        for (let at = offset; at < offset + sizeBytes; at += unitBytes) {
          const place = this.#physical(at);
          if (this.#isWriteProtected(place) || !this.cells.isBlank(place, unitBytes)) return false;
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
        const stored = this.#gather(storedWord);
        const next = this.#words.map((word): [string, number] => {
          const wanted = words[word.name];
          return [word.name, wanted === undefined ? (stored[word.name] ?? 0) : fitted(wanted, word)];
        });
        this.#keep(Object.fromEntries(next));
        return true;
      },
      ready: () => {
        const words = this.options();
        const started = !this.#model.trustZone || bitField(words["optsr"] ?? 0, 22, 8) === keyed.off;
        return started && stateOf(words) === productState.provisioning;
      },
    };
  }

  /** Programmed: in force after the next reset. */
  #keep(words: OptionWords): void {
    for (const { name } of this.#words) {
      this.#store.set(storedWord(name), words[name] ?? 0);
      this.#store.set(programmingWord(name), words[name] ?? 0);
    }
    this.#store.set("loadOnReset", 1);
  }

  #gather(wordOf: typeof currentWord): OptionWords {
    return Object.fromEntries(this.#words.map(({ name }) => [name, this.#store.get(wordOf(name))]));
  }

  get #busyMs(): number {
    return Math.max(0, this.#busyUntilMs - this.#host.now());
  }

  #endOfOperation(side: Side): void {
    if ((this.#get("cr", side) & cr.eopie) !== 0) this.#flag(side, sr.eop);
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

/** Bits that do not exist read as they left the factory. */
function fitted(value: number, { mask, factory }: OptionWord): number {
  return ((value & mask) | (factory & ~mask)) >>> 0;
}
