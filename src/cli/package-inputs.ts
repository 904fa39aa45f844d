import { dirname, resolve } from "node:path";
import { sha256Hex } from "../bytes/digest.ts";
import { readFirmware } from "../firmware/read-firmware.ts";
import type { FirmwareImage } from "../firmware/segments.ts";
import { parseModulesCsv } from "../package/sfix.ts";
import { readInput } from "./files.ts";

/** A file and, where it does not say so itself, its address. */
export interface PlacedFile {
  readonly file: string;
  readonly address?: number;
}

/** A file for external flash with its region's settings. */
export interface ExternalFile extends PlacedFile {
  readonly region: number;
  readonly mode: number;
  readonly keyAddress: number;
}

/** Everything a package is made of, from the command line or from a recipe. */
export interface PackageInputs {
  readonly deviceId: number;
  readonly firmware: readonly PlacedFile[];
  readonly external: readonly ExternalFile[];
  /** .kcsv */
  readonly keyAreas: string | undefined;
  /** .mcsv */
  readonly modulesList: string | undefined;
  readonly modules: readonly PlacedFile[];
  readonly obKeys: readonly string[];
  readonly ssfi: PlacedFile | undefined;
  /** Option-byte CSV; undefined: no C area. */
  readonly options: string | undefined;
  readonly key: string;
  readonly nonce: string;
  readonly imageVersion: number;
  readonly ramSizeBytes: number | undefined;
  readonly tokenAddress: number | undefined;
  readonly fillByte: number;
  readonly mergeGapBytes: number;
  readonly hash: boolean;
  readonly allowAssumed: boolean;
  readonly allowPublicKey: boolean;
  /** The key's register; undefined: beside the key. */
  readonly register: string | undefined;
  readonly out: string;
  /** Where relative names start, for the names in the manifest. */
  readonly folder: string;
}

/** What a file was for, and its digest: a line of the manifest. */
export interface InputRecord {
  readonly role: string;
  readonly file: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Reads input files and notes each with its digest. */
export interface InputLog {
  readonly read: (role: string, file: string) => Promise<Uint8Array>;
  readonly records: readonly InputRecord[];
}

/** @param check called with every file as it is read; throws when it is not the pinned one */
export function inputLog(check: (file: string, sha256: string) => void = () => {}): InputLog {
  const records: InputRecord[] = [];
  return {
    records,
    read: async (role, file) => {
      const bytes = await readInput(file);
      const sha256 = sha256Hex(bytes);
      check(file, sha256);
      records.push({ role, file, sha256, sizeBytes: bytes.length });
      return bytes;
    },
  };
}

/** The firmware files of one kind, read one after the other so that the records' order never changes. */
export async function readImages(
  log: InputLog,
  role: string,
  files: readonly PlacedFile[],
): Promise<FirmwareImage[]> {
  const images: FirmwareImage[] = [];
  for (const { file, address } of files) {
    const bytes = await log.read(role, file);
    images.push(readFirmware(bytes, { source: file, ...(address === undefined ? {} : { address }) }));
  }
  return images;
}

/** The modules of a list; file names in it are relative to the list. */
export async function readModulesList(log: InputLog, list: string): Promise<PlacedFile[]> {
  const text = new TextDecoder().decode(await log.read("modules list", list));
  return parseModulesCsv(text, list).map(({ moduleFile, address }) => ({
    file: resolve(dirname(list), moduleFile),
    address,
  }));
}
