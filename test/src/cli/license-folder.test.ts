import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { licenseFolder } from "../../../src/cli/license-folder.ts";
import { temporaryFolder } from "../../support/sfi.ts";

const key = "ab".repeat(32);
const license = new Uint8Array(136).fill(7);

describe("license folder", () => {
  it("keeps a license readable by its owner only, and gives it back", async () => {
    const folder = join(temporaryFolder(), "licenses");
    const store = licenseFolder(folder);
    expect(await store.load(key)).toBeUndefined();
    await store.save(key, license);
    expect(await store.load(key)).toEqual(license);
    expect(readdirSync(folder)).toEqual([`${key}.license`]);
    expect(statSync(join(folder, `${key}.license`)).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it("takes the same license again and never replaces it by another", async () => {
    const store = licenseFolder(temporaryFolder());
    await store.save(key, license);
    await store.save(key, license);
    await expect(store.save(key, new Uint8Array(136))).rejects.toMatchObject({
      code: "LICENSE_STORE_FAILED",
    });
    expect(await store.load(key)).toEqual(license);
  });

  it("notices every kind of damage and leaves the file alone", async () => {
    const folder = temporaryFolder();
    const store = licenseFolder(folder);
    await store.save(key, license);
    const file = join(folder, `${key}.license`);
    const whole = readFileSync(file);
    for (const damaged of [
      whole.subarray(1),
      whole.subarray(0, 135),
      Buffer.alloc(0),
      Buffer.concat([whole, whole]),
    ]) {
      writeFileSync(file, damaged);
      await expect(store.load(key)).rejects.toMatchObject({ code: "LICENSE_STORE_DAMAGED" });
      expect(readFileSync(file)).toEqual(damaged);
    }
  });

  it("says beforehand that a folder cannot be written, and leaves nothing behind when it can", async () => {
    const folder = temporaryFolder();
    await licenseFolder(folder).checkWritable();
    expect(readdirSync(folder)).toEqual([]);
    writeFileSync(join(folder, "file"), "");
    await expect(licenseFolder(join(folder, "file")).checkWritable()).rejects.toMatchObject({
      code: "LICENSE_STORE_FAILED",
    });
    chmodSync(folder, 0o700);
  });
});
