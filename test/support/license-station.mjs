// One station as a process of its own, for tests that need several or that kill one. Runs against dist.
// Argument: JSON { ledger, folder, token, chips: number[], parallel?, allowBurn?, dieAt?: { point, chip } }.
// Prints one JSON line for each chip, and a last one when it is done.
import { randomBytes } from "node:crypto";
import { appendFileSync, closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { openFileLedger } from "../../dist/drivers/licenses/file-ledger.js";
import { openPostgresLedger } from "../../dist/drivers/licenses/postgres-ledger.js";
import { sha256Hex } from "../../dist/src/bytes/digest.js";
import { licenseFolder } from "../../dist/src/cli/license-folder.js";
import { nodeClock } from "../../dist/src/cli/node-clock.js";
import { cautiousPolicy, createLicenseBroker } from "../../dist/src/license/license-broker.js";
import { keyPairOf } from "../../dist/src/package/p256.js";

/** The certificate of a chip, by number. */
export function certificateOf(chip) {
  const privateKey = new Uint8Array(32);
  privateKey.set([1, chip >>> 24, (chip >>> 16) & 0xff, (chip >>> 8) & 0xff, chip & 0xff]);
  const certificate = new Uint8Array(136).fill(0x11);
  certificate.set(new TextEncoder().encode("45002001"), 0);
  certificate.set(keyPairOf(privateKey).publicKey, 8);
  return certificate;
}

/**
 * A token that several processes can reach, as a file: one line for every license it ever gave, in one write each.
 * It notices when two ask at once.
 */
export function fileToken(file, capacity) {
  const given = () => readFileSync(file, "utf8").split("\n").length - 1;
  return {
    name: "hsm:test",
    counted: true,
    check: async () => {},
    inspect: async () => ({
      ready: true,
      remaining: capacity - given(),
      firmwareId: "product-1",
      detail: "OPERATIONAL_STATE",
    }),
    async issue({ certificate }) {
      closeSync(openSync(`${file}.busy`, "wx"));
      appendFileSync(file, `${sha256Hex(certificate)}\n`);
      // A card takes its time; others get their chance to do it wrong.
      await new Promise((resolve) => setImmediate(resolve));
      rmSync(`${file}.busy`);
      return Uint8Array.from([1, 0, 0, 0, ...randomBytes(132)]);
    },
  };
}

/** The broker of a station, as the command line makes it. */
export async function openStation(job) {
  const { ledger: where, folder, token, capacity = 1_000_000, allowBurn = 0, at } = job;
  const options = {
    station: `station ${process.pid}`,
    onNotice: (message) => say({ notice: message }),
    ...(job.host === undefined ? {} : { host: job.host }),
  };
  const ledger = await (where.startsWith("postgres://")
    ? openPostgresLedger(where, options)
    : openFileLedger(where, options));
  const broker = createLicenseBroker({
    source: fileToken(token, capacity),
    ledger,
    store: licenseFolder(folder),
    clock: nodeClock,
    policy: { ...cautiousPolicy, allowBurn },
    onNotice: options.onNotice,
    ...(at === undefined ? {} : { at }),
  });
  return { ledger, broker };
}

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const packageDigest = sha256Hex("package");

async function main(job) {
  let chip;
  const at = async (point) => {
    if (job.dieAt?.point === point && job.dieAt.chip === chip) process.kill(process.pid, "SIGKILL");
  };
  const { ledger, broker } = await openStation({ ...job, at });
  for (chip of job.chips) {
    const request = { certificate: certificateOf(chip), packageDigest };
    const asks = Array.from({ length: job.parallel ?? 1 }, () => broker.obtain(request));
    for (const ask of await Promise.allSettled(asks)) {
      const { status, value, reason } = ask;
      if (status === "fulfilled") say({ chip, issued: value.issued, license: sha256Hex(value.license) });
      else say({ chip, code: reason.code ?? String(reason), message: reason.message });
    }
  }
  const account = await ledger.account("hsm:test");
  await ledger.close();
  say({ done: true, account });
}

if (process.argv[2] !== undefined) await main(JSON.parse(process.argv[2]));
