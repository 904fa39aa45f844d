import type { CoreModel } from "../models/debug-model.ts";
import type { ChipStore } from "../store.ts";
import type { WordName } from "../store-layout.ts";
import { readCoreRegister, writeCoreRegister } from "./core-registers.ts";

/** DHCSR (Armv7-M ARM C1.6.2). */
const dhcsr = {
  debugEnable: 1 << 0,
  halt: 1 << 1,
  step: 1 << 2,
  control: 0x2f,
  regReady: 1 << 16,
  halted: 1 << 17,
  lockup: 1 << 19,
  secureDebug: 1 << 20,
  retired: 1 << 24,
  resetSeen: 1 << 25,
} as const;
/** DSCSR.CDS: the core is in Secure state (Armv8-M ARM D1.2.57). */
const currentDomainSecure = 1 << 16;
/** DAUTHSTATUS: non-secure and secure invasive and non-invasive debug, each implemented (0b10) and allowed (0b11). */
const authStatus = { nonSecure: 0x0f, secure: 0xf0, secureImplemented: 0xa0 } as const;
const demcr = { vectorCatchReset: 1 << 0, writable: 0x010f07f1 } as const;
/** DFSR: why the core halted. */
const dfsr = { halted: 1 << 0, breakpoint: 1 << 1, vectorCatch: 1 << 3 } as const;
const thumbState = 0x01000000;
const breakpointOpcode = 0xbe00;

/** Plain read/write registers of the private peripheral bus. */
const plainRegisters: ReadonlyMap<number, { readonly word: WordName; readonly mask: number }> = new Map([
  [0xe000ed08, { word: "vtor", mask: 0xffffff80 }],
  [0xe000ed88, { word: "cpacr", mask: 0xffffffff }],
  [0xe000edf8, { word: "dcrdr", mask: 0xffffffff }],
  [0xe000edfc, { word: "demcr", mask: demcr.writable }],
  ...([0, 1, 2, 3, 4, 5, 6, 7] as const).map((i): [number, { word: WordName; mask: number }] => [
    0xe0002008 + 4 * i,
    { word: `fpComp${i}`, mask: 0xffffffff },
  ]),
]);

/** A routine in system memory that the core performs when it is let go at the routine's entry. */
export interface ServiceCall {
  /** Number other than 0 under which the call survives in the store. */
  readonly id: number;
  readonly durationMs: number;
  /** Does the work with the registers as they are and leaves its result in R0. */
  perform(): void;
}

/** What the core starts with. */
export interface BootVector {
  readonly msp: number;
  readonly pc: number;
  /** It starts in Secure state. */
  readonly secure: boolean;
}

/** What the core needs of the chip around it. */
export interface CoreHost {
  now(): number;
  /** The service whose entry is at `address`, if there is one. */
  service(address: number): ServiceCall | undefined;
  serviceById(id: number): ServiceCall | undefined;
  /** What the core fetches at `address`; undefined when it cannot. */
  fetchHalfword(address: number): number | undefined;
  isStack(address: number): boolean;
  /** MSP, PC and state the core starts with; undefined when the vector table cannot be fetched. */
  bootVector(): BootVector | undefined;
  /** TrustZone is on, and secure debug is allowed. */
  security(): { readonly trustZone: boolean; readonly secureDebug: boolean };
  requestSystemReset(): void;
}

/**
 * The debug side of a Cortex-M: halting, core registers, vector catch. It interprets no instructions. A core that is
 * let go at the entry of a service performs it and returns to LR; anywhere else it just runs.
 */
export class Core {
  readonly #store: ChipStore;
  readonly #host: CoreHost;
  readonly #model: CoreModel;
  #serviceDoneMs = 0;

  constructor(store: ChipStore, model: CoreModel, host: CoreHost) {
    this.#store = store;
    this.#model = model;
    this.#host = host;
  }

  get halted(): boolean {
    return this.#store.get("halted") === 1;
  }

  /** True when it is in Secure state and can go no further: a debugger without secure debug never sees it elsewhere. */
  get stuckSecure(): boolean {
    return this.#store.get("secureState") === 1 && this.#store.get("lockup") === 1;
  }

  /** True while NRST holds the core. */
  get heldInReset(): boolean {
    return this.#store.get("nrstLow") === 1;
  }

  /** State after power-on: debug off. */
  powerOn(): void {
    for (const word of ["dhcsr", "demcr", "dcrdr", "dfsr"] as const) this.#store.set(word, 0);
    for (let i = 0; i < 8; i++) this.#store.set(plainRegisters.get(0xe0002008 + 4 * i)?.word ?? "fpComp0", 0);
    this.#store.set("fpCtrl", 0);
  }

  /** Reset: the core stops where it is and waits for `boot`. Debug registers survive. */
  reset(): void {
    this.#store.set("halted", 0);
    this.#store.set("service", 0);
    this.#store.set("lockup", 0);
    this.#store.set("resetSeen", 1);
    this.#store.set("dhcsr", this.#store.get("dhcsr") & ~(dhcsr.halt | dhcsr.step));
    this.#store.set("vtor", 0);
    this.#store.set("cpacr", 0);
    this.#store.set("cfbp", 0);
    this.#store.set("lr", 0xffffffff);
  }

  /** Leaves reset: fetches MSP and PC, and halts there when the reset vector is caught. */
  boot(): void {
    const vector = this.#host.bootVector();
    this.#store.set("msp", vector?.msp ?? 0);
    this.#store.set("pc", (vector?.pc ?? 0) & ~1);
    this.#store.set("xpsr", (vector?.pc ?? 0) & 1 ? thumbState : 0);
    this.#store.set("secureState", vector?.secure ? 1 : 0);
    const debugging = this.#mayHalt && (this.#store.get("dhcsr") & dhcsr.debugEnable) !== 0;
    if (debugging && (this.#store.get("demcr") & demcr.vectorCatchReset) !== 0) this.#halt(dfsr.vectorCatch);
    else this.#run();
  }

  /** The core can no longer fetch (RDP went to 1 with a debugger attached). */
  lockUp(): void {
    if (!this.halted) this.#store.set("lockup", 1);
  }

  /** Ends a service whose time is over, or any service with `all`. */
  settle(all = false): void {
    const service = this.#host.serviceById(this.#store.get("service"));
    if (service === undefined || (!all && this.#host.now() < this.#serviceDoneMs)) return;
    this.#store.set("service", 0);
    service.perform();
    this.#store.set("pc", this.#store.get("lr") & ~1);
    this.#run();
  }

  /** A word of the private peripheral bus; what does not exist reads 0. */
  read(address: number): number {
    this.settle();
    const plain = plainRegisters.get(address);
    if (plain !== undefined) return this.#store.get(plain.word);
    if (address === 0xe000edf0) return this.#readDhcsr();
    if (address === 0xe000ed0c) return 0xfa050000;
    if (address === 0xe000ed30) return this.#store.get("dfsr");
    if (address === 0xe0002000) return this.#model.fpCtrl | this.#store.get("fpCtrl");
    if (this.#model.trustZone && address === 0xe000ee08) {
      return this.#store.get("secureState") === 1 ? currentDomainSecure : 0;
    }
    if (this.#model.trustZone && address === 0xe000efb8) return this.#authStatus();
    return this.#model.constants.get(address) ?? 0;
  }

  #authStatus(): number {
    const { trustZone, secureDebug } = this.#host.security();
    const secure = secureDebug ? authStatus.secure : authStatus.secureImplemented;
    return authStatus.nonSecure | (trustZone ? secure : 0);
  }

  /** A core in Secure state is not halted without secure debug. */
  get #mayHalt(): boolean {
    return this.#store.get("secureState") === 0 || this.#host.security().secureDebug;
  }

  /** Writes a word of the private peripheral bus; what does not exist is lost. */
  write(address: number, value: number): void {
    this.settle();
    const plain = plainRegisters.get(address);
    if (plain !== undefined) this.#store.set(plain.word, value & plain.mask);
    else if (address === 0xe000edf0) this.#writeDhcsr(value);
    else if (address === 0xe000edf4) this.#writeDcrsr(value);
    else if (address === 0xe000ed30) this.#store.set("dfsr", this.#store.get("dfsr") & ~value);
    else if (address === 0xe0002000 && (value & 2) !== 0) this.#store.set("fpCtrl", value & 1);
    else if (address === 0xe000ed0c && value >>> 16 === 0x05fa && (value & 4) !== 0)
      this.#host.requestSystemReset();
  }

  /** A core register through the probe's own command; undefined while the core runs. */
  register(number: number): number | undefined {
    this.settle();
    return this.halted ? readCoreRegister(this.#store, number) : undefined;
  }

  /** Sets a core register. Returns false while the core runs. */
  setRegister(number: number, value: number): boolean {
    this.settle();
    if (this.halted) writeCoreRegister(this.#store, number, value);
    return this.halted;
  }

  #readDhcsr(): number {
    const seen = this.#store.get("resetSeen") === 1 || this.heldInReset;
    this.#store.set("resetSeen", 0);
    const lockup = this.#store.get("lockup") === 1;
    return (
      (this.#store.get("dhcsr") |
        dhcsr.regReady |
        (this.halted ? dhcsr.halted : 0) |
        (lockup && !this.halted ? dhcsr.lockup : 0) |
        (this.#host.security().secureDebug ? dhcsr.secureDebug : 0) |
        (this.halted || lockup || this.heldInReset ? 0 : dhcsr.retired) |
        (seen ? dhcsr.resetSeen : 0)) >>>
      0
    );
  }

  #writeDhcsr(value: number): void {
    if (value >>> 16 !== 0xa05f) return;
    const enabled = (value & dhcsr.debugEnable) !== 0;
    this.#store.set("dhcsr", enabled ? value & dhcsr.control : 0);
    if (this.heldInReset) return;
    if (enabled && (value & dhcsr.halt) !== 0) {
      if (!this.halted && this.#mayHalt) this.#halt(dfsr.halted);
    } else if (this.halted) {
      if (enabled && (value & dhcsr.step) !== 0) this.#step();
      else this.#run();
    }
  }

  #writeDcrsr(value: number): void {
    if (!this.halted) return;
    if ((value >>> 16) & 1) writeCoreRegister(this.#store, value & 0x7f, this.#store.get("dcrdr"));
    else this.#store.set("dcrdr", readCoreRegister(this.#store, value & 0x7f));
  }

  #halt(reason: number): void {
    this.#store.set("halted", 1);
    this.#store.set("service", 0);
    this.#store.set("dfsr", this.#store.get("dfsr") | reason);
  }

  /** One instruction, taken to be two bytes long and to change nothing else. */
  #step(): void {
    this.#store.set("pc", this.#store.get("pc") + 2);
    this.#store.set("dfsr", this.#store.get("dfsr") | dfsr.halted);
  }

  #run(): void {
    const pc = this.#store.get("pc");
    this.#store.set("halted", 0);
    const opcode = this.#host.fetchHalfword(pc);
    const sound = opcode !== undefined && (this.#store.get("xpsr") & thumbState) !== 0;
    this.#store.set("lockup", sound ? 0 : 1);
    if (!sound) return;
    const service = this.#host.service(pc);
    if (service === undefined && opcode === breakpointOpcode) {
      const debugging = (this.#store.get("dhcsr") & dhcsr.debugEnable) !== 0;
      if (debugging) this.#halt(dfsr.breakpoint);
      else this.#store.set("lockup", 1);
      return;
    }
    if (service === undefined) return;
    if (!this.#host.isStack(readCoreRegister(this.#store, 13))) {
      this.#store.set("lockup", 1);
      return;
    }
    this.#store.set("service", service.id);
    this.#serviceDoneMs = this.#host.now() + service.durationMs;
  }
}
