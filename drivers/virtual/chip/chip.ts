import { fromWords, toWords } from "../../../src/bytes/bytes.ts";
import { chipCertificate, chipKeyPair } from "../identity.ts";
import type { OptionWords } from "../models/flash-model.ts";
import type { ChipModel } from "../models/model.ts";
import { installServiceOf } from "../rss/kinds.ts";
import { RssRunner } from "../rss/runner.ts";
import type { CallableServices } from "../rss/services.ts";
import type { ChipStore } from "../store.ts";
import type { BusGate } from "./bus.ts";
import { type BootVector, Core } from "./core.ts";
import { flashPartOf } from "./flash-kinds.ts";
import type { FlashPart } from "./flash-part.ts";
import { noise, volatilePlace, writeUid } from "./ram.ts";
import { Rom } from "./rom.ts";
import { TargetBus } from "./target-bus.ts";

/** What a chip tells whoever scripts faults, and asks. */
export interface ChipObserver {
  /** RSS is about to do its next step, `elapsedMs` after it began. Returns false to let it hang. */
  rssStep(elapsedMs: number): boolean;
  rssFinished(): void;
}

const quietObserver: ChipObserver = { rssStep: () => true, rssFinished: () => undefined };

/** Supply of a chip that has power. */
const supplyMillivolts = 3300;

/** A virtual STM32 with its supply and reset pin. All state is in the store. */
export class VirtualChip {
  readonly model: ChipModel;
  readonly store: ChipStore;
  readonly flash: FlashPart;
  readonly core: Core;
  readonly bus: TargetBus;
  readonly rss: RssRunner;
  readonly rom: Rom;
  /** 12 bytes. */
  readonly uid: Uint8Array;
  /** Counts everything that breaks the SWD link; a probe must enter again after each. */
  linkEpoch = 0;
  observer: ChipObserver = quietObserver;
  readonly #certificate: Uint8Array;
  readonly #services: CallableServices;

  /**
   * @param store state of the chip; initialised as factory new when it never was
   * @param uid unique id for a factory-new chip
   * @param now modelled time in milliseconds
   */
  constructor(model: ChipModel, store: ChipStore, uid: Uint8Array, now: () => number) {
    this.model = model;
    this.store = store;
    const fresh = store.get("initialized") === 0;
    if (fresh) writeUid(store, uid);
    this.uid = fromWords([store.get("uid0"), store.get("uid1"), store.get("uid2")]);
    this.#certificate = chipCertificate(model, this.uid);
    this.rom = new Rom(model, this.uid);
    this.flash = flashPartOf(model, store, {
      now,
      optionsChanged: () => this.#optionsChanged(),
      launchOptions: () => this.#launchOptions(),
      clearBackup: () => this.#clearBackup(),
    });
    const install = installServiceOf(model, store, this.flash, this.rom, {
      certificate: () => this.#certificate,
      writeRam: (address, data) => this.#writeRam(address, data),
      readRam: (address, sizeBytes) => this.#readRam(address, sizeBytes),
    });
    this.#services = install.services;
    this.core = new Core(store, model.core, {
      now,
      service: (address) => this.#services.at(address),
      serviceById: (id) => this.#services.byId(id),
      fetchHalfword: (address) => this.#fetchHalfword(address),
      isStack: (address) => volatilePlace(model, address - 4, 4) !== undefined,
      bootVector: () => this.#bootVector(),
      security: () => this.flash.protection(),
      requestSystemReset: () => this.systemReset(),
    });
    this.bus = new TargetBus({
      store,
      model,
      flash: this.flash,
      core: this.core,
      rom: this.rom,
      gate: () => this.gate(),
      takeKey: (value) => this.flash.takeKey(value),
    });
    this.rss = new RssRunner({
      store,
      port: this.flash.install,
      geometry: model.flash,
      kind: install.kind,
      privateKey: chipKeyPair(model, this.uid).privateKey,
      now,
      readRam: (address, sizeBytes) => this.#readRam(address, sizeBytes),
      writeRam: (address, data) => this.#writeRam(address, data),
      goOn: (elapsedMs) => this.observer.rssStep(elapsedMs),
      finished: () => this.#rssFinished(),
    });
    if (fresh) this.#makeFactoryNew();
  }

  /** The certificate RSS hands out, 136 bytes. */
  get certificate(): Uint8Array {
    return this.#certificate;
  }

  /** Content of the flash, bank 1 first. A view: do not write. */
  get flashBytes(): Uint8Array {
    return this.flash.cells.bytes;
  }

  /** The option words in force, by name. */
  options(): OptionWords {
    this.settle();
    return this.flash.options();
  }

  /** One option word in force. @throws RangeError the part has none of that name */
  option(name: string): number {
    const value = this.options()[name];
    if (value === undefined) throw new RangeError(`no option word ${name}`);
    return value;
  }

  get powered(): boolean {
    return this.store.get("powered") === 1;
  }

  get millivolts(): number {
    return this.powered ? supplyMillivolts : 0;
  }

  /** True when the debug port answers: there is power, RSS is not at work and the life cycle has not closed it. */
  answers(): boolean {
    this.settle();
    return this.powered && !this.rss.running && this.store.get("debugClosed") === 0;
  }

  /** What the life cycle leaves open behind the access ports. */
  gate(): BusGate {
    const protection = this.flash.protection();
    return {
      trustZone: protection.trustZone,
      secureDebug: protection.secureDebug,
      memoryClosed: protection.memoryClosed || (protection.needsNonSecureCore && this.core.stuckSecure),
      ramOpen: this.store.get("secureState") === 0,
    };
  }

  /** Lets everything happen whose time has come. @param all true: everything that is under way, whenever it ends. */
  settle(all = false): void {
    if (!this.powered) return;
    this.flash.settle(all);
    this.core.settle(all);
    this.rss.settle(all);
  }

  /** Takes the supply away. RAM and the state of debug are gone; flash that was being erased is half erased. */
  powerOff(): void {
    if (!this.powered) return;
    this.settle();
    this.flash.interrupt();
    this.rss.cancel();
    this.store.set("powered", 0);
    this.linkEpoch++;
    for (const region of this.model.regions) {
      if (region.kind === "volatile") this.store.write(region.name, 0, noise(region.base, region.sizeBytes));
    }
  }

  /** Gives the supply back: power-on reset. */
  powerOn(): void {
    if (this.powered) return;
    this.store.set("powered", 1);
    this.linkEpoch++;
    for (const word of ["dbgmcuCr", "rssCommand", "loadOnReset"] as const) this.store.set(word, 0);
    this.flash.powerOn();
    this.core.powerOn();
    this.#enterReset();
    if (!this.core.heldInReset) this.#leaveReset();
  }

  /** Off and on. */
  powerCycle(): void {
    this.powerOff();
    this.powerOn();
  }

  /** AIRCR.SYSRESETREQ. RAM and debug registers survive; the link drops only if RSS closes the port. */
  systemReset(): void {
    if (!this.powered || this.core.heldInReset) return;
    this.#enterReset();
    this.#leaveReset();
  }

  /** Level on the reset pin. While it is low only windows that say so answer, among them the core's debug registers. */
  setNrst(low: boolean): void {
    if (low === this.core.heldInReset) return;
    this.settle();
    this.store.set("nrstLow", low ? 1 : 0);
    if (!this.powered) return;
    if (low) this.#enterReset();
    else this.#leaveReset();
  }

  #enterReset(): void {
    this.settle();
    this.flash.interrupt();
    this.rss.cancel();
    if (this.store.get("loadOnReset") === 1) {
      this.store.set("loadOnReset", 0);
      this.flash.loadOptions();
    }
    this.flash.reset();
    this.core.reset();
    this.store.set("apb4enr", 0);
  }

  #leaveReset(): void {
    const wasClosed = this.store.get("debugClosed") === 1;
    this.store.set("debugClosed", this.flash.protection().portClosed ? 1 : 0);
    if (this.store.get("debugClosed") === 1 && !wasClosed) this.linkEpoch++;
    if (this.rss.isRequested()) {
      this.linkEpoch++;
      this.rss.start();
    } else this.core.boot();
  }

  /** The chip resets itself and reads its option bytes; a debugger has to enter again. */
  #launchOptions(): void {
    this.linkEpoch++;
    this.#enterReset();
    this.flash.loadOptions();
    this.flash.reset();
    this.#leaveReset();
  }

  #rssFinished(): void {
    this.linkEpoch++;
    this.observer.rssFinished();
    if (!this.powered) return;
    this.flash.reset();
    this.core.reset();
    this.store.set("debugClosed", this.flash.protection().portClosed ? 1 : 0);
    this.core.boot();
  }

  /** A protection that goes up under a debugger's eyes stops the core: its next fetch from flash is refused. */
  #optionsChanged(): void {
    if (this.flash.protection().stopsFetches && !this.rss.running) this.core.lockUp();
  }

  #clearBackup(): void {
    for (const name of this.model.clearedByRegression) {
      this.store.fill(name, 0, this.store.region(name).length, 0);
    }
  }

  #makeFactoryNew(): void {
    this.flash.makeFactoryNew();
    // A chip that was off has no defined RAM.
    this.store.set("powered", 1);
    this.powerOff();
    this.powerOn();
    this.store.set("initialized", 1);
  }

  /** Another version of ST's secure firmware; parts without its version word stay as they are. */
  setSfsp(version: number): void {
    const { rss } = this.model;
    if (rss.kind === "rsse" && rss.sfspAddress !== undefined)
      this.rom.put(rss.sfspAddress, fromWords([version]));
  }

  #writeRam(address: number, data: Uint8Array): boolean {
    const place = volatilePlace(this.model, address, data.length);
    if (place !== undefined) this.store.write(place.name, place.offset, data);
    return place !== undefined;
  }

  /** A stretch of RAM as it is; empty where there is none. */
  #readRam(address: number, sizeBytes: number): Uint8Array {
    const place = volatilePlace(this.model, address, sizeBytes);
    if (place === undefined) return new Uint8Array(0);
    return this.store.region(place.name).subarray(place.offset, place.offset + sizeBytes);
  }

  /** The core fetches behind the protections, but nothing from flash that a level of RDP closes to debug. */
  #fetchHalfword(address: number): number | undefined {
    const into = new Uint8Array(2);
    const master = { ap: this.model.debugPort.coreAp, nonSecure: undefined };
    if (this.bus.read(master, address, into, 2).kind === "ok") return (into[0] ?? 0) | ((into[1] ?? 0) << 8);
    const seen = this.#peek(address, 2);
    return seen && this.flash.protection().trustZone ? (seen[0] ?? 0) | ((seen[1] ?? 0) << 8) : undefined;
  }

  /** Flash by any of its addresses. Read behind the protections: the core is no debugger. */
  #peek(address: number, sizeBytes: number): Uint8Array | undefined {
    const region = this.model.regions.find(({ kind }) => kind === "flash");
    const bases =
      region === undefined ? [] : [region.base, ...(region.aliases ?? []).map(({ base }) => base)];
    for (const base of bases) {
      const seen = this.flash.peek(address - base, sizeBytes);
      if (seen !== undefined) return seen;
    }
    return undefined;
  }

  #bootVector(): BootVector | undefined {
    const place = this.flash.bootPlace();
    if (place.kind === "bootloader") return { msp: 0, pc: place.address | 1, secure: false };
    const secure = place.secure === true;
    const into = new Uint8Array(8);
    const master = { ap: this.model.debugPort.coreAp, nonSecure: undefined };
    const seen =
      this.#peek(place.address, 8) ??
      (this.bus.read(master, place.address, into, 4).kind === "ok" ? into : undefined);
    if (seen === undefined) return secure ? { msp: 0, pc: 0, secure } : undefined;
    const [msp = 0, pc = 0] = toWords(seen.slice());
    // Firmware that can run hands over to the non-secure side; what debugs from outside sees it there.
    const staysSecure = secure && (pc === 0xffffffff || this.flash.protection().secureDebug);
    return { msp, pc: pc === 0xffffffff && secure ? 0 : pc, secure: staysSecure };
  }
}
