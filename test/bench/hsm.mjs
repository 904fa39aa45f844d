// Figures of the PKCS#11 bridge and of a development token behind it (SoftHSM2).
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { developmentTokenSource } from "../../dist/drivers/pkcs11/development-source.js";
import { createTokenClient } from "../../dist/drivers/pkcs11/token-client.js";
import { keyPairOf } from "../../dist/src/package/p256.js";

const module = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib64/softhsm/libsofthsm2.so",
  "/usr/local/lib/softhsm/libsofthsm2.so",
].find((path) => existsSync(path));

/** Median and 95th percentile of `runs` times, in milliseconds. */
async function times(runs, work) {
  const results = [];
  for (let i = 0; i < runs; i++) {
    const start = process.hrtime.bigint();
    await work();
    results.push(Number(process.hrtime.bigint() - start) / 1e6);
  }
  results.sort((a, b) => a - b);
  return { medianMs: results[Math.floor(runs / 2)], p95Ms: results[Math.floor(runs * 0.95)] };
}

/** The section `hsm`; where SoftHSM2 or the binding is missing, the reason. */
export async function hsmBench() {
  if (module === undefined) return { skipped: "SoftHSM2 is not installed (apt-get install softhsm2)" };
  const folder = mkdtempSync(join(tmpdir(), "sfi-bench-hsm-"));
  try {
    return await measure(folder);
  } catch (error) {
    if (error.code === "PKCS11_UNAVAILABLE") return { skipped: error.message };
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(folder) {
  const configuration = join(folder, "softhsm2.conf");
  mkdirSync(join(folder, "tokens"));
  writeFileSync(configuration, `directories.tokendir = ${join(folder, "tokens")}\nlog.level = ERROR\n`);
  const env = { PATH: process.env.PATH, SOFTHSM2_CONF: configuration };
  const words = ["--init-token", "--free", "--label", "bench", "--so-pin", "87654321", "--pin", "1234"];
  const { status, stderr } = spawnSync("softhsm2-util", words, { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`softhsm2-util: ${stderr}`);
  const options = { module, token: { label: "bench" }, env, pin: async () => "1234" };

  const client = createTokenClient(options);
  const secret = "00".repeat(32);
  await client.provision({ firmwareId: "BENCH", secret, maximum: 10_000, lock: true });
  await times(100, () => client.bridge.call("ping", {}));
  const roundTrip = await times(2000, () => client.bridge.call("ping", {}));
  const readState = await times(300, () => client.state());
  const restart = await times(10, async () => {
    await client.bridge.restart();
    await client.state();
  });
  await client.close();

  const { publicKey } = keyPairOf(new Uint8Array(32).fill(1));
  const certificate = new Uint8Array(136);
  certificate.set(new TextEncoder().encode("45002001"));
  certificate.set(publicKey, 8);
  const source = developmentTokenSource({ ...options, firmwareId: undefined });
  await source.check(false);
  const issue = await times(100, () => source.issue({ certificate, packageDigest: "00".repeat(32) }));
  await source.close();
  return { bridgeRoundTrip: roundTrip, readState, startOpenAndRead: restart, issueWithoutLedger: issue };
}
