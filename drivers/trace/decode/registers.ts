/** A bit of a register, by name. */
export type Bits = readonly (readonly [bit: number, name: string])[];

/** A register with a name; `bits` only where they tell what happens. */
export interface NamedRegister {
  readonly name: string;
  readonly bits?: Bits;
}

const ctrlStatBits: Bits = [
  [31, "CSYSPWRUPACK"],
  [30, "CSYSPWRUPREQ"],
  [29, "CDBGPWRUPACK"],
  [28, "CDBGPWRUPREQ"],
  [7, "WDATAERR"],
  [5, "STICKYERR"],
  [4, "STICKYCMP"],
  [1, "STICKYORUN"],
];
const abortBits: Bits = [
  [4, "ORUNERRCLR"],
  [3, "WDERRCLR"],
  [2, "STKERRCLR"],
  [1, "STKCMPCLR"],
  [0, "DAPABORT"],
];
const dhcsrBits: Bits = [
  [26, "S_RESTART_ST"],
  [25, "S_RESET_ST"],
  [24, "S_RETIRE_ST"],
  [20, "S_SDE"],
  [19, "S_LOCKUP"],
  [18, "S_SLEEP"],
  [17, "S_HALT"],
  [16, "S_REGRDY"],
  [3, "C_MASKINTS"],
  [2, "C_STEP"],
  [1, "C_HALT"],
  [0, "C_DEBUGEN"],
];
/** Bits 31:16 are a key on writing. */
const dhcsrWriteBits: Bits = dhcsrBits.filter(([bit]) => bit < 16);
const demcrBits: Bits = [
  [24, "TRCENA"],
  [10, "VC_HARDERR"],
  [0, "VC_CORERESET"],
];
const aircrBits: Bits = [
  [2, "SYSRESETREQ"],
  [0, "VECTRESET"],
];

/** Debug port registers by `bank << 4 | A[3:0]` (Arm IHI 0031, ADIv5.2, B2.2); some differ between read and write. */
const dpRead: Readonly<Record<number, NamedRegister>> = {
  0: { name: "DPIDR" },
  4: { name: "CTRL/STAT", bits: ctrlStatBits },
  8: { name: "RESEND" },
  12: { name: "RDBUFF" },
  20: { name: "DLCR" },
  36: { name: "TARGETID" },
  52: { name: "DLPIDR" },
  68: { name: "EVENTSTAT" },
};
const dpWrite: Readonly<Record<number, NamedRegister>> = {
  0: { name: "ABORT", bits: abortBits },
  4: { name: "CTRL/STAT", bits: ctrlStatBits },
  8: { name: "SELECT" },
  12: { name: "TARGETSEL" },
  20: { name: "DLCR" },
};

/** MEM-AP registers (Arm IHI 0031, C2.6). */
const memAp: Readonly<Record<number, NamedRegister>> = {
  0: { name: "CSW" },
  4: { name: "TAR" },
  8: { name: "TAR[63:32]" },
  12: { name: "DRW" },
  16: { name: "BD0" },
  20: { name: "BD1" },
  24: { name: "BD2" },
  28: { name: "BD3" },
  240: { name: "BASE[63:32]" },
  244: { name: "CFG" },
  248: { name: "BASE" },
  252: { name: "IDR" },
};

/**
 * Registers of every Cortex-M (Arm DDI 0403 B3.2, C1.6 and DDI 0553 D1) and the places of ST's DBGMCU_IDCODE
 * (reference manuals, chapter "Debug support").
 */
const memoryMap: ReadonlyMap<number, NamedRegister> = new Map<number, NamedRegister>([
  [0xe000_0e00, { name: "ITM_TER0" }],
  [0xe000_0e80, { name: "ITM_TCR" }],
  [0xe000_1000, { name: "DWT_CTRL" }],
  [0xe000_1004, { name: "DWT_CYCCNT" }],
  [0xe000_2000, { name: "FP_CTRL" }],
  [0xe000_2004, { name: "FP_REMAP" }],
  [0xe000_2008, { name: "FP_COMP0" }],
  [0xe000_e010, { name: "SYST_CSR" }],
  [0xe000_ed00, { name: "CPUID" }],
  [0xe000_ed04, { name: "ICSR" }],
  [0xe000_ed08, { name: "VTOR" }],
  [0xe000_ed0c, { name: "AIRCR", bits: aircrBits }],
  [0xe000_ed10, { name: "SCR" }],
  [0xe000_ed14, { name: "CCR" }],
  [0xe000_ed24, { name: "SHCSR" }],
  [0xe000_ed28, { name: "CFSR" }],
  [0xe000_ed2c, { name: "HFSR" }],
  [0xe000_ed30, { name: "DFSR" }],
  [0xe000_ed34, { name: "MMFAR" }],
  [0xe000_ed38, { name: "BFAR" }],
  [0xe000_ed88, { name: "CPACR" }],
  [0xe000_edf0, { name: "DHCSR", bits: dhcsrBits }],
  [0xe000_edf4, { name: "DCRSR" }],
  [0xe000_edf8, { name: "DCRDR" }],
  [0xe000_edfc, { name: "DEMCR", bits: demcrBits }],
  [0xe000_ee04, { name: "DAUTHCTRL" }],
  [0xe000_ee08, { name: "DSCSR" }],
  [0xe004_2000, { name: "DBGMCU_IDCODE" }],
  [0xe004_2004, { name: "DBGMCU_CR" }],
  [0xe004_4000, { name: "DBGMCU_IDCODE" }],
  [0xe004_4004, { name: "DBGMCU_CR" }],
  [0x5c00_1000, { name: "DBGMCU_IDCODE" }],
  [0x5c00_1004, { name: "DBGMCU_CR" }],
  [0x4001_5800, { name: "DBGMCU_IDCODE" }],
]);

/** Core registers by DCRSR.REGSEL, which READREG and WRITEREG use too. */
const coreNames: Readonly<Record<number, string>> = {
  13: "SP",
  14: "LR",
  15: "PC",
  16: "xPSR",
  17: "MSP",
  18: "PSP",
  20: "CONTROL/FAULTMASK/BASEPRI/PRIMASK",
};

/** A debug port register; its number when it has no name. */
export function dpRegister(register: number, writes: boolean): NamedRegister {
  const named = (writes ? dpWrite : dpRead)[register];
  return named ?? { name: `register 0x${register.toString(16)}` };
}

/** A MEM-AP register; its number when it has no name. */
export function apRegister(register: number): NamedRegister {
  return memAp[register] ?? { name: `register 0x${register.toString(16)}` };
}

/** The register at a memory address, where it has a name. */
export function memoryRegister(address: number, writes: boolean): NamedRegister | undefined {
  const named = memoryMap.get(address);
  return writes && named?.bits === dhcsrBits ? { name: named.name, bits: dhcsrWriteBits } : named;
}

/** A core register's name. */
export function coreRegisterName(register: number): string {
  return coreNames[register] ?? (register < 13 ? `R${register}` : `register ${register}`);
}

/** Names of the bits of `value` that are set, in braces of their own; "" for a register without named bits. */
export function bitNames(register: NamedRegister, value: number): string {
  const set = (register.bits ?? []).filter(([bit]) => ((value >>> bit) & 1) === 1).map(([, name]) => name);
  return set.length === 0 ? "" : ` (${set.join(" ")})`;
}
