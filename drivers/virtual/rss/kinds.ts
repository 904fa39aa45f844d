import type { FlashPart } from "../chip/flash-part.ts";
import type { Rom } from "../chip/rom.ts";
import type { OptionWords } from "../models/flash-model.ts";
import type { ChipModel } from "../models/model.ts";
import type { LoadedRss, RomRss } from "../models/rss-model.ts";
import type { ChipStore } from "../store.ts";
import type { ResultWords } from "./contract.ts";
import { loadedInstall } from "./loaded.ts";
import { romInstall } from "./rom-rss.ts";
import { type CallableServices, noServices } from "./services.ts";

/** How an install service is asked, and how it answers. */
export interface InstallKind {
  readonly service: RomRss | LoadedRss;
  readonly words: ResultWords;
  /** Version, 0x00JJNNPP. */
  version(): number;
  /** True when a reset now starts an install; a request is taken away by asking. */
  takeRequest(): boolean;
  /** The service starts. */
  begin(): void;
  /** False for option words that contradict each other. */
  allowsOptions(words: OptionWords): boolean;
  /** A part was refused. */
  refused(): void;
}

/** What the install service and its calls need of the chip around them. */
export interface ServiceHost {
  certificate(): Uint8Array;
  /** Writes into RAM; false where there is none. */
  writeRam(address: number, data: Uint8Array): boolean;
  /** A stretch of RAM as it is; empty where there is none. */
  readRam(address: number, sizeBytes: number): Uint8Array;
}

/** What an install service is made of. */
export interface ServiceParts extends ServiceHost {
  readonly store: ChipStore;
  readonly flash: FlashPart;
  readonly rom: Rom;
}

/** The install service of a model and the routines a debugger may call. */
export interface InstallService {
  readonly kind: InstallKind | undefined;
  readonly services: CallableServices;
}

/** Puts the install service of a model together. */
export function installServiceOf(
  model: ChipModel,
  store: ChipStore,
  flash: FlashPart,
  rom: Rom,
  host: ServiceHost,
): InstallService {
  const parts = { ...host, store, flash, rom };
  switch (model.rss.kind) {
    case "none":
      return { kind: undefined, services: noServices };
    case "rom":
      return romInstall(model.rss, parts);
    case "rsse":
      return loadedInstall(model.rss, parts);
  }
}
