import type { OptionWords } from "../models/flash-model.ts";
import type { BusOutcome } from "./bus.ts";
import type { FlashCells } from "./flash-cells.ts";

/** One transaction as the bus hands it to a slave. */
export interface Access {
  /** True for a secure transaction (TrustZone on and secure alias). */
  readonly secure: boolean;
}

/** How far the life cycle lets a debugger in. */
export interface Protection {
  /** TrustZone is on: secure aliases exist. */
  readonly trustZone: boolean;
  /** Secure debug (SPIDEN). */
  readonly secureDebug: boolean;
  /** The debug port is dead. */
  readonly portClosed: boolean;
  /** Only windows and access ports marked as always open answer. */
  readonly memoryClosed: boolean;
  /** Secure flash, or all of it, is closed to the debugger although the port answers: it sees the core only non-secure. */
  readonly needsNonSecureCore: boolean;
  /** The core may no longer fetch from flash while a debugger is there (RDP above 0). */
  readonly stopsFetches: boolean;
}

/** Nothing is closed and there is no TrustZone. */
export const open: Protection = {
  trustZone: false,
  secureDebug: false,
  portClosed: false,
  memoryClosed: false,
  needsNonSecureCore: false,
  stopsFetches: false,
};

/** Where the core starts: a vector table, or code of ST in system memory, which idles there until it is asked. */
export type BootPlace =
  | { readonly kind: "vectors"; readonly address: number; readonly secure?: boolean }
  | { readonly kind: "bootloader"; readonly address: number };

/** What the install service asks of a flash controller of any kind. Offsets are from the start of user flash. */
export interface InstallPort {
  /** Erased, and in sectors that no protection covers. */
  isWritable(offset: number, sizeBytes: number): boolean;
  /** Programs one unit. */
  program(offset: number, data: Uint8Array): void;
  bytes(offset: number, sizeBytes: number): Uint8Array;
  eraseSectorOf(offset: number): void;
  /**
   * Puts option words into force, or into memory for the next loading; words that are not named stay. Returns false
   * when they contradict each other or what is.
   */
  setOptions(words: OptionWords): boolean;
  /** The option bytes let an install begin. */
  ready(): boolean;
}

/** A flash controller of any kind, with the option bytes and what they protect. */
export interface FlashPart {
  readonly cells: FlashCells;
  readonly install: InstallPort;
  /** The supply is back: option bytes are loaded, and what only power takes away is gone. */
  powerOn(): void;
  /** State after a system reset. */
  reset(): void;
  /** A word of a key has come through the debug authentication register. */
  takeKey(value: number): void;
  /** A reset or loss of power in the middle of a job. */
  interrupt(): void;
  /** Ends whatever has run its time. @param all true: ends everything, because nobody looked for long. */
  settle(all?: boolean): void;
  /** The factory's option words; called once on a new chip. */
  makeFactoryNew(): void;
  /** Option words are read from flash again: power-on, or what the family has for it. */
  loadOptions(): void;
  /** The option words in force. */
  options(): OptionWords;
  protection(): Protection;
  bootPlace(): BootPlace;
  /** @param offset from the start of user flash */
  read(access: Access, address: number, offset: number, into: Uint8Array): BusOutcome;
  write(access: Access, address: number, offset: number, data: Uint8Array): BusOutcome;
  /** The core looks behind the protections; undefined outside the array. */
  peek(offset: number, sizeBytes: number): Uint8Array | undefined;
  /** A register as the bus sees it; reserved places read 0. @param offset from the controller's base */
  readRegister(access: Access, offset: number): number;
  writeRegister(access: Access, offset: number, value: number): BusOutcome;
}

/** What a flash controller needs of the chip around it. */
export interface FlashHost {
  /** Modelled time in milliseconds. */
  now(): number;
  /** Protection has changed while the core runs. */
  optionsChanged(): void;
  /** OBL_LAUNCH: the chip is reset and loads its option bytes. */
  launchOptions(): void;
  /** Memories that go with the flash when a regression erases it. */
  clearBackup(): void;
}
