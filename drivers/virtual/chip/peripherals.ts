import type { ChipModel } from "../chips.ts";
import type { ChipStore } from "../store.ts";

/** RCC_APB4ENR and in it the clock of SYSCFG. */
const apb4enr = 0x580244f4;
const syscfgEnable = 1 << 1;
/** SYSCFG_PKGR [3:0]: TFBGA240. */
const packageRegister = 0x58000524;
const packageCode = 0x8;
/** Undocumented SYSCFG word that ST's device data base tests: bit 0 is 0 on parts with the security extension. */
const securityExtension = 0x58000528;
const dbgmcuIdc = 0x5c001000;
const dbgmcuCr = 0x5c001004;

/** Blocks whose other registers read 0 and take writes without effect. */
const quietBlocks = [
  { base: 0x58000400, sizeBytes: 0x400 }, // SYSCFG
  { base: 0x58024400, sizeBytes: 0x400 }, // RCC
  { base: 0x58024800, sizeBytes: 0x400 }, // PWR
  { base: 0x5c001000, sizeBytes: 0x400 }, // DBGMCU
  { base: 0x5c003000, sizeBytes: 0x2000 }, // SWO and its trace funnel SWTF (RM0433 60.5)
] as const;

/** A word of the peripherals a debugger looks at; undefined where nothing answers. */
export function readPeripheral(store: ChipStore, model: ChipModel, address: number): number | undefined {
  // A peripheral without clock reads 0.
  const syscfgOn = (store.get("apb4enr") & syscfgEnable) !== 0;
  if (address === packageRegister) return syscfgOn ? packageCode : 0;
  if (address === securityExtension) return syscfgOn && !model.security ? 1 : 0;
  if (address === apb4enr) return store.get("apb4enr");
  if (address === dbgmcuIdc) return model.idcode;
  if (address === dbgmcuCr) return store.get("dbgmcuCr");
  return isQuiet(address) ? 0 : undefined;
}

/** Writes a word of the peripherals. Returns false where nothing answers. */
export function writePeripheral(store: ChipStore, address: number, value: number): boolean {
  if (address === apb4enr) store.set("apb4enr", value);
  else if (address === dbgmcuCr) store.set("dbgmcuCr", value);
  return isQuiet(address);
}

function isQuiet(address: number): boolean {
  return quietBlocks.some(({ base, sizeBytes }) => address >= base && address < base + sizeBytes);
}
