import type { WordName } from "../store-layout.ts";

/** One MEM-AP: what never changes. */
export interface AccessPortModel {
  readonly number: number;
  readonly idr: number;
  readonly base: number;
  /** AHB5-AP: CSW has HNONSEC and SPIDEN. */
  readonly trustZone?: boolean;
  /** The port is there only while this word has one of these bits. */
  readonly enabledBy?: { readonly word: WordName; readonly mask: number };
}

/** The debug port and what hangs on it. */
export interface DebugPortModel {
  readonly dpidr: number;
  readonly targetId: number;
  readonly accessPorts: readonly AccessPortModel[];
  /** Number of the access port in front of the core. */
  readonly coreAp: number;
}

/** The core as a debugger sees it. */
export interface CoreModel {
  readonly cpuid: number;
  /** Armv8-M with Security Extension: DSCSR, DAUTHSTATUS, banked stack pointers. */
  readonly trustZone: boolean;
  /** FP_CTRL without ENABLE: revision and number of comparators. */
  readonly fpCtrl: number;
  /** Read-only words of the private peripheral bus. */
  readonly constants: ReadonlyMap<number, number>;
}
