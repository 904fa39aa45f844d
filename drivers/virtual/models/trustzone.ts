import { cortexM33 } from "./arm.ts";
import type { ChipModel, MemoryRegion } from "./model.ts";
import { bits, buffersFrom, secureAlias, trustZoneRam, uidOf } from "./parts.ts";
import {
  type TrustZoneOptions,
  trustZoneAreas,
  trustZoneOptionWords,
  trustZoneRows,
} from "./trustzone-options.ts";

/** What differs between the members of L5, U5 and WBA. */
interface Member {
  readonly name: string;
  readonly deviceId: number;
  readonly idcode: number;
  readonly productId: string;
  readonly family: string;
  readonly coreAp: 0 | 1;
  readonly options: TrustZoneOptions;
  readonly bankBytes: number;
  readonly unitBytes: 8 | 16;
  /** RAM as name, base, size. */
  readonly ram: readonly (readonly [string, number, number])[];
  readonly identity: { readonly uid: number; readonly flashSize: number; readonly bootloader: number };
  readonly bootloaderVersion: number;
  readonly commandRegister: number;
  readonly window: { readonly address: number; readonly sizeBytes: number };
  readonly oemKeys: boolean;
  readonly bootLockClears: "level0" | "never";
  readonly clearsFromHalf: boolean;
}

function trustZonePart(member: Member): ChipModel {
  const { name, deviceId, options, bankBytes, coreAp, identity } = member;
  const ports = [coreAp];
  const areas = trustZoneAreas(options);
  const flash: MemoryRegion = {
    name: "flash",
    base: 0x08000000,
    sizeBytes: options.banks * bankBytes,
    kind: "flash",
    accessPorts: ports,
    aliases: [{ base: 0x08000000 + secureAlias.flash, secure: true }],
  };
  return {
    name,
    deviceId,
    productId: member.productId,
    flashSizeKib: (options.banks * bankBytes) / 1024,
    clearedByRegression: ["backup"],
    core: cortexM33(deviceId, true),
    debugPort: {
      dpidr: 0x0be12477,
      targetId: ((deviceId << 16) | 0x41) >>> 0,
      coreAp,
      accessPorts: [{ number: coreAp, idr: 0x14770015, base: 0xe00fe003, trustZone: true }],
    },
    regions: [
      flash,
      ...member.ram.map(([region, base, sizeBytes]) => trustZoneRam(region, base, sizeBytes, ports)),
      trustZoneRam("backup", 0x40036400, 0x800, ports),
    ],
    windows: [
      {
        base: 0xe0044000,
        sizeBytes: 0x1000,
        accessPorts: ports,
        kind: "peripherals",
        underReset: true,
        alwaysOpen: true,
      },
      { base: 0xe0000000, sizeBytes: 0x100000, accessPorts: ports, kind: "core", underReset: true },
      { base: 0x40022000, sizeBytes: 0x400, accessPorts: ports, kind: "flash" },
      { base: 0x50022000, sizeBytes: 0x400, accessPorts: ports, kind: "flash", secure: true },
      { base: 0x40000000, sizeBytes: 0x10000000, accessPorts: ports, kind: "peripherals" },
      {
        base: 0x50000000,
        sizeBytes: 0x10000000,
        accessPorts: ports,
        kind: "peripherals",
        secure: true,
        mirrorOf: 0x40000000,
      },
    ],
    // System memory with the bootloader, OTP and the device's identity.
    rom: [{ base: 0x0bf80000, sizeBytes: 0x30000, accessPorts: ports }],
    romItems: [
      { address: identity.bootloader, content: Uint8Array.of(member.bootloaderVersion) },
      { address: identity.uid, content: "uid" },
      { address: identity.flashSize, content: "flash-size" },
    ],
    registers: [
      { address: 0xe0044000, value: member.idcode },
      { address: 0xe0044004, value: "dbgmcuCr" },
      { address: 0xe0044100, value: 0, takesKeys: member.oemKeys },
      { address: member.commandRegister, value: "rssCommand" },
    ],
    quietBlocks: [
      { base: 0xe0044000, sizeBytes: 0x1000 },
      { base: 0x40000000, sizeBytes: 0x08000000 },
    ],
    flash: {
      kind: "page",
      base: 0x08000000,
      banks: options.banks,
      bankBytes,
      sectorBytes: options.pageBytes,
      unitBytes: member.unitBytes,
      registers: {
        keyr: 0x08,
        optkeyr: 0x10,
        sr: 0x20,
        cr: 0x28,
        secureKeyr: 0x0c,
        secureSr: 0x24,
        secureCr: 0x2c,
        secureBlocks: { offsets: [0x80, 0xa0], count: Math.ceil(bankBytes / options.pageBytes / 32) },
      },
      pageMask: bankBytes / options.pageBytes - 1,
      bootloader: options.bootloader,
      optionErrorBit: 1 << 13,
      trustZone: {
        secureAreas: areas.secureAreas,
        ...(member.oemKeys ? { oemKeys: { first: 0x70, second: 0x78 } } : {}),
        clearsFromHalf: member.clearsFromHalf,
        lockableWords: options.unlock ? areas.writeProtection.map(({ startWord }) => startWord) : [],
        rss: 0x0ff80000,
      },
      writeProtection: areas.writeProtection,
      pcrop: [],
      bootLock: { word: "secbootadd0r", bit: 0, clears: member.bootLockClears },
    },
    options: trustZoneOptionWords(options),
    rss: {
      kind: "rsse",
      family: member.family,
      protocols: [1, 2],
      buffers: buffersFrom(0x20000000, member.window.address),
      rows: trustZoneRows(options),
      window: member.window,
      takesKeys: false,
    },
    defaultUid: uidOf(name),
  };
}

const l5Optr = {
  mask: bits([0, 8], [8, 3], [12, 3], [16, 7], [24, 5], [31, 1]),
  factory: 0x7feff8aa,
};

/** RM0438: 512 KiB as 2 x 128 pages of 2 KiB (DBANK 1), 64-bit units. */
export const l562 = trustZonePart({
  name: "l562",
  deviceId: 0x472,
  idcode: 0x20016472,
  productId: "47201003",
  family: "STM32L5",
  coreAp: 0,
  options: { optr: l5Optr, banks: 2, pageBits: 7, pageBytes: 0x800, unlock: false, bootloader: 0x0bf90000 },
  bankBytes: 0x40000,
  unitBytes: 8,
  ram: [["sram", 0x20000000, 0x40000]],
  identity: { uid: 0x0bfa0590, flashSize: 0x0bfa05e0, bootloader: 0x0bf97ffe },
  bootloaderVersion: 0x92,
  commandRegister: 0x4001002c,
  window: { address: 0x20020000, sizeBytes: 0x10000 },
  oemKeys: false,
  bootLockClears: "never",
  clearsFromHalf: true,
});

const u5 = {
  family: "STM32U5",
  coreAp: 0,
  unitBytes: 16,
  identity: { uid: 0x0bfa0700, flashSize: 0x0bfa07a0, bootloader: 0x0bf99efe },
  bootloaderVersion: 0x92,
  commandRegister: 0x4600042c,
  oemKeys: true,
  bootLockClears: "level0",
  clearsFromHalf: false,
} as const;
const u5Options = { pageBytes: 0x2000, unlock: true, bootloader: 0x0bf90000, banks: 2 } as const;
const u5Optr = { mask: bits([0, 8], [8, 3], [12, 4], [16, 16]), factory: 0x1feff8aa };

/** RM0456: 512 KiB as 2 x 32 pages of 8 KiB. There is no SRAM3 and no SRAM3_ECC. */
export const u545 = trustZonePart({
  ...u5,
  name: "u545",
  deviceId: 0x455,
  idcode: 0x10016455,
  productId: "45501001",
  options: { ...u5Options, optr: { ...u5Optr, mask: (u5Optr.mask & ~(1 << 23)) >>> 0 }, pageBits: 5 },
  bankBytes: 0x40000,
  ram: [
    ["sram", 0x20000000, 0x40000],
    ["sram4", 0x28000000, 0x4000],
  ],
  window: { address: 0x20020000, sizeBytes: 0x10000 },
});

/** RM0456: 2 MiB as 2 x 128 pages of 8 KiB. */
export const u585 = trustZonePart({
  ...u5,
  name: "u585",
  deviceId: 0x482,
  idcode: 0x30016482,
  productId: "48201001",
  options: { ...u5Options, optr: u5Optr, pageBits: 7 },
  bankBytes: 0x100000,
  ram: [
    ["sram", 0x20000000, 0xc0000],
    ["sram4", 0x28000000, 0x4000],
  ],
  window: { address: 0x20080000, sizeBytes: 0x10000 },
});

const largeU5 = {
  ...u5,
  options: { ...u5Options, optr: u5Optr, pageBits: 8 },
  bankBytes: 0x200000,
  window: { address: 0x20080000, sizeBytes: 0x10000 },
} as const;

/** RM0456: 4 MiB as 2 x 256 pages of 8 KiB. */
export const u5a9 = trustZonePart({
  ...largeU5,
  name: "u5a9",
  deviceId: 0x481,
  idcode: 0x30016481,
  productId: "48101001",
  ram: [
    ["sram", 0x20000000, 0x270000],
    ["sram4", 0x28000000, 0x4000],
  ],
});

/** As 0x481 with SRAM6. */
export const u5g9 = trustZonePart({
  ...largeU5,
  name: "u5g9",
  deviceId: 0x476,
  idcode: 0x10016476,
  productId: "47601001",
  ram: [
    ["sram", 0x20000000, 0x2f0000],
    ["sram4", 0x28000000, 0x4000],
  ],
});

const wba = { ...u5, family: "STM32WBA", coreAp: 1 } as const;

/** RM0493: 1 MiB as 128 pages of 8 KiB, one bank; the core is behind AP1. */
export const wba55 = trustZonePart({
  ...wba,
  name: "wba55",
  deviceId: 0x492,
  idcode: 0x10006492,
  productId: "49202013",
  options: {
    optr: { mask: bits([0, 8], [8, 3], [12, 2], [15, 5], [24, 4], [31, 1]), factory: 0x0f0fb0aa },
    banks: 1,
    pageBits: 7,
    pageBytes: 0x2000,
    unlock: true,
    bootloader: 0x0bf80000,
  },
  bankBytes: 0x100000,
  ram: [["sram", 0x20000000, 0x20000]],
  identity: { uid: 0x0bf90700, flashSize: 0x0bf907a0, bootloader: 0x0bf8fefe },
  bootloaderVersion: 0xb1,
  window: { address: 0x2000a000, sizeBytes: 0x6000 },
});

/** RM0515: 2 MiB as 2 x 128 pages of 8 KiB; the core is behind AP1. */
export const wba65 = trustZonePart({
  ...wba,
  name: "wba65",
  deviceId: 0x4b0,
  idcode: 0x100164b0,
  productId: "4B001001",
  options: {
    optr: {
      mask: bits([0, 8], [8, 3], [12, 2], [15, 7], [24, 4], [29, 3]),
      factory: 0x0f2fb0aa,
    },
    banks: 2,
    pageBits: 7,
    pageBytes: 0x2000,
    unlock: true,
    bootloader: 0x0bf90000,
  },
  bankBytes: 0x100000,
  ram: [["sram", 0x20000000, 0x80000]],
  identity: { uid: 0x0bfa0700, flashSize: 0x0bfa07a0, bootloader: 0x0bf97efe },
  bootloaderVersion: 0xb1,
  window: { address: 0x20020000, sizeBytes: 0x10000 },
});
