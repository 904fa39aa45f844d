import { asciiBytes } from "../../src/bytes/bytes.ts";

/** One memory of a virtual chip that keeps its content in the store. */
export interface MemoryRegion {
  readonly name: string;
  readonly base: number;
  readonly sizeBytes: number;
  /** volatile: lost without power; flash: behind the flash controller. */
  readonly kind: "volatile" | "flash";
  /** Access ports (numbers) that reach it. */
  readonly accessPorts: readonly number[];
}

/** Everything that makes one virtual chip different from another. */
export interface ChipModel {
  readonly name: string;
  /** DBGMCU_IDC[11:0]. */
  readonly deviceId: number;
  /** Whole DBGMCU_IDC word: revision in [31:16]. */
  readonly idcode: number;
  /** True when the part has the security extension and with it RSS. */
  readonly security: boolean;
  /** First eight characters of the chip certificate. */
  readonly productId: string;
  /** Bootloader version byte in system memory. */
  readonly bootloaderVersion: number;
  readonly flashSizeKib: number;
  readonly regions: readonly MemoryRegion[];
  /** Value of the current option registers when the part leaves the factory. */
  readonly factoryOptions: OptionWords;
  /** The 96-bit unique id used when none is given. */
  readonly defaultUid: Uint8Array;
}

/** The nine option words of the H7, in the order of the option-byte CSV (AN5054 figure 15). */
export const optionNames = [
  "optsr",
  "prar1",
  "prar2",
  "scar1",
  "scar2",
  "wpsn1",
  "wpsn2",
  "boot7",
  "boot4",
] as const;
export type OptionName = (typeof optionNames)[number];
export type OptionWords = Readonly<Record<OptionName, number>>;

/** Memory map of RM0433 table 7 as far as a debugger uses it. AP0 sees all of it, AP1 the D2 and D3 domains. */
const h7Regions: readonly MemoryRegion[] = [
  { name: "flash", base: 0x08000000, sizeBytes: 0x200000, kind: "flash", accessPorts: [0] },
  { name: "axi", base: 0x24000000, sizeBytes: 0x80000, kind: "volatile", accessPorts: [0] },
  { name: "dtcm", base: 0x20000000, sizeBytes: 0x20000, kind: "volatile", accessPorts: [0] },
  { name: "itcm", base: 0x00000000, sizeBytes: 0x10000, kind: "volatile", accessPorts: [0] },
  { name: "ahb", base: 0x30000000, sizeBytes: 0x48000, kind: "volatile", accessPorts: [0, 1] },
  { name: "d3", base: 0x38000000, sizeBytes: 0x10000, kind: "volatile", accessPorts: [0, 1] },
  { name: "backup", base: 0x38800000, sizeBytes: 0x1000, kind: "volatile", accessPorts: [0, 1] },
];

/**
 * Factory option words: RDP 0xAA, independent watchdogs by software, no reset on stop and standby, SECURITY 0,
 * ST_RAM_SIZE 3, BCM7/BCM4 1, boot from flash or system memory, no protections. Start 0xFF above end 0 is "no area".
 */
const h7FactoryOptions: OptionWords = {
  optsr: 0x13deaaf0,
  prar1: 0x000000ff,
  prar2: 0x000000ff,
  scar1: 0x000000ff,
  scar2: 0x000000ff,
  wpsn1: 0x000000ff,
  wpsn2: 0x000000ff,
  boot7: 0x1ff00800,
  boot4: 0x10000810,
};

const h7 = {
  deviceId: 0x450,
  idcode: 0x20036450,
  bootloaderVersion: 0x90,
  flashSizeKib: 2048,
  regions: h7Regions,
  factoryOptions: h7FactoryOptions,
} as const;

/** The built-in chips by the name used in `virtual:<chip>`. */
export const chipModels = {
  h753: {
    ...h7,
    name: "h753",
    security: true,
    productId: "45002001",
    defaultUid: asciiBytes("VIRTUAL-H753"),
  },
  h743: {
    ...h7,
    name: "h743",
    security: false,
    productId: "",
    defaultUid: asciiBytes("VIRTUAL-H743"),
  },
} as const satisfies Record<string, ChipModel>;
export type ChipName = keyof typeof chipModels;

/** Names of the built-in chips. */
export const chipNames = Object.keys(chipModels) as readonly ChipName[];

/** Device ids that name a family's chip with everything in it. */
const chipOfDeviceId: Readonly<Record<string, ChipName>> = { "0x450": "h753" };

/** The chip of a name or a device id as users write it (`h753`, `0x450`); undefined when there is none. */
export function findChip(text: string): ChipName | undefined {
  const key = text.toLowerCase();
  return chipNames.find((name) => name === key) ?? chipOfDeviceId[key];
}
