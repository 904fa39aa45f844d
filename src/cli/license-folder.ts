import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, link, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { equalBytes } from "../bytes/bytes.ts";
import { sha256Hex } from "../bytes/digest.ts";
import { StationError } from "../errors/station-error.ts";
import type { LicenseStore } from "../ports/index.ts";
import { syncFolder, systemDetail } from "./files.ts";

/** A stored license is followed by its SHA-256, so that damage is noticed before the chip sees it. */
const digestBytes = 32;

/**
 * Issued licenses as files in one owner-only folder, one a chip and package.
 * A file appears whole and durable or not at all, and is never replaced.
 */
export function licenseFolder(folder: string): LicenseStore {
  const pathOf = (key: string) => join(folder, `${key}.license`);
  const failed = (error: unknown) =>
    StationError.of("LICENSE_STORE_FAILED", { folder, detail: systemDetail(error) }, { cause: error });

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
    if (sha256Hex(license) !== Buffer.from(digest).toString("hex")) {
      throw StationError.of("LICENSE_STORE_DAMAGED", { file, detail: "its digest does not match" });
    }
    return license;
  };

  return {
    load,
    async checkWritable() {
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        await access(folder, constants.W_OK | constants.X_OK);
      } catch (error) {
        throw failed(error);
      }
    },
    async save(key, license) {
      const temporary = join(folder, `.${key}.${randomBytes(6).toString("hex")}`);
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        const handle = await open(temporary, "wx", 0o600);
        try {
          await handle.writeFile(Buffer.concat([license, Buffer.from(sha256Hex(license), "hex")]));
          await handle.sync();
        } finally {
          await handle.close();
        }
        // link() fails when the name exists: two stations on one folder cannot replace each other's license.
        await link(temporary, pathOf(key));
        await syncFolder(folder);
      } catch (error) {
        const already = (error as NodeJS.ErrnoException).code === "EEXIST" ? await load(key) : undefined;
        if (already === undefined || !equalBytes(already, license)) throw failed(error);
      } finally {
        await rm(temporary, { force: true });
      }
    },
  };
}
