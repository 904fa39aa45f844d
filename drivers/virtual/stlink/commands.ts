import type { Feature } from "./personalities.ts";

/** Opcodes of the debug group, F2 xx, that this probe knows. */
const debugOpcodes = {
  READMEM_32: 0x07,
  WRITEMEM_32: 0x08,
  READMEM_8: 0x0c,
  WRITEMEM_8: 0x0d,
  EXIT: 0x21,
  READCOREID: 0x22,
  ENTER: 0x30,
  READ_IDCODES: 0x31,
  RESETSYS: 0x32,
  READREG: 0x33,
  WRITEREG: 0x34,
  WRITEDEBUGREG: 0x35,
  READDEBUGREG: 0x36,
  READALLREGS: 0x3a,
  GETLASTRWSTATUS: 0x3b,
  DRIVE_NRST: 0x3c,
  GETLASTRWSTATUS2: 0x3e,
  SWD_SET_FREQ: 0x43,
  READ_DAP_REG: 0x45,
  WRITE_DAP_REG: 0x46,
  READMEM_16: 0x47,
  WRITEMEM_16: 0x48,
  INIT_AP: 0x4b,
  CLOSE_AP: 0x4c,
  WRITEMEM_32_NO_INC: 0x50,
  RW_MISC_OUT: 0x51,
  RW_MISC_IN: 0x52,
  RW_MISC_GET_MAX: 0x53,
  READMEM_32_NO_INC: 0x54,
  GET_BOARD_IDENTIFIERS: 0x56,
  SET_COM_FREQ: 0x61,
  GET_COM_FREQ: 0x62,
  SWITCH_STLINK_FREQ: 0x63,
} as const;
type DebugCommand = keyof typeof debugOpcodes;

/** Commands outside the debug group by their first byte. */
const topOpcodes = {
  GET_VERSION: 0xf1,
  DFU_EXIT: 0xf3,
  SWIM_EXIT: 0xf4,
  GET_CURRENT_MODE: 0xf5,
  GET_TARGET_VOLTAGE: 0xf7,
  GET_VERSION_EX: 0xfb,
} as const;

export type CommandName = DebugCommand | keyof typeof topOpcodes;

/** Names of all commands, for fault scripts. */
export const commandNames = [
  ...Object.keys(topOpcodes),
  ...Object.keys(debugOpcodes),
] as readonly CommandName[];

const nameOfDebugOpcode = new Map(
  Object.entries(debugOpcodes).map(([name, code]) => [code as number, name as DebugCommand]),
);
const nameOfTopOpcode = new Map(
  Object.entries(topOpcodes).map(([name, code]) => [code as number, name as keyof typeof topOpcodes]),
);

/** Which command a 16-byte block is; undefined for one this probe has never heard of. */
export function commandOf(block: Uint8Array): CommandName | undefined {
  const first = block[0] ?? 0;
  return first === 0xf2 ? nameOfDebugOpcode.get(block[1] ?? 0) : nameOfTopOpcode.get(first);
}

/** Firmware feature a command came with; absent: every firmware has it. */
export const featureOfCommand: Partial<Record<CommandName, Feature>> = {
  GETLASTRWSTATUS2: "lastStatus2",
  SWD_SET_FREQ: "swdSetFrequency",
  READ_DAP_REG: "dapRegisters",
  WRITE_DAP_REG: "dapRegisters",
  READMEM_16: "memory16",
  WRITEMEM_16: "memory16",
  WRITEMEM_32_NO_INC: "memory16",
  INIT_AP: "accessPortCommands",
  CLOSE_AP: "accessPortCommands",
  RW_MISC_OUT: "batch",
  RW_MISC_IN: "batch",
  RW_MISC_GET_MAX: "batch",
  READMEM_32_NO_INC: "batch",
  GET_BOARD_IDENTIFIERS: "boardIdentifiers",
  SET_COM_FREQ: "comFrequency",
  GET_COM_FREQ: "comFrequency",
  SWITCH_STLINK_FREQ: "comFrequency",
};

/** Debug commands that work outside debug mode: they concern the probe, or enter the mode. */
export const commandsWithoutTarget: ReadonlySet<CommandName> = new Set<CommandName>([
  "ENTER",
  "EXIT",
  "DRIVE_NRST",
  "SWD_SET_FREQ",
  "SET_COM_FREQ",
  "GET_COM_FREQ",
  "SWITCH_STLINK_FREQ",
  "GET_BOARD_IDENTIFIERS",
]);

/** Status bytes. */
export const status = {
  ok: 0x80,
  generalFault: 0x81,
  commandError: 0x08,
  noIdcode: 0x09,
  alignment: 0x0a,
  debugPower: 0x0b,
  apWait: 0x10,
  apFault: 0x11,
  dpError: 0x16,
  apParity: 0x13,
  badAp: 0x1d,
  configurationChanged: 0x40,
  unknownCommand: 0x42,
} as const;

/** What follows a command block: nothing, a reply, data from the host, or a refusal on the wire. */
export type Phase =
  | { readonly kind: "none" }
  | { readonly kind: "in"; readonly bytes: Uint8Array }
  | { readonly kind: "out"; readonly sizeBytes: number; readonly accept: (data: Uint8Array) => void }
  | { readonly kind: "stall" };
