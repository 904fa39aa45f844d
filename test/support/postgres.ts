import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Folder of PostgreSQL's programs, newest version first; undefined where it is not installed. */
export const postgresPrograms: string | undefined = findPrograms();

function findPrograms(): string | undefined {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  return versions
    .map((version) => join(debian, version, "bin"))
    .find((bin) => existsSync(join(bin, "initdb")));
}

/** A database server of the test's own, which can be killed and started again. */
export interface PostgresServer {
  readonly address: string;
  /** SIGKILL, to the server and with it to all its sessions. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** SQL by psql, as the owner of everything. Returns the rows as text. */
  sql(text: string, database?: string): string;
  /** Ends the server and removes its files. */
  remove(): Promise<void>;
}

/**
 * Starts a server on a free port of 127.0.0.1 with its files in a temporary folder.
 * It does not wait for the disk: a killed server loses nothing by that, only a power cut would.
 */
export async function startPostgres(): Promise<PostgresServer> {
  if (postgresPrograms === undefined) throw new Error("PostgreSQL is not installed");
  const bin = postgresPrograms;
  const folder = mkdtempSync(join(tmpdir(), "sfi-postgres-"));
  const user = unprivileged();
  const sockets = join(folder, "sockets");
  const data = join(folder, "data");
  mkdirSync(sockets);
  if (user.uid !== undefined) {
    for (const path of [folder, sockets]) chownSync(path, user.uid, user.gid);
  }
  chmodSync(folder, 0o700);
  const environment = { PATH: process.env["PATH"] ?? "", LC_ALL: "C.UTF-8" };
  const options = { ...user, cwd: folder, env: environment };
  execFileSync(join(bin, "initdb"), ["-D", data, "-A", "trust", "-U", "station", "--no-sync"], {
    ...options,
    stdio: "ignore",
  });
  const port = await freePort();
  let server: ChildProcess | undefined;
  const psql = ["-h", "127.0.0.1", "-p", String(port), "-U", "station", "-v", "ON_ERROR_STOP=1"];

  const start = async () => {
    const settings = [
      `port=${port}`,
      "listen_addresses=127.0.0.1",
      `unix_socket_directories=${sockets}`,
      "fsync=off",
    ];
    const words = ["-D", data, ...settings.flatMap((setting) => ["-c", setting])];
    const [program = "", ...first] = [...dyingWithParent(), join(bin, "postgres")];
    const child = spawn(program, [...first, ...words], { ...options, stdio: ["ignore", "ignore", "pipe"] });
    server = child;
    await new Promise<void>((resolve, reject) => {
      let said = "";
      child.stderr?.on("data", (text: Buffer) => {
        said += text.toString();
        if (said.includes("ready to accept connections")) resolve();
      });
      child.once("exit", (code) => reject(new Error(`postgres ended with ${code}: ${said}`)));
    });
  };
  const end = (signal: NodeJS.Signals) =>
    new Promise<void>((resolve) => {
      if (server === undefined || server.exitCode !== null || server.signalCode !== null) return resolve();
      // "close": its sessions hold its stderr, so this is when the last of them is gone as well.
      server.once("close", () => resolve());
      server.kill(signal);
    });
  await start();
  return {
    address: `postgres://station@127.0.0.1:${port}/postgres`,
    start,
    kill: () => end("SIGKILL"),
    sql: (text, database = "postgres") =>
      execFileSync(join(bin, "psql"), [...psql, "-d", database, "-Atqc", text], {
        encoding: "utf8",
        env: environment,
        stdio: ["ignore", "pipe", "pipe"],
      }),
    async remove() {
      await end("SIGQUIT");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A test that is killed must leave no server behind: util-linux lets the kernel see to that. */
function dyingWithParent(): string[] {
  return existsSync("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "KILL"] : [];
}

/** initdb and postgres refuse to run as root. */
function unprivileged(): { uid?: undefined } | { uid: number; gid: number } {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ["-u", "-g"].map((which) =>
    Number(execFileSync("id", [which, "postgres"], { encoding: "utf8" })),
  );
  return { uid: uid ?? 0, gid: gid ?? 0 };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
