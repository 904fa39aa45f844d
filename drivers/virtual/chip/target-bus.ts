import { fromWords, toWords } from "../../../src/bytes/bytes.ts";
import type { ChipModel, MemoryRegion } from "../chips.ts";
import type { ChipStore } from "../store.ts";
import { type AccessWidth, type BusOutcome, busFault, done } from "./bus.ts";
import type { Core } from "./core.ts";
import type { FlashController } from "./flash.ts";
import { readPeripheral, writePeripheral } from "./peripherals.ts";
import { readSystemMemory } from "./system-memory.ts";

const flashRegisters = { base: 0x52002000, sizeBytes: 0x400 } as const;
const itcmAlias = 0x00200000;
const ppb = { base: 0xe0000000, end: 0xe0100000 } as const;
/** APB-D: DBGMCU, SWO and SWTF at 0xE00E1000 mirror 0x5C001000 and answer even while the core is held in reset. */
const apbDebug = { base: 0xe00e1000, sizeBytes: 0x4000, mirrorOf: 0x5c001000 } as const;

/** The parts of a chip that a debugger reaches over its access ports. */
export interface BusParts {
  readonly store: ChipStore;
  readonly model: ChipModel;
  readonly flash: FlashController;
  readonly core: Core;
  readonly systemMemory: Uint8Array;
}

/** The buses behind AP0 (everything the M7 sees), AP1 (D2 and D3 domains) and AP2 (debug APB). */
export class TargetBus {
  readonly #parts: BusParts;

  constructor(parts: BusParts) {
    this.#parts = parts;
  }

  /** Reads `into.length` bytes in units of `width` from `address`. On a fault the rest of `into` stays as it was. */
  read(ap: number, address: number, into: Uint8Array, width: AccessWidth): BusOutcome {
    for (let at = 0; at < into.length; ) {
      const { outcome, size } = this.#readStretch(ap, (address + at) >>> 0, into.subarray(at), width);
      if (outcome.kind !== "ok") return outcome;
      at += size;
    }
    return done;
  }

  /** Writes bytes in units of `width`. What lies before a refused unit has been written. */
  write(ap: number, address: number, data: Uint8Array, width: AccessWidth): BusOutcome {
    let stallMs = 0;
    for (let at = 0; at < data.length; ) {
      const { outcome, size } = this.#writeStretch(ap, (address + at) >>> 0, data.subarray(at), width);
      if (outcome.kind !== "ok") return outcome;
      stallMs += outcome.stallMs;
      at += size;
    }
    return { kind: "ok", stallMs };
  }

  #readStretch(ap: number, address: number, into: Uint8Array, width: AccessWidth): Stretch {
    if (!this.#parts.core.heldInReset) {
      const place = this.#memoryAt(ap, address, into.length);
      if (place !== undefined) {
        const part = into.subarray(0, place.size);
        if (place.region.kind === "flash") {
          return { outcome: this.#parts.flash.read(address, place.offset, part), size: place.size };
        }
        part.set(
          this.#parts.store.region(place.region.name).subarray(place.offset, place.offset + place.size),
        );
        return { outcome: done, size: place.size };
      }
      const system = ap === 0 ? readSystemMemory(this.#parts.systemMemory, address, width) : undefined;
      if (system !== undefined) {
        into.set(system);
        return { outcome: done, size: width };
      }
    }
    const word = this.#readRegister(ap, address - (address % 4));
    if (word === undefined) return { outcome: busFault(address), size: width };
    into.set(fromWords([word]).subarray(address % 4, (address % 4) + width));
    return { outcome: done, size: width };
  }

  #writeStretch(ap: number, address: number, data: Uint8Array, width: AccessWidth): Stretch {
    if (!this.#parts.core.heldInReset) {
      const place = this.#memoryAt(ap, address, data.length);
      if (place !== undefined) {
        const part = data.subarray(0, place.size);
        if (place.region.kind === "flash") {
          // Flash is written at its own address, not through the ITCM alias.
          const outcome = address < itcmAlias + place.region.sizeBytes ? busFault(address) : undefined;
          return {
            outcome: outcome ?? this.#parts.flash.write(address, place.offset, part),
            size: place.size,
          };
        }
        this.#parts.store.write(place.region.name, place.offset, part);
        return { outcome: done, size: place.size };
      }
    }
    const value = width === 4 ? toWords(data.subarray(0, 4))[0] : undefined;
    const taken = value !== undefined && this.#writeRegister(ap, address, value);
    return { outcome: taken ? done : busFault(address), size: width };
  }

  #memoryAt(ap: number, address: number, sizeBytes: number): Place | undefined {
    for (const region of this.#parts.model.regions) {
      if (!region.accessPorts.includes(ap)) continue;
      const bases = region.kind === "flash" ? [region.base, itcmAlias] : [region.base];
      for (const base of bases) {
        const offset = address - base;
        if (offset < 0 || offset >= region.sizeBytes) continue;
        return { region, offset, size: Math.min(sizeBytes, region.sizeBytes - offset) };
      }
    }
    return undefined;
  }

  #readRegister(ap: number, address: number): number | undefined {
    const { store, model, flash, core } = this.#parts;
    if (ap === 2) return readPeripheral(store, model, mirrored(address));
    if (ap === 0 && address >= ppb.base && address < ppb.end) return core.read(address);
    if (core.heldInReset) return undefined;
    if (ap === 0 && inBlock(address, flashRegisters))
      return flash.readRegister(address - flashRegisters.base);
    return ap <= 1 ? readPeripheral(store, model, address) : undefined;
  }

  #writeRegister(ap: number, address: number, value: number): boolean {
    const { store, flash, core } = this.#parts;
    if (ap === 2) return writePeripheral(store, mirrored(address), value);
    if (ap === 0 && address >= ppb.base && address < ppb.end) {
      core.write(address, value);
      return true;
    }
    if (core.heldInReset) return false;
    if (ap === 0 && inBlock(address, flashRegisters)) {
      flash.writeRegister(address - flashRegisters.base, value);
      return true;
    }
    return ap <= 1 && writePeripheral(store, address, value);
  }
}

interface Place {
  readonly region: MemoryRegion;
  readonly offset: number;
  readonly size: number;
}

interface Stretch {
  readonly outcome: BusOutcome;
  readonly size: number;
}

function inBlock(address: number, block: { readonly base: number; readonly sizeBytes: number }): boolean {
  return address >= block.base && address < block.base + block.sizeBytes;
}

/** Address behind AP2 as the core's bus knows it; 0 (where nothing answers) outside the block. */
function mirrored(address: number): number {
  return inBlock(address, apbDebug) ? address - apbDebug.base + apbDebug.mirrorOf : 0;
}
