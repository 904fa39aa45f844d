import { fromWords, toWords } from "../../../src/bytes/bytes.ts";
import type { ChipModel, MemoryRegion, RegionAlias, RegisterWindow } from "../models/model.ts";
import type { ChipStore } from "../store.ts";
import { type AccessWidth, type BusGate, type BusMaster, type BusOutcome, busFault, done } from "./bus.ts";
import type { Core } from "./core.ts";
import type { Access, FlashPart } from "./flash-part.ts";
import { readPeripheral, writePeripheral } from "./peripherals.ts";
import type { Rom } from "./rom.ts";

/** The parts of a chip that a debugger reaches over its access ports. */
export interface BusParts {
  readonly store: ChipStore;
  readonly model: ChipModel;
  readonly flash: FlashPart;
  readonly core: Core;
  readonly rom: Rom;
  gate(): BusGate;
  /** A register that takes keys of a debug authentication was written. */
  takeKey(value: number): void;
}

/** The buses behind the access ports of a chip, decoded by the data of its model. */
export class TargetBus {
  readonly #parts: BusParts;

  constructor(parts: BusParts) {
    this.#parts = parts;
  }

  /** Reads `into.length` bytes in units of `width` from `address`. On a fault the rest of `into` stays as it was. */
  read(master: BusMaster, address: number, into: Uint8Array, width: AccessWidth): BusOutcome {
    for (let at = 0; at < into.length; ) {
      const { outcome, size } = this.#readStretch(master, (address + at) >>> 0, into.subarray(at), width);
      if (outcome.kind !== "ok") return outcome;
      at += size;
    }
    return done;
  }

  /** Writes bytes in units of `width`. What lies before a refused unit has been written. */
  write(master: BusMaster, address: number, data: Uint8Array, width: AccessWidth): BusOutcome {
    let stallMs = 0;
    for (let at = 0; at < data.length; ) {
      const { outcome, size } = this.#writeStretch(master, (address + at) >>> 0, data.subarray(at), width);
      if (outcome.kind !== "ok") return outcome;
      stallMs += outcome.stallMs;
      at += size;
    }
    return { kind: "ok", stallMs };
  }

  #readStretch(master: BusMaster, address: number, into: Uint8Array, width: AccessWidth): Stretch {
    const gate = this.#parts.gate();
    const place = this.#memoryAt(master, gate, address, into.length);
    if (place?.access !== undefined)
      return this.#readMemory({ ...place, access: place.access }, address, into, gate);
    if (!this.#parts.core.heldInReset && !gate.memoryClosed) {
      const constant = this.#parts.rom.read(master.ap, address, width);
      if (constant !== undefined) {
        into.set(constant);
        return { outcome: done, size: width };
      }
    }
    const word = place === undefined ? this.#readRegister(master, gate, address - (address % 4)) : undefined;
    if (word === undefined) return { outcome: busFault(address), size: width };
    into.set(fromWords([word]).subarray(address % 4, (address % 4) + width));
    return { outcome: done, size: width };
  }

  #readMemory(place: Reached, address: number, into: Uint8Array, gate: BusGate): Stretch {
    const part = into.subarray(0, place.size);
    const { region, offset, size, access } = place;
    if (region.kind === "flash") {
      return { outcome: this.#parts.flash.read(access, address, offset, part), size };
    }
    // A block that is not the transaction's reads as zero (GTZC MPCBB).
    if (isForeign(gate, access)) part.fill(0);
    else part.set(this.#parts.store.region(region.name).subarray(offset, offset + size));
    return { outcome: done, size };
  }

  #writeStretch(master: BusMaster, address: number, data: Uint8Array, width: AccessWidth): Stretch {
    const gate = this.#parts.gate();
    const place = this.#memoryAt(master, gate, address, data.length);
    if (place !== undefined) {
      const { region, alias, offset, size, access } = place;
      if (access === undefined || alias.readOnly) return { outcome: busFault(address), size };
      const part = data.subarray(0, size);
      if (region.kind === "flash") {
        return { outcome: this.#parts.flash.write(access, address, offset, part), size };
      }
      if (!isForeign(gate, access)) this.#parts.store.write(region.name, offset, part);
      return { outcome: done, size };
    }
    const value = width === 4 ? toWords(data.subarray(0, 4))[0] : undefined;
    const outcome =
      value === undefined ? busFault(address) : this.#writeRegister(master, gate, address, value);
    return { outcome, size: width };
  }

  /** The memory at an address; without `access` when this transaction may not go there. Undefined: no memory. */
  #memoryAt(master: BusMaster, gate: BusGate, address: number, sizeBytes: number): Place | undefined {
    if (this.#parts.core.heldInReset) return undefined;
    for (const region of this.#parts.model.regions) {
      if (!region.accessPorts.includes(master.ap)) continue;
      const aliases: readonly RegionAlias[] = [{ base: region.base }, ...(region.aliases ?? [])];
      for (const alias of aliases) {
        const offset = address - alias.base;
        if (offset < 0 || offset >= region.sizeBytes) continue;
        const access = gate.memoryClosed ? undefined : attribution(master, gate, alias.secure === true);
        return {
          region,
          alias,
          offset,
          size: Math.min(sizeBytes, region.sizeBytes - offset),
          access,
        };
      }
    }
    return undefined;
  }

  #window(master: BusMaster, gate: BusGate, address: number): Registers | undefined {
    const { model, core } = this.#parts;
    const window = model.windows.find(
      ({ base, sizeBytes, accessPorts }) =>
        accessPorts.includes(master.ap) && address >= base && address < base + sizeBytes,
    );
    if (window === undefined || (core.heldInReset && !window.underReset)) return undefined;
    if (gate.memoryClosed && !window.alwaysOpen) return undefined;
    const access = attribution(master, gate, window.secure === true);
    return access && { window, at: address - window.base + (window.mirrorOf ?? window.base), access };
  }

  #readRegister(master: BusMaster, gate: BusGate, address: number): number | undefined {
    const { store, model, flash, core } = this.#parts;
    const found = this.#window(master, gate, address);
    if (found === undefined) return undefined;
    const { window, at, access } = found;
    if (window.kind === "core") return core.read(at);
    if (window.kind === "flash") return flash.readRegister(access, at - (window.mirrorOf ?? window.base));
    return readPeripheral(store, model, at);
  }

  #writeRegister(master: BusMaster, gate: BusGate, address: number, value: number): BusOutcome {
    const { store, model, flash, core } = this.#parts;
    const found = this.#window(master, gate, address);
    if (found === undefined) return busFault(address);
    const { window, at, access } = found;
    if (window.kind === "flash")
      return flash.writeRegister(access, at - (window.mirrorOf ?? window.base), value);
    if (window.kind === "core") {
      core.write(at, value);
      return done;
    }
    if (!writePeripheral(store, model, at, value)) return busFault(address);
    if (model.registers.some((register) => register.takesKeys && register.address === at)) {
      this.#parts.takeKey(value);
    }
    return done;
  }
}

/**
 * Security of a transaction, undefined when it is refused: a secure alias takes secure transactions only; through any
 * other address a transaction is non-secure, whatever it was asked to be (IDAU). A secure transaction without secure
 * debug fails (Arm AHB5-AP).
 */
function attribution(master: BusMaster, gate: BusGate, secureAlias: boolean): Access | undefined {
  if (!gate.trustZone) return secureAlias ? undefined : { secure: false };
  if (master.nonSecure === false && !gate.secureDebug) return undefined;
  const secure = master.nonSecure === undefined ? gate.secureDebug : !master.nonSecure;
  return secureAlias && !secure ? undefined : { secure: secureAlias };
}

function isForeign(gate: BusGate, access: Access): boolean {
  return gate.trustZone && !gate.ramOpen && !access.secure;
}

interface Place {
  readonly region: MemoryRegion;
  readonly alias: RegionAlias;
  readonly offset: number;
  readonly size: number;
  readonly access: Access | undefined;
}

interface Reached extends Place {
  readonly access: Access;
}

interface Registers {
  readonly window: RegisterWindow;
  /** Address as the kind of the window knows it. */
  readonly at: number;
  readonly access: Access;
}

interface Stretch {
  readonly outcome: BusOutcome;
  readonly size: number;
}
