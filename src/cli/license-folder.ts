import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { concatBytes, equalBytes } from "../bytes/bytes.ts";
import { sha256Hex } from "../bytes/digest.ts";
import { fromHex, toHex } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import type { LicenseStore } from "../ports/index.ts";
import { syncFolder, systemDetail } from "./files.ts";

/** A stored license is followed by its SHA-256, so that damage is noticed before the chip sees it. */
const digestBytes = 32;
/** One block of a common file system: more than a license needs. */
const checkSizeBytes = 4096;

/**
 * Issued licenses as files in one owner-only folder, one a chip and package.
 * A file appears whole and durable or not at all, and is never replaced.
 */
export function licenseFolder(folder: string): LicenseStore {
  const pathOf = (key: string) => join(folder, `${key}.license`);
  const failed = (error: unknown) =>
    StationError.of("LICENSE_STORE_FAILED", { folder, detail: systemDetail(error) }, { cause: error });

  /** A durable file beside the licenses that nobody looks for. Returns its path. */
  const writeTemporary = async (name: string, data: Uint8Array): Promise<string> => {
    const file = join(folder, `.${name}.${randomBytes(6).toString("hex")}`);
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
    return file;
  };

  const load: LicenseStore["load"] = async (key) => {
    const file = pathOf(key);
    let stored: Uint8Array;
    try {
      stored = new Uint8Array(await readFile(file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw failed(error);
    }
    const license = stored.subarray(0, Math.max(0, stored.length - digestBytes));
    const digest = stored.subarray(license.length);
    if (sha256Hex(license) !== toHex(digest)) {
      throw StationError.of("LICENSE_STORE_DAMAGED", { file, detail: "its digest does not match" });
    }
    return license;
  };

  return {
    load,
    async checkWritable() {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        // Writing is the only way to learn that the disk is full or a quota is used up, and it must be learned now.
        await writeTemporary("check", new Uint8Array(checkSizeBytes)).then((file) => rm(file));
      } catch (error) {
        throw failed(error);
      }
    },
    async save(key, license) {
      let temporary: string | undefined;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        temporary = await writeTemporary(key, concatBytes(license, fromHex(sha256Hex(license))));
        // link() fails when the name exists: two stations on one folder cannot replace each other's license.
        await link(temporary, pathOf(key));
        await syncFolder(folder);
      } catch (error) {
        const already = (error as NodeJS.ErrnoException).code === "EEXIST" ? await load(key) : undefined;
        if (already === undefined || !equalBytes(already, license)) throw failed(error);
      } finally {
        if (temporary !== undefined) await rm(temporary, { force: true });
      }
    },
    async setAside(key) {
      try {
        const license = await load(key);
        if (license === undefined) return;
        await rename(pathOf(key), join(folder, `${key}.forgotten-${sha256Hex(license).slice(0, 16)}`));
        await syncFolder(folder);
      } catch (error) {
        throw failed(error);
      }
    },
  };
}
