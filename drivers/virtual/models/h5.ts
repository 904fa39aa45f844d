import { fromWords } from "../../../src/bytes/bytes.ts";
import { cortexM33 } from "./arm.ts";
import type { OptionWord, PageArea } from "./flash-model.ts";
import type { ChipModel, MemoryRegion } from "./model.ts";
import { bits, buffersFrom, secureAlias, trustZoneRam, uidOf } from "./parts.ts";

/** What differs between the members of the H5. */
interface Member {
  readonly name: string;
  readonly deviceId: number;
  readonly idcode: number;
  readonly productId: string;
  readonly trustZone: boolean;
  readonly bankBytes: number;
  /** Bits of the write protection of a bank. */
  readonly wrpBits: number;
  readonly options: readonly OptionWord[];
  readonly ramBytes: number;
  readonly bufferBase: number;
  readonly window: { readonly address: number; readonly sizeBytes: number };
  readonly bootloaderVersion: { readonly address: number; readonly value: number };
  readonly sfspAddress: number;
  /** C area rows that are no words with a name of their own order. */
  readonly rows: readonly string[];
}

/** SFSP 2.5.0. */
const sfsp = 0x02050000;

function h5(member: Member): ChipModel {
  const { name, deviceId, trustZone, bankBytes } = member;
  const core = [1];
  const sectorBytes = 0x2000;
  const sectors = bankBytes / sectorBytes;
  const secureArea = (bank: 0 | 1): PageArea => ({
    bank,
    startWord: `secwm${bank + 1}r`,
    endWord: `secwm${bank + 1}r`,
    startShift: 0,
    endShift: 16,
    bits: Math.log2(sectors),
    unitBytes: sectorBytes,
  });
  const ram: MemoryRegion = trustZone
    ? trustZoneRam("sram", 0x20000000, member.ramBytes, core)
    : { name: "sram", base: 0x20000000, sizeBytes: member.ramBytes, kind: "volatile", accessPorts: core };
  const secureWindows = [
    { base: 0x50022000, sizeBytes: 0x400, accessPorts: core, kind: "flash", secure: true },
    {
      base: 0x50000000,
      sizeBytes: 0x10000000,
      accessPorts: core,
      kind: "peripherals",
      secure: true,
      mirrorOf: 0x40000000,
    },
  ] as const;
  return {
    name,
    deviceId,
    productId: member.productId,
    flashSizeKib: (2 * bankBytes) / 1024,
    clearedByRegression: [],
    core: cortexM33(deviceId, trustZone),
    debugPort: {
      dpidr: 0x6ba02477,
      targetId: ((deviceId << 16) | 0x41) >>> 0,
      coreAp: 1,
      accessPorts: [
        // AP0 reaches DBGMCU only.
        { number: 0, idr: 0x54770002, base: 0xe0040003 },
        { number: 1, idr: 0x14770015, base: 0xe00fe003, trustZone },
      ],
    },
    regions: [
      {
        name: "flash",
        base: 0x08000000,
        sizeBytes: 2 * bankBytes,
        kind: "flash",
        accessPorts: core,
        ...(trustZone ? { aliases: [{ base: 0x08000000 + secureAlias.flash, secure: true }] } : {}),
      },
      ram,
    ],
    windows: [
      {
        base: 0xe0044000,
        sizeBytes: 0x1000,
        accessPorts: [0, 1],
        kind: "peripherals",
        underReset: true,
        alwaysOpen: true,
      },
      { base: 0xe0000000, sizeBytes: 0x100000, accessPorts: core, kind: "core", underReset: true },
      { base: 0x40022000, sizeBytes: 0x400, accessPorts: core, kind: "flash" },
      { base: 0x40000000, sizeBytes: 0x10000000, accessPorts: core, kind: "peripherals" },
      ...(trustZone ? secureWindows : []),
    ],
    rom: [
      { base: 0x0bf80000, sizeBytes: 0x30000, accessPorts: core },
      { base: 0x08fff000, sizeBytes: 0x1000, accessPorts: core },
    ],
    romItems: [
      { address: member.bootloaderVersion.address, content: Uint8Array.of(member.bootloaderVersion.value) },
      { address: member.sfspAddress, content: fromWords([sfsp]) },
      { address: 0x08fff800, content: "uid" },
      { address: 0x08fff80c, content: "flash-size" },
    ],
    registers: [
      { address: 0xe0044000, value: member.idcode },
      { address: 0x44024000, value: member.idcode },
      { address: 0xe0044004, value: "dbgmcuCr" },
      { address: 0x44024004, value: "dbgmcuCr" },
      { address: 0x44000434, value: "rssCommand" },
    ],
    quietBlocks: [
      { base: 0xe0044000, sizeBytes: 0x1000 },
      { base: 0x40000000, sizeBytes: 0x08000000 },
    ],
    flash: {
      kind: "h5",
      base: 0x08000000,
      banks: 2,
      bankBytes,
      sectorBytes,
      unitBytes: 16,
      trustZone,
      sectorsPerWrpBit: sectors / member.wrpBits,
      secureAreas: trustZone ? [secureArea(0), secureArea(1)] : [],
      // 0xC6 (TZ-Closed) is for parts with TrustZone.
      states: [0xed, 0x17, 0x2e, ...(trustZone ? [0xc6] : []), 0x72, 0x5c],
      bootloader: 0x0bf80000,
    },
    options: member.options,
    rss: {
      kind: "rsse",
      family: "STM32H5",
      protocols: [1, 2],
      buffers: buffersFrom(member.bufferBase, member.window.address),
      rows: member.rows,
      window: member.window,
      takesKeys: true,
      sfspAddress: member.sfspAddress,
    },
    defaultUid: uidOf(name),
  };
}

/** A current register and, 4 behind it, the one for programming. */
function word(name: string, offset: number, mask: number, factory: number, secure = false): OptionWord {
  return { name, offset, programOffset: offset + 4, mask, factory, ...(secure ? { secure } : {}) };
}

const optsr = { mask: bits([0, 5], [6, 12], [20, 10], [31, 1]), factory: 0x2d30edf8 };

/** Words of the parts with TrustZone (RM0481 7.11): `ends` are the bits of a sector number at both ends. */
function trustZoneWords(sectorBits: number, wrp: number, sram3Ecc: boolean): OptionWord[] {
  const last = 2 ** sectorBits - 1;
  const ends = (last | (last << 16)) >>> 0;
  const optsr2 = bits([2, 3], [6, 1], [8, 1], [24, 8], ...(sram3Ecc ? ([[5, 1]] as const) : []));
  const bank = (number: 1 | 2, at: number): OptionWord[] => [
    word(`secwm${number}r`, at, ends, (last << 16) >>> 0, true),
    word(`wrp${number}r`, at + 8, wrp, wrp),
    word(`edata${number}r`, at + 0x10, 0x00008007, 0),
    word(`hdp${number}r`, at + 0x18, ends, 0x00000001, true),
  ];
  return [
    word("optsr", 0x50, optsr.mask, optsr.factory),
    word("optsr2", 0x70, optsr2, sram3Ecc ? 0xc300007c : 0xc300005c),
    word("nsbootr", 0x80, 0xffffffff, 0x080000c3),
    word("secbootr", 0x88, 0xffffffff, 0x0c0000c3, true),
    word("otpblr", 0x90, 0xffffffff, 0),
    ...bank(1, 0xe0),
    ...bank(2, 0x1e0),
  ];
}

const trustZoneRows = [
  ...["optsr", "optsr2", "nsbootr", "secbootr", "secwm1r", "secwm2r"],
  ...["wrp1r", "wrp2r", "edata1r", "edata2r", "hdp1r", "hdp2r"],
];

/** RM0481: STM32H573, 2 MiB as 2 x 128 sectors of 8 KiB. */
export const h573 = h5({
  name: "h573",
  deviceId: 0x484,
  idcode: 0x10076484,
  productId: "48401001",
  trustZone: true,
  bankBytes: 0x100000,
  wrpBits: 32,
  options: trustZoneWords(7, 0xffffffff, true),
  ramBytes: 0xa0000,
  bufferBase: 0x20000000,
  window: { address: 0x20028000, sizeBytes: 0x10000 },
  bootloaderVersion: { address: 0x0bf9fafe, value: 0xe4 },
  sfspAddress: 0x0bf960cc,
  rows: trustZoneRows,
});

/** RM0481: STM32H533, 512 KiB as 2 x 32 sectors of 8 KiB. */
export const h533 = h5({
  name: "h533",
  deviceId: 0x478,
  idcode: 0x10016478,
  productId: "47801001",
  trustZone: true,
  bankBytes: 0x40000,
  wrpBits: 8,
  options: trustZoneWords(5, 0xff, false),
  ramBytes: 0x44000,
  bufferBase: 0x20003000,
  window: { address: 0x20014000, sizeBytes: 0xc000 },
  bootloaderVersion: { address: 0x0bf9fafe, value: 0xe2 },
  sfspAddress: 0x0bf960cc,
  rows: trustZoneRows,
});

/** RM0492: STM32H503, 128 KiB as 2 x 8 sectors of 8 KiB, without TrustZone. */
export const h503 = h5({
  name: "h503",
  deviceId: 0x474,
  idcode: 0x10036474,
  productId: "47401001",
  trustZone: false,
  bankBytes: 0x10000,
  wrpBits: 8,
  options: [
    word("optsr", 0x50, bits([0, 5], [6, 12], [20, 2], [31, 1]), 0x0030edf8),
    word("optsr2", 0x70, bits([3, 2], [6, 1], [9, 2]), 0x00000658),
    word("nsbootr", 0x80, 0xffffffff, 0x080000c3),
    word("otpblr", 0x90, 0xffffffff, 0),
    word("wrp1r", 0xe8, 0xff, 0xff),
    word("hdp1r", 0xf8, 0x00070007, 0x00000001),
    word("wrp2r", 0x1e8, 0xff, 0xff),
    word("hdp2r", 0x1f8, 0x00070007, 0x00000001),
  ],
  ramBytes: 0x8000,
  bufferBase: 0x20000000,
  window: { address: 0x20004000, sizeBytes: 0x4000 },
  bootloaderVersion: { address: 0x0bf8fffe, value: 0xe1 },
  sfspAddress: 0x0bf860cc,
  rows: ["optsr", "optsr2", "nsbootr", "wrp1r", "wrp2r", "hdp1r", "hdp2r"],
});
