import { fromWords, toWords } from "../../../src/bytes/bytes.ts";
import { type ChipModel, type OptionWords, optionNames } from "../chips.ts";
import { chipCertificate, chipKeyPair } from "../identity.ts";
import { RssRunner } from "../rss/runner.ts";
import { rssServiceAt, rssServiceById, type ServiceHost } from "../rss/services.ts";
import type { ChipStore } from "../store.ts";
import { Core } from "./core.ts";
import { FlashController } from "./flash.ts";
import { implementedBits, rdpLevel } from "./option-rules.ts";
import { systemMemory } from "./system-memory.ts";
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

/** A virtual STM32H7 with its supply and reset pin. All state is in the store. */
export class VirtualChip {
  readonly model: ChipModel;
  readonly store: ChipStore;
  readonly flash: FlashController;
  readonly core: Core;
  readonly bus: TargetBus;
  readonly rss: RssRunner;
  /** 12 bytes. */
  readonly uid: Uint8Array;
  /** Counts everything that breaks the SWD link; a probe must enter again after each. */
  linkEpoch = 0;
  observer: ChipObserver = quietObserver;
  readonly #certificate: Uint8Array;

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
    const memory = systemMemory(model, this.uid);
    const services = this.#serviceHost();
    this.flash = new FlashController(store, {
      security: model.security,
      now,
      optionsChanged: () => this.#optionsChanged(),
    });
    this.core = new Core(store, {
      now,
      service: (address) => (model.security ? rssServiceAt(address, services) : undefined),
      serviceById: (id) => rssServiceById(id, services),
      fetchHalfword: (address) => this.#fetchHalfword(address),
      isStack: (address) => this.#ramAt(address - 4, 4) !== undefined,
      bootVector: () => this.#bootVector(),
      requestSystemReset: () => this.systemReset(),
    });
    this.bus = new TargetBus({ store, model, flash: this.flash, core: this.core, systemMemory: memory });
    this.rss = new RssRunner({
      store,
      flash: this.flash,
      privateKey: chipKeyPair(model, this.uid).privateKey,
      now,
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
    return this.flash.array.bytes;
  }

  /** The option words in force. */
  options(): OptionWords {
    this.settle();
    return this.flash.options.current();
  }

  get powered(): boolean {
    return this.store.get("powered") === 1;
  }

  get millivolts(): number {
    return this.powered ? supplyMillivolts : 0;
  }

  /** True when the debug port answers: there is power, RSS is not at work and RDP is not 2. */
  answers(): boolean {
    this.settle();
    return this.powered && !this.rss.running && this.store.get("debugClosed") === 0;
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
    this.store.set("dbgmcuCr", 0);
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

  /** Level on the reset pin. While it is low the DP and AP2 answer, and AP0 for the core's debug registers. */
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
    this.flash.reset();
    this.core.reset();
    this.store.set("apb4enr", 0);
  }

  #leaveReset(): void {
    this.store.set("debugClosed", rdpLevel(this.flash.options.current().optsr) === 2 ? 1 : 0);
    if (this.store.get("debugClosed") === 1) this.linkEpoch++;
    if (this.model.security && this.rss.isRequested()) {
      this.linkEpoch++;
      this.rss.start();
    } else this.core.boot();
  }

  #rssFinished(): void {
    this.linkEpoch++;
    this.observer.rssFinished();
    if (!this.powered) return;
    this.flash.reset();
    this.core.reset();
    this.store.set("debugClosed", rdpLevel(this.flash.options.current().optsr) === 2 ? 1 : 0);
    this.core.boot();
  }

  /** A protection that goes up under a debugger's eyes stops the core: its next fetch from flash is refused. */
  #optionsChanged(): void {
    if (rdpLevel(this.flash.options.current().optsr) !== 0 && !this.rss.running) this.core.lockUp();
  }

  #makeFactoryNew(): void {
    for (const name of optionNames) {
      this.store.set(
        `${name}Cur`,
        this.model.factoryOptions[name] & implementedBits(name, this.model.security),
      );
    }
    this.flash.array.erase(0, this.flashBytes.length);
    // A chip that was off has no defined RAM.
    this.store.set("powered", 1);
    this.powerOff();
    this.powerOn();
    this.store.set("initialized", 1);
  }

  #serviceHost(): ServiceHost {
    return {
      register: (number) => this.store.get(number === 0 ? "r0" : "r1"),
      setResult: (value) => this.store.set("r0", value),
      optsr: () => this.flash.options.current().optsr,
      certificate: () => this.#certificate,
      writeRam: (address, data) => {
        const place = this.#ramAt(address, data.length);
        if (place !== undefined) this.store.write(place.name, place.offset, data);
        return place !== undefined;
      },
    };
  }

  #ramAt(address: number, sizeBytes: number): { readonly name: string; readonly offset: number } | undefined {
    const region = this.model.regions.find(
      ({ kind, base, sizeBytes: size }) =>
        kind === "volatile" && address >= base && address + sizeBytes <= base + size,
    );
    return region && { name: region.name, offset: address - region.base };
  }

  /** The core fetches: it may read what a debugger may not, and nothing at all from flash under RDP with debug on. */
  #fetchHalfword(address: number): number | undefined {
    const into = new Uint8Array(2);
    return this.bus.read(0, address, into, 2).kind === "ok"
      ? (into[0] ?? 0) | ((into[1] ?? 0) << 8)
      : undefined;
  }

  /** Boot address from BOOT_ADD0 (BOOT0 low), unit 64 KiB. Read behind the protections: the core is no debugger. */
  #bootVector(): { readonly msp: number; readonly pc: number } | undefined {
    const base = (this.flash.options.current().boot7 & 0xffff) * 0x10000;
    const flashOffset = base - 0x08000000;
    if (flashOffset >= 0 && flashOffset + 8 <= this.flashBytes.length) {
      const place = this.flash.physical(flashOffset);
      const [msp = 0, pc = 0] = toWords(this.flashBytes.slice(place, place + 8));
      return { msp, pc };
    }
    const into = new Uint8Array(8);
    if (this.bus.read(0, base, into, 4).kind !== "ok") return undefined;
    const [msp = 0, pc = 0] = toWords(into);
    return { msp, pc };
  }
}

function writeUid(store: ChipStore, uid: Uint8Array): void {
  const [uid0 = 0, uid1 = 0, uid2 = 0] = toWords(uid);
  store.set("uid0", uid0);
  store.set("uid1", uid1);
  store.set("uid2", uid2);
}

/** What RAM holds after power-on: nothing one may rely on, and the same in every run. */
function noise(seed: number, sizeBytes: number): Uint8Array {
  const words = new Uint32Array(sizeBytes / 4);
  let state = (seed ^ 0x9e3779b9) >>> 0;
  for (let i = 0; i < words.length; i++) {
    // xorshift32 (Marsaglia 2003)
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}
