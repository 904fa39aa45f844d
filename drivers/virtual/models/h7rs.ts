import { fromWords } from "../../../src/bytes/bytes.ts";
import { cortexM7 } from "./arm.ts";
import type { OptionWord } from "./flash-model.ts";
import type { ChipModel, MemoryRegion } from "./model.ts";
import { bits, buffersFrom, uidOf } from "./parts.ts";
import { rsslibEntry, rsslibOffsets, rsslibTableAddress } from "./rsslib.ts";

const core = [1];
const both = [0, 1];

function ram(name: string, base: number, sizeBytes: number): MemoryRegion {
  return { name, base, sizeBytes, kind: "volatile", accessPorts: both };
}

/** A current register and, 4 behind it, the one for programming. */
function word(name: string, offset: number, mask: number, factory: number): OptionWord {
  return { name, offset, programOffset: offset + 4, mask, factory };
}

/** RM0477: STM32H7S7, 64 KiB as 8 sectors of 8 KiB; the core is behind AP1. */
export const h7s7: ChipModel = {
  name: "h7s7",
  deviceId: 0x485,
  productId: "48501001",
  flashSizeKib: 64,
  clearedByRegression: [],
  core: cortexM7(0x485),
  debugPort: {
    dpidr: 0x6ba02477,
    targetId: 0x14850041,
    coreAp: 1,
    accessPorts: [
      { number: 0, idr: 0x84770001, base: 0x00000002 },
      { number: 1, idr: 0x84770001, base: 0xe00fe003 },
    ],
  },
  regions: [
    { name: "flash", base: 0x08000000, sizeBytes: 0x10000, kind: "flash", accessPorts: both },
    ram("dtcm", 0x20000000, 0x10000),
    ram("itcm", 0x00000000, 0x10000),
    ram("axi", 0x24000000, 0x72000),
    ram("ahb", 0x30000000, 0x8000),
  ],
  windows: [
    { base: 0xe0000000, sizeBytes: 0x100000, accessPorts: core, kind: "core", underReset: true },
    { base: 0x52002000, sizeBytes: 0x400, accessPorts: both, kind: "flash" },
    // FLASH+0x81C [15:8] is 0 on parts with crypto: an undocumented word that ST's device data base tests.
    { base: 0x40000000, sizeBytes: 0x20000000, accessPorts: both, kind: "peripherals" },
  ],
  rom: [
    { base: 0x1ff00000, sizeBytes: 0x20000, accessPorts: both },
    { base: 0x08fff000, sizeBytes: 0x1000, accessPorts: both },
  ],
  romItems: [
    { address: 0x1ff1fcfe, content: Uint8Array.of(0xe1) },
    { address: 0x08fff800, content: "uid" },
    { address: 0x08fff80c, content: "flash-size" },
    ...rsslibOffsets.map((offset, index) => ({
      address: rsslibTableAddress + offset,
      content: fromWords([rsslibEntry(index) | 1]),
    })),
  ],
  registers: [
    { address: 0x5c001000, value: 0x20006485 },
    { address: 0x5c001004, value: "dbgmcuCr" },
    { address: 0x58000434, value: "rssCommand" },
  ],
  quietBlocks: [
    { base: 0x52002400, sizeBytes: 0xc00 },
    { base: 0x58000400, sizeBytes: 0x400 },
    { base: 0x58024400, sizeBytes: 0x800 },
    { base: 0x5c001000, sizeBytes: 0x400 },
  ],
  flash: {
    kind: "h7rs",
    base: 0x08000000,
    banks: 1,
    bankBytes: 0x10000,
    sectorBytes: 0x2000,
    unitBytes: 16,
  },
  options: [
    // No register: RSS keeps it.
    { name: "productState", offset: 0x1000, mask: 0xff, factory: 0x39 },
    word("rotsr", 0x208, 0xff00ffff, 0x6a00ff6a),
    word("otplsr", 0x210, 0x0000ffff, 0),
    word("wrpsr", 0x218, 0x000000ff, 0x000000ff),
    word("hdpsr", 0x230, 0x01ff01ff, 0x000000ff),
    word("obw1sr", 0x260, bits([2, 3], [6, 4], [17, 2], [29, 1]), 0x200603d0),
    word("obw2sr", 0x268, bits([0, 3], [4, 3], [8, 2]), 0x00000300),
  ],
  rss: {
    kind: "rsse",
    family: "STM32H7R",
    protocols: [1, 2],
    buffers: buffersFrom(0x24000000, 0x24020000),
    rows: ["productState", "rotsr", "otplsr", "wrpsr", "hdpsr", "obw1sr", "obw2sr"],
    window: { address: 0x20000200, sizeBytes: 0x9e00 },
    takesKeys: true,
    library: true,
  },
  defaultUid: uidOf("h7s7"),
};
