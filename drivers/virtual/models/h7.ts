import { fromWords } from "../../../src/bytes/bytes.ts";
import { cortexM7 } from "./arm.ts";
import type { DebugPortModel } from "./debug-model.ts";
import type { H7ControlFields, H7Flash, OptionWord } from "./flash-model.ts";
import type { ChipModel, MemoryRegion, PeripheralRegister, RegisterWindow, RomItem } from "./model.ts";
import { uidOf } from "./parts.ts";
import type { RssModel } from "./rss-model.ts";
import { rssServiceEntry, rssServiceNames, rssTableAddress } from "./rss-table.ts";

const all = [0];
const domains = [0, 1];

/** Flash registers behind AP0; APB-D (AP2) mirrors DBGMCU, SWO and SWTF and answers even while the core is in reset. */
const windows: readonly RegisterWindow[] = [
  { base: 0xe0000000, sizeBytes: 0x100000, accessPorts: all, kind: "core", underReset: true },
  {
    base: 0xe00e1000,
    sizeBytes: 0x4000,
    accessPorts: [2],
    kind: "peripherals",
    mirrorOf: 0x5c001000,
    underReset: true,
  },
  { base: 0x52002000, sizeBytes: 0x400, accessPorts: all, kind: "flash" },
  { base: 0x40000000, sizeBytes: 0x20000000, accessPorts: domains, kind: "peripherals" },
];

const quietBlocks = [
  { base: 0x58000400, sizeBytes: 0x400 }, // SYSCFG
  { base: 0x58024400, sizeBytes: 0x400 }, // RCC
  { base: 0x58024800, sizeBytes: 0x400 }, // PWR
  { base: 0x5c001000, sizeBytes: 0x400 }, // DBGMCU
  { base: 0x5c003000, sizeBytes: 0x2000 }, // SWO and its trace funnel SWTF (RM0433 60.5)
];

/** APs of a single-core H7: 0 AXI (M7), 1 AHB of D2/D3, 2 APB-D. There is no AP3 (the M4's). */
function debugPort(deviceId: number): DebugPortModel {
  return {
    dpidr: 0x6ba02477,
    targetId: ((deviceId << 16) | 0x41) >>> 0, // JEP106 0x20, part 0x4500 and so on, revision 0
    coreAp: 0,
    accessPorts: [
      { number: 0, idr: 0x84770001, base: 0xe00fe003 },
      { number: 1, idr: 0x84770001, base: 0x00000002 },
      { number: 2, idr: 0x54770002, base: 0xe00e0003 },
    ],
  };
}

/** Clock of SYSCFG in RCC_APB4ENR. */
const clock = { word: "apb4enr", mask: 1 << 1 } as const;

/**
 * SYSCFG_PKGR, and the undocumented SYSCFG word that ST's device data base tests: bit 0 is 0 on parts with the security
 * extension.
 */
function registers(idcode: number, security: boolean, packageCode: number): PeripheralRegister[] {
  return [
    { address: 0x580244f4, value: "apb4enr" },
    { address: 0x58000524, value: packageCode, clock },
    { address: 0x58000528, value: security ? 0 : 1, clock },
    { address: 0x5c001000, value: idcode },
    { address: 0x5c001004, value: "dbgmcuCr" },
  ];
}

const rssTable: RomItem = {
  address: rssTableAddress,
  content: fromWords(rssServiceNames.map((_, index) => rssServiceEntry(index) | 1)),
};

interface H7Variant {
  readonly name: string;
  readonly deviceId: number;
  readonly idcode: number;
  readonly productId: string;
  readonly flash: Omit<H7Flash, "kind" | "base">;
  readonly regions: readonly MemoryRegion[];
  readonly options: readonly OptionWord[];
  readonly packageCode: number;
  readonly identity: { readonly uid: number; readonly flashSize: number; readonly bootloader: number };
  readonly bootloaderVersion: number;
  readonly rss: RssModel;
}

function h7(variant: H7Variant): ChipModel {
  const { deviceId, flash, identity } = variant;
  const { security } = flash;
  return {
    name: variant.name,
    deviceId,
    productId: variant.productId,
    flashSizeKib: (flash.banks * flash.bankBytes) / 1024,
    clearedByRegression: ["backup"],
    core: cortexM7(deviceId),
    debugPort: debugPort(deviceId),
    regions: [
      {
        name: "flash",
        base: 0x08000000,
        sizeBytes: flash.banks * flash.bankBytes,
        kind: "flash",
        accessPorts: all,
        // Flash is written at its own address, not through the ITCM alias.
        aliases: [{ base: 0x00200000, readOnly: true }],
      },
      ...variant.regions,
    ],
    windows,
    rom: [
      { base: 0x1ff00000, sizeBytes: 0x20000, accessPorts: all },
      { base: 0x08fff000, sizeBytes: 0x1000, accessPorts: all },
    ],
    romItems: [
      { address: identity.bootloader, content: Uint8Array.of(variant.bootloaderVersion) },
      { address: identity.uid, content: "uid" },
      { address: identity.flashSize, content: "flash-size" },
      ...(security ? [rssTable] : []),
    ],
    registers: registers(variant.idcode, security, variant.packageCode),
    quietBlocks,
    flash: { kind: "h7", base: 0x08000000, ...flash },
    options: security
      ? variant.options
      : // Without security extension SECURITY and RSS1 stay 0.
        variant.options.map((word) =>
          word.name === "optsr" ? { ...word, mask: (word.mask & ~((1 << 21) | (1 << 26))) >>> 0 } : word,
        ),
    rss: security ? variant.rss : { kind: "none" },
    defaultUid: uidOf(variant.name),
  };
}

/** A current register and, 4 behind it, the one for programming (RM0433 4.9). */
function word(name: string, offset: number, mask: number, factory: number): OptionWord {
  return { name, offset, programOffset: offset + 4, mask, factory };
}

/** Bits of each word; OPT_BUSY and OPTCHANGEERR live in the current register only. Start 0xFF above end 0 is no area. */
const area = { mask: 0x8fff0fff, factory: 0x000000ff };
const optsrMask = 0xbffffffc;
const firstBank = (wpsn: number): OptionWord[] => [
  word("prar1", 0x28, area.mask, area.factory),
  word("scar1", 0x30, area.mask, area.factory),
  word("wpsn1", 0x38, wpsn, wpsn),
];
const secondBank = (wpsn: number): OptionWord[] => [
  word("prar2", 0x128, area.mask, area.factory),
  word("scar2", 0x130, area.mask, area.factory),
  word("wpsn2", 0x138, wpsn, wpsn),
];

function ram(name: string, base: number, sizeBytes: number, accessPorts = domains): MemoryRegion {
  return { name, base, sizeBytes, kind: "volatile", accessPorts };
}

const control: H7ControlFields = {
  hasPsize: true,
  fw: 1 << 6,
  start: 1 << 7,
  snbShift: 8,
  snbMask: 7,
  writable: 0x1fff073f,
};

const h750Family = {
  deviceId: 0x450,
  idcode: 0x20036450,
  packageCode: 0x8, // TFBGA240
  identity: { uid: 0x1ff1e800, flashSize: 0x1ff1e880, bootloader: 0x1ff1e7fe },
  bootloaderVersion: 0x90,
  // Memory map of RM0433 table 7 as far as a debugger uses it. AP0 sees all of it, AP1 the D2 and D3 domains.
  regions: [
    ram("axi", 0x24000000, 0x80000, all),
    ram("dtcm", 0x20000000, 0x20000, all),
    ram("itcm", 0x00000000, 0x10000, all),
    ram("ahb", 0x30000000, 0x48000),
    ram("d3", 0x38000000, 0x10000),
    ram("backup", 0x38800000, 0x1000),
  ],
  // Factory: RDP 0xAA, watchdogs by software, no reset on stop and standby, SECURITY 0, ST_RAM_SIZE 3, BCM7/BCM4 1.
  options: [
    word("optsr", 0x1c, optsrMask, 0x13deaaf0),
    ...firstBank(0xff),
    ...secondBank(0xff),
    word("boot7", 0x40, 0xffffffff, 0x1ff00800),
    word("boot4", 0x48, 0xffffffff, 0x10000810),
  ],
} as const;

const h750Flash = {
  banks: 2,
  bankBytes: 0x100000,
  sectorBytes: 0x20000,
  unitBytes: 32,
  control,
  sectorsPerWrpBit: 1,
  hasOperr: true,
} as const;

const h750Rss: RssModel = {
  kind: "rom",
  protocols: [1],
  buffers: {
    license: 0x24020800,
    completion: 0x24020a00,
    wrapper: 0x24020c00,
    header: 0x24021000,
    areas: 0x2402101c,
    areasEnd: 0x24080000,
  },
  rows: ["optsr", "prar1", "prar2", "scar1", "scar2", "wpsn1", "wpsn2", "boot7", "boot4"],
};

export const h753 = h7({
  ...h750Family,
  name: "h753",
  productId: "45002001",
  flash: { ...h750Flash, security: true },
  rss: h750Rss,
});

export const h743 = h7({
  ...h750Family,
  name: "h743",
  productId: "",
  flash: { ...h750Flash, security: false },
  rss: h750Rss,
});

/** RM0455: 8 KiB sectors, flash words of 128 bits, no PSIZE, one write-protection bit for four sectors. */
export const h7b3 = h7({
  name: "h7b3",
  deviceId: 0x480,
  idcode: 0x10006480,
  productId: "48001001",
  packageCode: 0,
  identity: { uid: 0x08fff800, flashSize: 0x08fff80c, bootloader: 0x1ff13ffe },
  bootloaderVersion: 0x91,
  flash: {
    banks: 2,
    bankBytes: 0x100000,
    sectorBytes: 0x2000,
    unitBytes: 16,
    control: {
      hasPsize: false,
      fw: 1 << 4,
      start: 1 << 5,
      snbShift: 6,
      snbMask: 0x7f,
      writable: 0x1fff1fcf,
    },
    sectorsPerWrpBit: 4,
    hasOperr: false,
    security: true,
  },
  regions: [
    ram("axi", 0x24000000, 0x100000, all),
    ram("dtcm", 0x20000000, 0x20000, all),
    ram("itcm", 0x00000000, 0x10000, all),
    ram("ahb", 0x30000000, 0x20000),
    ram("d3", 0x38000000, 0x8000),
    ram("backup", 0x38800000, 0x1000),
  ],
  options: [
    word("optsr", 0x1c, optsrMask, 0x101eaaf0),
    ...firstBank(0xffffffff),
    ...secondBank(0xffffffff),
    word("boot7", 0x40, 0xffffffff, 0x1ff00800),
    word("otpbl", 0x68, 0x0000ffff, 0),
  ],
  rss: {
    kind: "rom",
    protocols: [1, 2],
    buffers: {
      license: 0x24030800,
      completion: 0x24030a00,
      wrapper: 0x24030c00,
      header: 0x24031000,
      areas: 0x2403101c,
      areasEnd: 0x24100000,
    },
    rows: ["optsr", "prar1", "prar2", "scar1", "scar2", "wpsn1", "wpsn2", "boot7", "otpbl"],
  },
});

/** RM0468: one bank of eight sectors; rows of the second bank are reserved. */
export const h735 = h7({
  name: "h735",
  deviceId: 0x483,
  idcode: 0x10016483,
  productId: "48301001",
  packageCode: 0,
  identity: { uid: 0x1ff1e800, flashSize: 0x1ff1e880, bootloader: 0x1ff1e7fe },
  bootloaderVersion: 0x93,
  flash: { ...h750Flash, banks: 1, security: true },
  regions: [
    ram("axi", 0x24000000, 0x50000, all),
    ram("dtcm", 0x20000000, 0x20000, all),
    ram("itcm", 0x00000000, 0x10000, all),
    ram("ahb", 0x30000000, 0x8000),
    ram("d3", 0x38000000, 0x4000),
    ram("backup", 0x38800000, 0x1000),
  ],
  options: [
    word("optsr", 0x1c, optsrMask, 0x101eaaf0),
    ...firstBank(0xff),
    word("boot7", 0x40, 0xffffffff, 0x1ff00800),
    word("optsr2", 0x70, 0x00000007, 0),
  ],
  rss: {
    kind: "rom",
    protocols: [2],
    buffers: {
      license: 0x24000800,
      completion: 0x24000a00,
      wrapper: 0x24000c00,
      header: 0x24001000,
      areas: 0x2400101c,
      areasEnd: 0x24050000,
    },
    rows: ["optsr", "prar1", undefined, "scar1", undefined, "wpsn1", undefined, "boot7", "optsr2"],
  },
});
