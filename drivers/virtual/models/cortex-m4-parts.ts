import { cortexM4 } from "./arm.ts";
import type { OptionWord, PageArea } from "./flash-model.ts";
import type { ChipModel, MemoryRegion } from "./model.ts";
import { bits, buffersFrom, uidOf } from "./parts.ts";

function areaOf(startWord: string, endWord: string, areaBits: number, unitBytes: number): PageArea {
  const endShift = startWord === endWord ? 16 : 0;
  return { bank: 0, startWord, endWord, startShift: 0, endShift, bits: areaBits, unitBytes };
}

function word(name: string, offset: number, mask: number, factory: number): OptionWord {
  return { name, offset, mask, factory };
}

function ram(name: string, base: number, sizeBytes: number, accessPorts: readonly number[]): MemoryRegion {
  return { name, base, sizeBytes, kind: "volatile", accessPorts };
}

const registers = { keyr: 0x08, optkeyr: 0x0c, sr: 0x10, cr: 0x14 } as const;

/**
 * RM0453: STM32WL55, 256 KiB as 128 pages of 2 KiB. The CM0+ is behind AP1 once PWR_CR4.C2BOOT has let it go; nothing
 * of it is modelled but that its secure flash (FSD 0) is closed to AP0.
 */
export const wl55: ChipModel = {
  name: "wl55",
  deviceId: 0x497,
  productId: "49701005",
  flashSizeKib: 256,
  clearedByRegression: [],
  core: cortexM4(0x497),
  debugPort: {
    dpidr: 0x6ba02477,
    targetId: 0x04970041,
    coreAp: 0,
    accessPorts: [
      { number: 0, idr: 0x24770011, base: 0xe00ff003 },
      { number: 1, idr: 0x84770001, base: 0xf0000003, enabledBy: { word: "cpu2Boot", mask: 1 << 15 } },
    ],
  },
  regions: [
    { name: "flash", base: 0x08000000, sizeBytes: 0x40000, kind: "flash", accessPorts: [0, 1] },
    ram("sram", 0x20000000, 0x10000, [0, 1]),
  ],
  windows: [
    { base: 0xe0042000, sizeBytes: 0x1000, accessPorts: [0], kind: "peripherals", underReset: true },
    { base: 0xe0000000, sizeBytes: 0x100000, accessPorts: [0], kind: "core", underReset: true },
    { base: 0x58004000, sizeBytes: 0x400, accessPorts: [0], kind: "flash" },
    { base: 0x40000000, sizeBytes: 0x20000000, accessPorts: [0, 1], kind: "peripherals" },
  ],
  rom: [{ base: 0x1fff0000, sizeBytes: 0x8000, accessPorts: [0, 1] }],
  romItems: [
    { address: 0x1fff3efe, content: Uint8Array.of(0xc4) },
    { address: 0x1fff7590, content: "uid" },
    { address: 0x1fff75e0, content: "flash-size" },
    // Bit 8 tells the parts with two cores; UID64 carries ST's company id 0x0080E1 and the device 0x15.
    { address: 0x1fff7550, content: Uint8Array.of(0, 1, 0, 0) },
    { address: 0x1fff7580, content: Uint8Array.of(1, 0, 0, 0, 0x15, 0xe1, 0x80, 0x00) },
  ],
  registers: [
    { address: 0xe0042000, value: 0x10006497 },
    { address: 0xe0042004, value: "dbgmcuCr" },
    { address: 0x5800040c, value: "cpu2Boot" },
    { address: 0x58000498, value: "rssCommand" },
  ],
  quietBlocks: [
    { base: 0xe0042000, sizeBytes: 0x1000 },
    { base: 0x40000000, sizeBytes: 0x10000000 },
    { base: 0x58000000, sizeBytes: 0x4000 },
  ],
  flash: {
    kind: "page",
    base: 0x08000000,
    banks: 1,
    bankBytes: 0x40000,
    sectorBytes: 0x800,
    unitBytes: 8,
    registers,
    pageMask: 0x7f,
    bootloader: 0x1fff0000,
    optionErrorBit: 1 << 15,
    writeProtection: [areaOf("wrp1ar", "wrp1ar", 7, 0x800), areaOf("wrp1br", "wrp1br", 7, 0x800)],
    pcrop: [areaOf("pcrop1asr", "pcrop1aer", 8, 0x400), areaOf("pcrop1bsr", "pcrop1ber", 8, 0x400)],
    bootLock: { word: "optr", bit: 30, clears: "regression" },
    secondCore: { word: "sfr" },
  },
  options: [
    word("optr", 0x20, bits([0, 15], [16, 4], [23, 5], [30, 2]), 0x0f8f70aa),
    word("pcrop1asr", 0x24, 0x000000ff, 0x000000ff),
    word("pcrop1aer", 0x28, 0x800000ff, 0x80000000),
    word("wrp1ar", 0x2c, 0x007f007f, 0x0000007f),
    word("wrp1br", 0x30, 0x007f007f, 0x0000007f),
    word("pcrop1bsr", 0x34, 0x000000ff, 0x000000ff),
    word("pcrop1ber", 0x38, 0x000000ff, 0x00000000),
    word("ipccbr", 0x3c, 0x00003fff, 0x00003fff),
    word("sfr", 0x80, 0x80ff10ff, 0x80ff00ff),
    word("srrvr", 0x84, 0xfffcffff, 0xfffc8000),
  ],
  rss: {
    kind: "rsse",
    family: "STM32WL",
    protocols: [1, 2],
    buffers: buffersFrom(0x20000000, 0x20008000),
    rows: [
      ...["optr", "pcrop1asr", "pcrop1aer", "wrp1ar", "wrp1br"],
      ...["pcrop1bsr", "pcrop1ber", "ipccbr", "sfr", "srrvr"],
    ],
    window: { address: 0x20008000, sizeBytes: 0x6000 },
    takesKeys: false,
  },
  defaultUid: uidOf("wl55"),
};

/** RM0394: STM32L462, 512 KiB as 256 pages of 2 KiB. Installs go through its bootloader, not over SWD. */
export const l462: ChipModel = {
  name: "l462",
  deviceId: 0x462,
  productId: "46201002",
  flashSizeKib: 512,
  clearedByRegression: [],
  core: cortexM4(0x462),
  debugPort: {
    dpidr: 0x2ba01477,
    targetId: 0,
    coreAp: 0,
    accessPorts: [{ number: 0, idr: 0x24770011, base: 0xe00ff003 }],
  },
  regions: [
    { name: "flash", base: 0x08000000, sizeBytes: 0x80000, kind: "flash", accessPorts: [0] },
    ram("sram", 0x20000000, 0x20000, [0]),
    ram("sram2", 0x10000000, 0x8000, [0]),
  ],
  windows: [
    { base: 0xe0042000, sizeBytes: 0x1000, accessPorts: [0], kind: "peripherals", underReset: true },
    { base: 0xe0000000, sizeBytes: 0x100000, accessPorts: [0], kind: "core", underReset: true },
    { base: 0x40022000, sizeBytes: 0x400, accessPorts: [0], kind: "flash" },
    { base: 0x40000000, sizeBytes: 0x20000000, accessPorts: [0], kind: "peripherals" },
  ],
  rom: [{ base: 0x1fff0000, sizeBytes: 0x8000, accessPorts: [0] }],
  romItems: [
    { address: 0x1fff6ffe, content: Uint8Array.of(0x92) },
    { address: 0x1fff7590, content: "uid" },
    { address: 0x1fff75e0, content: "flash-size" },
  ],
  registers: [
    { address: 0xe0042000, value: 0x20016462 },
    { address: 0xe0042004, value: "dbgmcuCr" },
  ],
  quietBlocks: [
    { base: 0xe0042000, sizeBytes: 0x1000 },
    { base: 0x40000000, sizeBytes: 0x10000000 },
  ],
  flash: {
    kind: "page",
    base: 0x08000000,
    banks: 1,
    bankBytes: 0x80000,
    sectorBytes: 0x800,
    unitBytes: 8,
    registers,
    pageMask: 0xff,
    bootloader: 0x1fff0000,
    optionErrorBit: 1 << 15,
    writeProtection: [areaOf("wrp1ar", "wrp1ar", 8, 0x800), areaOf("wrp1br", "wrp1br", 8, 0x800)],
    pcrop: [areaOf("pcrop1sr", "pcrop1er", 16, 8)],
  },
  options: [
    word("optr", 0x20, bits([0, 8], [8, 3], [12, 3], [16, 4], [23, 5]), 0xffeff8aa),
    word("pcrop1sr", 0x24, 0x0000ffff, 0x0000ffff),
    word("pcrop1er", 0x28, 0x8000ffff, 0x80000000),
    word("wrp1ar", 0x2c, 0x00ff00ff, 0x000000ff),
    word("wrp1br", 0x30, 0x00ff00ff, 0x000000ff),
  ],
  rss: { kind: "none" },
  defaultUid: uidOf("l462"),
};
