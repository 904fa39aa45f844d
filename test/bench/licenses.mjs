// How fast licenses are issued with a durable ledger, embedded and on PostgreSQL. Runs against dist.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { certificateOf, openStation } from "../support/license-station.mjs";

const packageDigest = "0".repeat(64);
const clients = 8;

async function milliseconds(work) {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

/** What a folder's disk takes for one small write that waits for it: what every durable ledger pays at least. */
async function fsyncMs(folder) {
  const { open } = await import("node:fs/promises");
  const handle = await open(join(folder, "fsync"), "a");
  const times = [];
  for (let i = 0; i < 100; i++) {
    times.push(
      await milliseconds(async () => {
        await handle.appendFile("x".repeat(400));
        await handle.datasync();
      }),
    );
  }
  await handle.close();
  return { median: percentile(times, 0.5), p99: percentile(times, 0.99) };
}

/** One ledger: issue, append, and eight clients at once, each asking for chips of its own. */
async function measure(ledgerAddress, folder) {
  mkdirSync(folder, { recursive: true });
  const token = join(folder, "token");
  writeFileSync(token, "");
  const station = await openStation({ ledger: ledgerAddress, folder: join(folder, "licenses"), token });
  const issue = (chip) => station.broker.obtain({ certificate: certificateOf(chip), packageDigest });
  await issue(1);
  const issued = [];
  for (let chip = 2; chip <= 60; chip++) issued.push(await milliseconds(() => issue(chip)));
  const { key } = await issue(1);
  const appends = [];
  for (let i = 0; i < 400; i++) {
    appends.push(await milliseconds(() => station.ledger.append({ kind: "served", key })));
  }
  const eachClient = 25;
  const together = await milliseconds(() =>
    Promise.all(
      Array.from({ length: clients }, async (_, client) => {
        for (let i = 0; i < eachClient; i++) await issue(1000 + client * eachClient + i);
      }),
    ),
  );
  await station.ledger.close();
  return {
    issueMs: { median: percentile(issued, 0.5), p99: percentile(issued, 0.99) },
    appendMs: { median: percentile(appends, 0.5), p99: percentile(appends, 0.99), goal: "p99 below 20" },
    licensesPerSecond8Clients: (clients * eachClient * 1000) / together,
  };
}

/** A PostgreSQL server that waits for the disk, as a real one does; undefined where it is not installed. */
async function postgres(folder) {
  const debian = "/usr/lib/postgresql";
  const version = existsSync(debian) ? readdirSync(debian).sort((a, b) => b - a)[0] : undefined;
  if (version === undefined) return undefined;
  const bin = join(debian, version, "bin");
  const asRoot = process.getuid?.() === 0;
  const [uid, gid] = asRoot
    ? ["-u", "-g"].map((which) => Number(execFileSync("id", [which, "postgres"], { encoding: "utf8" })))
    : [undefined, undefined];
  const home = join(folder, "postgres");
  mkdirSync(home);
  if (asRoot) {
    chmodSync(folder, 0o755);
    chownSync(home, uid, gid);
  }
  const options = { uid, gid, cwd: home, env: { PATH: process.env.PATH, LC_ALL: "C.UTF-8" } };
  const data = join(home, "data");
  const made = spawnSync(join(bin, "initdb"), ["-D", data, "-A", "trust", "-U", "station"], options);
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const port = await freePort();
  const settings = [`port=${port}`, "listen_addresses=127.0.0.1", `unix_socket_directories=${home}`];
  const words = ["-D", data, ...settings.flatMap((setting) => ["-c", setting])];
  const server = spawn(join(bin, "postgres"), words, { ...options, stdio: ["ignore", "ignore", "pipe"] });
  await new Promise((resolve, reject) => {
    server.stderr.on("data", (text) => {
      if (String(text).includes("ready to accept connections")) resolve();
    });
    server.once("exit", (code) => reject(new Error(`postgres ended with ${code}`)));
  });
  return {
    address: `postgres://station@127.0.0.1:${port}/postgres`,
    stop: () =>
      new Promise((resolve) => {
        server.once("close", resolve);
        server.kill("SIGINT");
      }),
  };
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** Licenses with a durable ledger, on the disk of the temporary folder. */
export async function licenses() {
  const folder = mkdtempSync(join(tmpdir(), "sfi-bench-licenses-"));
  try {
    const disk = await fsyncMs(folder);
    const embedded = await measure(join(folder, "ledger.ndjson"), join(folder, "embedded"));
    const server = await postgres(folder);
    const shared =
      server === undefined
        ? "PostgreSQL is not installed"
        : await measure(server.address, join(folder, "shared"));
    await server?.stop();
    return { diskWriteMs: disk, embedded, postgres: shared };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
