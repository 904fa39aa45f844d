import { rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Hex } from "../../src/bytes/digest.ts";
import { StationError } from "../../src/errors/station-error.ts";

/** What tells one owner's claim from another's. */
export interface LockSubject {
  /** Real path of the module. */
  readonly module: string;
  readonly label: string;
  /** Configuration that decides which tokens the module shows, e.g. SOFTHSM2_CONF. */
  readonly configuration: string;
}

/** A held lock. */
export interface OwnerLock {
  release(): Promise<void>;
}

/** How long an owner may take to say who it is. */
const greetingMs = 1000;

/**
 * Claims a token for this process. Tokens shared by processes lose objects and count wrongly (measured with SoftHSM2:
 * even opening one while another process writes fails), so the claim comes before the module is opened and goes by
 * label, which is known then. It is a listening socket: the system frees it however the process ends. On Linux it has
 * no file (abstract name), on Windows it is a named pipe.
 * @throws HSM_IN_USE with the owner's process id
 */
export async function claimToken(subject: LockSubject): Promise<OwnerLock> {
  const address = lockAddress(subject);
  const server = (await listen(address)) ?? (await takeOver(address));
  if (server === undefined) {
    throw StationError.of("HSM_IN_USE", { token: subject.label, pid: (await ownerOf(address)) ?? "unknown" });
  }
  server.unref();
  return { release: () => new Promise((resolve) => server.close(() => resolve())) };
}

function lockAddress({ module, label, configuration }: LockSubject): string {
  const name = `sfi-token-${sha256Hex(`${module}\0${label}\0${configuration}`).slice(0, 32)}`;
  if (process.platform === "linux") return `\0${name}`;
  return process.platform === "win32" ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

/** @returns undefined when somebody listens there, or did and left the file */
function listen(address: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      // Whoever asks may be gone before it is told.
      socket.on("error", () => socket.destroy());
      socket.end(String(process.pid));
    });
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => resolve(server));
  });
}

/** Where the socket is a file, one that nobody answers at is left from a process that was killed. */
async function takeOver(address: string): Promise<Server | undefined> {
  if (process.platform === "linux" || process.platform === "win32") return undefined;
  if ((await ownerOf(address)) !== undefined) return undefined;
  await rm(address, { force: true });
  return listen(address);
}

/** Process id of the owner; undefined when nobody answers. */
function ownerOf(address: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(address);
    socket.setTimeout(greetingMs, () => socket.destroy());
    socket.setEncoding("utf8");
    socket.on("data", (more: string) => {
      text += more;
    });
    socket.on("error", () => resolve(undefined));
    socket.on("close", () => resolve(/^\d+$/.test(text) ? text : undefined));
  });
}
