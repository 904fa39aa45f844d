import { asciiBytes, concatBytes } from "../../src/bytes/bytes.ts";
import { sha256 } from "../../src/bytes/digest.ts";
import type { ChipModel } from "./models/model.ts";

const coreWords = [
  ...(["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12"] as const),
  ...(["msp", "psp", "lr", "pc", "xpsr", "cfbp", "fpscr"] as const),
  ...(["halted", "lockup", "resetSeen", "dhcsr", "demcr", "dcrdr", "dfsr", "vtor", "cpacr"] as const),
  ...(["fpCtrl", "service", "secureState"] as const),
  ...(["fpComp0", "fpComp1", "fpComp2", "fpComp3", "fpComp4", "fpComp5", "fpComp6", "fpComp7"] as const),
] as const;

const flashWords = [
  ...(["keyState1", "keyState2", "optKeyState", "cr1", "cr2", "sr1", "sr2", "optcr"] as const),
  ...(["optChangeError", "optionPending", "erasePending1", "erasePending2"] as const),
  ...(["bufferBase1", "bufferBase2", "bufferMask1", "bufferMask2"] as const),
  ...(["oem1Key1", "oem1Key2", "oem2Key1", "oem2Key2", "loadOnReset"] as const),
  ...(["eraseIsSecure"] as const),
] as const;

const systemWords = [
  ...(["initialized", "powered", "debugClosed", "nrstLow", "apb4enr", "dbgmcuCr"] as const),
  ...([
    "rssCommand",
    "authHost1",
    "authHost2",
    "authWords",
    "keyLocked",
    "keyMatch",
    "cpu2Boot",
    "hasDaObject",
  ] as const),
  ...(["rssRunning", "rssStep", "rssRefusal", "rssTokenSectorUsed"] as const),
  ...(["uid0", "uid1", "uid2"] as const),
] as const;

/** A word that holds an option word: in force, in the register for programming, or programmed and not yet loaded. */
type OptionStoreWord = `option ${"current" | "programming" | "stored"} ${string}`;
/** Name of a 32-bit word of chip state. */
export type WordName =
  | (typeof coreWords)[number]
  | (typeof flashWords)[number]
  | (typeof systemWords)[number]
  | OptionStoreWord;

/** Store word of an option word in force. */
export function currentWord(name: string): OptionStoreWord {
  return `option current ${name}`;
}

/** Store word of the register through which an option word is programmed. */
export function programmingWord(name: string): OptionStoreWord {
  return `option programming ${name}`;
}

/** Store word of an option word as it stands in flash. */
export function storedWord(name: string): OptionStoreWord {
  return `option stored ${name}`;
}

/** All words of a chip's state in the order in which the store keeps them. */
function wordNames(model: ChipModel): WordName[] {
  return [
    ...coreWords,
    ...flashWords,
    ...systemWords,
    ...model.options.flatMap(({ name }) => [currentWord(name), programmingWord(name), storedWord(name)]),
  ];
}

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

/** The store of one chip model: a header, the words, FPU registers, write buffers, one ECC bit a flash unit, memories. */
export interface StoreLayout {
  readonly sizeBytes: number;
  readonly words: StoreRegion;
  /** Place of each word among the words. */
  readonly indexOfWord: ReadonlyMap<WordName, number>;
  readonly regions: Readonly<Record<string, StoreRegion>>;
  /** SHA-256 of names and places: two programs that disagree about them refuse each other's files. */
  readonly digest: Uint8Array;
}

/** Lays the state of `model` out. Every region begins on a 4096-byte boundary. */
export function storeLayout(model: ChipModel): StoreLayout {
  const wanted = [
    { name: "fpu", sizeBytes: 128 },
    { name: "writeBuffers", sizeBytes: 64 },
    { name: "secureBlocks", sizeBytes: 64 },
    { name: "flashEcc", sizeBytes: (model.flashSizeKib * 1024) / model.flash.unitBytes / 8 },
    ...model.regions.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
  ];
  const regions: Record<string, StoreRegion> = {};
  let offset = headerBytes + wordBlockBytes;
  for (const { name, sizeBytes } of wanted) {
    regions[name] = { offset, sizeBytes };
    offset += Math.ceil(sizeBytes / 4096) * 4096;
  }
  const names = wordNames(model);
  const description = JSON.stringify({ names, regions, size: offset });
  return {
    sizeBytes: offset,
    words: { offset: headerBytes, sizeBytes: 4 * names.length },
    indexOfWord: new Map(names.map((name, index) => [name, index])),
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
