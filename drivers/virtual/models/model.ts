import type { WordName } from "../store-layout.ts";
import type { CoreModel, DebugPortModel } from "./debug-model.ts";
import type { FlashModel, OptionWord } from "./flash-model.ts";
import type { RssModel } from "./rss-model.ts";

/** A second address of a memory. */
export interface RegionAlias {
  readonly base: number;
  /** TrustZone: the secure alias, which answers secure transactions only. */
  readonly secure?: boolean;
  readonly readOnly?: boolean;
}

/** One memory of a virtual chip that keeps its content in the store. */
export interface MemoryRegion {
  readonly name: string;
  readonly base: number;
  readonly sizeBytes: number;
  /** volatile: lost without power; flash: behind the flash controller. */
  readonly kind: "volatile" | "flash";
  /** Access ports (numbers) that reach it. */
  readonly accessPorts: readonly number[];
  readonly aliases?: readonly RegionAlias[];
}

/** A stretch of addresses that is no memory: registers of some kind. The first that fits is taken. */
export interface RegisterWindow {
  readonly base: number;
  readonly sizeBytes: number;
  readonly accessPorts: readonly number[];
  readonly kind: "flash" | "core" | "peripherals";
  /** Address under which the kind knows the first register; `base` when absent. */
  readonly mirrorOf?: number;
  /** TrustZone: the secure alias. */
  readonly secure?: boolean;
  /** Answers while NRST is low. */
  readonly underReset?: boolean;
  /** Answers when the life cycle has closed everything else behind the port. */
  readonly alwaysOpen?: boolean;
}

/** What stands in read-only memory: bytes, or something of this very chip. */
export interface RomItem {
  readonly address: number;
  readonly content: Uint8Array | "uid" | "flash-size";
}

/** A read-only memory; what no item fills reads as erased. */
export interface RomBlock {
  readonly base: number;
  readonly sizeBytes: number;
  readonly accessPorts: readonly number[];
}

/** One peripheral register that is more than a place that reads 0. */
export interface PeripheralRegister {
  readonly address: number;
  /** Value it reads, or the word of the store that holds it. */
  readonly value: number | WordName;
  /** Without this clock it reads 0. */
  readonly clock?: { readonly word: WordName; readonly mask: number };
  /** Keys of a debug authentication go in here. */
  readonly takesKeys?: boolean;
}

/** Everything that makes one virtual chip different from another. */
export interface ChipModel {
  readonly name: string;
  /** DBGMCU_IDC[11:0]. */
  readonly deviceId: number;
  /** First eight characters of the chip certificate; "" when it has none. */
  readonly productId: string;
  readonly flashSizeKib: number;
  /** Reset domain of `backup` and what else a regression clears besides flash. */
  readonly clearedByRegression: readonly string[];
  readonly core: CoreModel;
  readonly debugPort: DebugPortModel;
  readonly regions: readonly MemoryRegion[];
  readonly windows: readonly RegisterWindow[];
  readonly rom: readonly RomBlock[];
  readonly romItems: readonly RomItem[];
  readonly registers: readonly PeripheralRegister[];
  /** Blocks whose other registers read 0 and take writes without effect. */
  readonly quietBlocks: readonly { readonly base: number; readonly sizeBytes: number }[];
  readonly flash: FlashModel;
  readonly options: readonly OptionWord[];
  readonly rss: RssModel;
  /** The 96-bit unique id used when none is given. */
  readonly defaultUid: Uint8Array;
}
