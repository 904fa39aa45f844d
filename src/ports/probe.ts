import type { ProbeAttachment } from "./bulk.ts";

/** Reset line of the target. */
export type NrstLevel = "low" | "high";

/** What a probe says about itself once it is open. */
export interface ProbeIdentity extends ProbeAttachment {
  /** Hardware name, e.g. "ST-LINK/V2-1" or "STLINK-V3". */
  readonly product: string;
  /** Firmware as users know it, e.g. "V2J45M31" or "V3J15M6B5S1". */
  readonly firmware: string;
  /** False for virtual and replayed probes: nothing done through them touches silicon. */
  readonly real: boolean;
}

/** An open debug probe. All methods throw StationErrors. */
export interface Probe {
  readonly identity: ProbeIdentity;
  /** Target voltage in millivolts; undefined when the probe cannot tell. */
  readTargetMillivolts(): Promise<number | undefined>;
  /** Set the SWD clock to the highest rate not above `kilohertz`; returns the rate the probe reports. */
  setClock(kilohertz: number): Promise<number>;
  /** Drive NRST and leave it so. */
  setNrst(level: NrstLevel): Promise<void>;
  /**
   * Leave debug mode if in it, then enter SWD. Closes every access port and releases NRST unless `keepNrst`.
   * @throws TARGET_NO_ANSWER when nothing answers on the wire.
   */
  enterSwd(options?: { readonly keepNrst?: boolean }): Promise<DebugPort>;
  /** Leave debug mode (releases NRST) and close the connection. Safe to call twice. */
  close(): Promise<void>;
}

/** ADIv5 register access through the probe. Register numbers are byte offsets: DP `bank << 4 | A[3:0]`, AP bank included. */
export interface DebugPort {
  readDp(register: number): Promise<number>;
  writeDp(register: number, value: number): Promise<void>;
  /** Open an access port; needed before any access to it, after every enterSwd. */
  openAp(ap: number): Promise<void>;
  closeAp(ap: number): Promise<void>;
  readAp(ap: number, register: number): Promise<number>;
  writeAp(ap: number, register: number, value: number): Promise<void>;
  /**
   * Memory through a MEM-AP.
   * @param csw CSW[31:8] attributes to use (e.g. 0x43000000 non-secure); undefined leaves the probe's default.
   */
  memory(ap: number, csw?: number): Memory;
}

/** One access of a batch. */
export type MemoryOperation =
  | { readonly kind: "read"; readonly address: number }
  | { readonly kind: "write"; readonly address: number; readonly value: number };

/**
 * A target's memory. Addresses are 32-bit; any alignment and length is taken, and never more is touched than asked for.
 * A refused access throws TARGET_FAULT with the address; the access port is usable again afterwards.
 */
export interface Memory {
  read(address: number, sizeBytes: number): Promise<Uint8Array>;
  write(address: number, data: Uint8Array): Promise<void>;
  /** One aligned 32-bit word, by the cheapest single command. */
  readWord(address: number): Promise<number>;
  writeWord(address: number, value: number): Promise<void>;
  /** One aligned 16-bit access. */
  readHalfword(address: number): Promise<number>;
  writeHalfword(address: number, value: number): Promise<void>;
  /** Word accesses in order, in as few transfers as the probe can. Returns one value for each read. */
  batch(operations: readonly MemoryOperation[]): Promise<number[]>;
}
