import { asciiBytes, concatBytes } from "../../src/bytes/bytes.ts";
import { sha256 } from "../../src/bytes/digest.ts";
import { type ChipModel, optionNames } from "./chips.ts";

const coreWords = [
  ...(["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12"] as const),
  ...(["msp", "psp", "lr", "pc", "xpsr", "cfbp", "fpscr"] as const),
  ...(["halted", "lockup", "resetSeen", "dhcsr", "demcr", "dcrdr", "dfsr", "vtor", "cpacr"] as const),
  ...(["fpCtrl", "service"] as const),
  ...(["fpComp0", "fpComp1", "fpComp2", "fpComp3", "fpComp4", "fpComp5", "fpComp6", "fpComp7"] as const),
] as const;

const flashWords = [
  ...(["keyState1", "keyState2", "optKeyState", "cr1", "cr2", "sr1", "sr2", "optcr"] as const),
  ...(["optChangeError", "optionPending", "erasePending1", "erasePending2"] as const),
  ...(["bufferBase1", "bufferBase2", "bufferMask1", "bufferMask2"] as const),
] as const;

const systemWords = [
  ...(["initialized", "powered", "debugClosed", "nrstLow", "apb4enr", "dbgmcuCr"] as const),
  ...(["rssRunning", "rssStep", "rssRefusal", "rssTokenSectorUsed"] as const),
  ...(["uid0", "uid1", "uid2"] as const),
] as const;

type OptionStoreWord = `${(typeof optionNames)[number]}${"Cur" | "Prg"}`;
/** Name of a 32-bit word of chip state. */
export type WordName =
  | (typeof coreWords)[number]
  | (typeof flashWords)[number]
  | (typeof systemWords)[number]
  | OptionStoreWord;

/** All words of chip state in the order in which the store keeps them. */
export const wordNames: readonly WordName[] = [
  ...coreWords,
  ...flashWords,
  ...systemWords,
  ...optionNames.flatMap((name): OptionStoreWord[] => [`${name}Cur`, `${name}Prg`]),
];

export const headerBytes = 4096;
const wordBlockBytes = 4096;
/** Word of header: magic @0, version @8, chip name @12, digest @32. */
export const stateMagic = asciiBytes("SFIVCHIP");
export const stateVersion = 1;

/** Where a part of the chip lies in the store. */
export interface StoreRegion {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** The store of one chip model: a header, the words, FPU registers, write buffers, one ECC bit a flash word, memories. */
export interface StoreLayout {
  readonly sizeBytes: number;
  readonly words: StoreRegion;
  readonly regions: Readonly<Record<string, StoreRegion>>;
  /** SHA-256 of names and places: two programs that disagree about them refuse each other's files. */
  readonly digest: Uint8Array;
}

/** Lays the state of `model` out. Every region begins on a 4096-byte boundary. */
export function storeLayout(model: ChipModel): StoreLayout {
  const wanted = [
    { name: "fpu", sizeBytes: 128 },
    { name: "writeBuffers", sizeBytes: 64 },
    { name: "flashEcc", sizeBytes: (model.flashSizeKib * 1024) / 32 / 8 },
    ...model.regions.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
  ];
  const regions: Record<string, StoreRegion> = {};
  let offset = headerBytes + wordBlockBytes;
  for (const { name, sizeBytes } of wanted) {
    regions[name] = { offset, sizeBytes };
    offset += Math.ceil(sizeBytes / 4096) * 4096;
  }
  const description = JSON.stringify({ wordNames, regions, size: offset });
  return {
    sizeBytes: offset,
    words: { offset: headerBytes, sizeBytes: 4 * wordNames.length },
    regions,
    digest: sha256(asciiBytes(description)),
  };
}

/** The 64 header bytes of a state file: magic, version, chip name (zero padded), layout digest. */
export function stateHeader(chipName: string, digest: Uint8Array): Uint8Array {
  const name = new Uint8Array(20); // chip name @12..31
  name.set(asciiBytes(chipName));
  return concatBytes(stateMagic, Uint8Array.of(stateVersion, 0, 0, 0), name, digest);
}
