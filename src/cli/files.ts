import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StationError } from "../errors/station-error.ts";

/** The operating system's word for why a file operation failed, e.g. "ENOSPC: no space left on device". */
export function systemDetail(error: unknown): string {
  return error instanceof Error ? error.message.replace(/, \w+ '.*$/, "") : String(error);
}

/** A whole file. @throws FILE_UNREADABLE */
export async function readInput(file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    throw StationError.of("FILE_UNREADABLE", { file, detail: systemDetail(error) }, { cause: error });
  }
}

/** A whole text file. @throws FILE_UNREADABLE */
export async function readInputText(file: string): Promise<string> {
  return new TextDecoder().decode(await readInput(file));
}

/**
 * A key, nonce or license file: refused when other users of the machine may read it.
 * @throws FILE_UNREADABLE, KEY_FILE_EXPOSED
 */
export async function readSecret(file: string): Promise<Uint8Array> {
  const bytes = await readInput(file);
  if (process.platform !== "win32") {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) {
      throw StationError.of("KEY_FILE_EXPOSED", { file, mode: (mode & 0o777).toString(8).padStart(4, "0") });
    }
  }
  return bytes;
}

/**
 * Write a result so that after a crash there is the old file or the whole new one, never a part of it.
 * @param options.mode permission bits of a new file (0o600 for anything secret)
 * @throws OUTPUT_UNWRITABLE
 */
export async function writeOutput(
  file: string,
  data: Uint8Array | string,
  options: { readonly mode?: number } = {},
): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString("hex")}`);
  try {
    const handle = await open(temporary, "wx", options.mode ?? 0o644);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (error) {
    await rm(temporary, { force: true });
    throw StationError.of("OUTPUT_UNWRITABLE", { file, detail: systemDetail(error) }, { cause: error });
  }
}

/** Makes a folder and its parents. @throws OUTPUT_UNWRITABLE when that fails or the folder cannot be written */
export async function ensureFolder(folder: string, mode = 0o755): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode });
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw StationError.of(
      "OUTPUT_UNWRITABLE",
      { file: folder, detail: systemDetail(error) },
      { cause: error },
    );
  }
}

/** Make a rename or a new file in `folder` durable. Windows cannot open folders and needs no such call. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
