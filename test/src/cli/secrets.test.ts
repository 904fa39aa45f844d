import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { jobFiles } from "../../support/job-files.ts";
import { sampleKey, sampleNonce } from "../../support/sample-job.ts";
import { licenseFiles, sfi, temporaryFolder } from "../../support/sfi.ts";

/** Every way in which bytes could have been printed. */
function spellings(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes);
  return [
    buffer.toString("hex"),
    buffer.toString("hex").toUpperCase(),
    buffer.toString("base64"),
    buffer.toString("latin1"),
    [...bytes].join(","),
  ];
}

describe("secrets", () => {
  it("key, nonce and license are in no output, journal, report or log, at the highest verbosity, good end or bad", async () => {
    const folder = temporaryFolder();
    const { install, at } = jobFiles(folder);
    const good = await sfi([...install, "--probe", "virtual:h753", "-vv"]);
    const bad = await sfi([...install, "--probe", "virtual:h743", "-vv", "--json"]);
    expect([good.code, bad.code]).toEqual([0, 5]);
    const licenses = licenseFiles(at("licenses")).map((name) => at(`licenses/${name}`));
    expect(licenses).toHaveLength(1);
    expect(statSync(licenses[0]!).mode & 0o777).toBe(0o600);
    expect(statSync(at("licenses")).mode & 0o777).toBe(0o700);
    const license = new Uint8Array(readFileSync(licenses[0]!)).subarray(0, 136);
    const written = readdirSync(at("runs")).map((name) => readFileSync(join(at("runs"), name), "latin1"));
    const texts = [good.stdout, good.stderr, bad.stdout, bad.stderr, ...written];
    for (const secret of [sampleKey, sampleNonce, license.subarray(88, 120), license]) {
      for (const spelling of spellings(secret)) {
        for (const text of texts) expect(text.includes(spelling)).toBe(false);
      }
    }
  });
});
