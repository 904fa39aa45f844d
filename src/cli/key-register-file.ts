import { open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { StationError } from "../errors/station-error.ts";
import {
  conflictingEntry,
  formatRegisterLine,
  type NonceUse,
  parseRegister,
  type RegisterEntry,
  registerEntry,
} from "../package/key-register.ts";
import { syncFolder, systemDetail } from "./files.ts";

/** Where a key's register lies: beside the key. */
export function registerFileOf(keyFile: string): string {
  return `${keyFile}.register`;
}

/** The register's entries; none when there is no register yet. @throws KEY_REGISTER_INVALID, FILE_UNREADABLE */
export async function readRegister(file: string): Promise<RegisterEntry[]> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw StationError.of("FILE_UNREADABLE", { file, detail: systemDetail(error) }, { cause: error });
  }
  return parseRegister(text, file);
}

/**
 * Notes that a key and nonce are about to be used for an image, durably and before the image is written.
 * Of two builds at the same time both append and both read again; the one whose line came later is refused.
 * @param register the register file; made when missing, readable by its owner only
 * @param output the image's file, for people
 * @throws KEY_NONCE_REUSED, KEY_REGISTER_INVALID, OUTPUT_UNWRITABLE
 */
export async function registerNonceUse(register: string, use: NonceUse, output: string): Promise<void> {
  const entry = registerEntry(use, { time: new Date().toISOString(), file: output });
  const before = await readRegister(register);
  refuseConflict(before, entry, register);
  if (before.some((known) => known.keyId === entry.keyId && known.place === entry.place)) return;
  await append(register, formatRegisterLine(entry));
  refuseConflict(await readRegister(register), entry, register);
}

function refuseConflict(entries: readonly RegisterEntry[], entry: RegisterEntry, register: string): void {
  const conflict = conflictingEntry(entries, entry);
  if (conflict === undefined) return;
  throw StationError.of("KEY_NONCE_REUSED", { file: conflict.file, time: conflict.time, register });
}

async function append(file: string, line: string): Promise<void> {
  try {
    const handle = await open(file, "a", 0o600);
    try {
      await handle.appendFile(line);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncFolder(dirname(file));
  } catch (error) {
    throw StationError.of("OUTPUT_UNWRITABLE", { file, detail: systemDetail(error) }, { cause: error });
  }
}
