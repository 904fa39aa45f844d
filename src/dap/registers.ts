/**
 * Debug port registers (Arm IHI 0031, ADIv5.2, B2.2), as `bank << 4 | A[3:0]`.
 */
export const dp = {
  /** Read: DPIDR, B2.2.5. */
  DPIDR: 0x00,
  /** Write: ABORT, B2.2.1. */
  ABORT: 0x00,
  /** CTRL/STAT, B2.2.2. */
  CTRL_STAT: 0x04,
} as const;

/** ABORT bits 4:1: clears STKCMP, STKERR, WDERR and ORUNERR (B2.2.1). */
export const abortClearErrors = 0x1e;

/** CTRL/STAT bits (B2.2.2). */
export const ctrlStat = {
  CDBGPWRUPREQ: 0x1000_0000,
  CDBGPWRUPACK: 0x2000_0000,
  CSYSPWRUPREQ: 0x4000_0000,
  CSYSPWRUPACK: 0x8000_0000,
} as const;

/** MEM-AP registers (Arm IHI 0031, C2.6), bank included. */
export const memAp = { CSW: 0x00, TAR: 0x04, DRW: 0x0c, CFG: 0xf4, BASE: 0xf8, IDR: 0xfc } as const;

/** The highest access port an ST-LINK reaches (OpenOCD stlink_usb.c: 8 from V2J32 on). */
export const lastAp = 8;

/** Core debug registers and their bits (Armv7-M, DDI 0403, C1.6). */
export const core = {
  /** CPUID base register, B3.2.3. */
  CPUID: 0xe000_ed00,
  /** Application interrupt and reset control, B3.2.6. */
  AIRCR: 0xe000_ed0c,
  /** Debug halting control and status, C1.6.2. */
  DHCSR: 0xe000_edf0,
  /** Debug core register selector, C1.6.3. */
  DCRSR: 0xe000_edf4,
  /** Debug core register data, C1.6.4. */
  DCRDR: 0xe000_edf8,
  /** Debug exception and monitor control, C1.6.5. */
  DEMCR: 0xe000_edfc,
} as const;

export const dhcsr = {
  DBGKEY: 0xa05f_0000,
  C_DEBUGEN: 1 << 0,
  C_HALT: 1 << 1,
  /** Interrupts stay pending; may change only while the core is halted. */
  C_MASKINTS: 1 << 3,
  S_REGRDY: 1 << 16,
  S_HALT: 1 << 17,
  S_LOCKUP: 1 << 19,
  /** Sticky: the core was reset since the last read. */
  S_RESET_ST: 1 << 25,
} as const;

/** DHCSR values that halt the core and let it run, debug staying on. */
export const dhcsrHalt = (dhcsr.DBGKEY | dhcsr.C_HALT | dhcsr.C_DEBUGEN) >>> 0;
export const dhcsrRun = (dhcsr.DBGKEY | dhcsr.C_DEBUGEN) >>> 0;

/** DCRSR bit 16 (REGWnR): write the register instead of reading it. */
export const dcrsrWrite = 1 << 16;

export const demcr = { VC_CORERESET: 1 << 0, TRCENA: 1 << 24 } as const;

/** AIRCR with VECTKEY and SYSRESETREQ. */
export const aircrSystemReset = 0x05fa_0004;

/** DCRSR.REGSEL numbers. */
export const coreRegister = { R0: 0, SP: 13, LR: 14, PC: 15, xPSR: 16 } as const;

/** The Thumb state bit of xPSR; nothing else set. */
export const xpsrThumb = 0x0100_0000;

/** Two BKPT #0 instructions. */
export const breakpointWord = 0xbe00_be00;
