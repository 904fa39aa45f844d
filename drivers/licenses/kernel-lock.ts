import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** open(2) flag of the BSDs and macOS: the kernel locks the file with the descriptor and frees it with it. */
const bsdExclusiveLock = 0x20;
/** How long to sleep where the kernel cannot wake a waiter. */
const pollMs = 5;

/** A lock that is held. The kernel takes it back when the process ends, however it ends. */
interface Held {
  release(): Promise<void>;
}

/**
 * Does `work` while no other process of this machine does work under the same name. There is no lock file to go stale:
 * the lock is a name in the kernel (an abstract socket on Linux, a named pipe on Windows, a file lock elsewhere), which
 * is gone with its process, killed or not.
 * @param name letters, digits, "-"; the same in every process
 * @returns undefined when the lock did not come within `timeoutMs`
 */
export async function withKernelLock<T>(
  name: string,
  timeoutMs: number,
  work: () => Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const held = await tryLock(name);
    if (held !== undefined) {
      try {
        return { value: await work() };
      } finally {
        await held.release();
      }
    }
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0) return undefined;
    await waitForRelease(name, leftMs);
  }
}

function tryLock(name: string): Promise<Held | undefined> {
  const path = socketPath(name);
  return path === undefined ? tryFileLock(name) : tryListen(path);
}

function socketPath(name: string): string | undefined {
  if (process.platform === "linux") return `\0sfi-${name}`;
  if (process.platform === "win32") return `\\\\.\\pipe\\sfi-${name}`;
  return undefined;
}

function tryListen(path: string): Promise<Held | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    const waiting = new Set<Socket>();
    server.on("connection", (socket) => {
      waiting.add(socket);
      // A waiter that goes away is no concern of the holder.
      socket.on("error", () => socket.destroy());
      socket.on("close", () => waiting.delete(socket));
    });
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(path, () => resolve({ release: () => closeServer(server, waiting) }));
  });
}

function closeServer(server: Server, waiting: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of waiting) socket.destroy();
  });
}

/** Waits for the holder to let go: the connection to it ends then. Wakes early as well; the caller tries again. */
async function waitForRelease(name: string, timeoutMs: number): Promise<void> {
  const path = socketPath(name);
  if (path === undefined) return delay(Math.min(pollMs, timeoutMs));
  let refused = false;
  await new Promise<void>((resolve) => {
    const socket = createConnection(path);
    socket.setTimeout(Math.ceil(timeoutMs), () => socket.destroy());
    // Refused: the holder has just let go, or its queue is full.
    socket.on("error", () => {
      refused = true;
    });
    socket.on("close", () => resolve());
    socket.resume();
  });
  if (refused) await delay(1);
}

async function tryFileLock(name: string): Promise<Held | undefined> {
  const file = join(tmpdir(), `sfi-${name}.lock`);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NONBLOCK | bsdExclusiveLock;
  try {
    const handle = await open(file, flags, 0o600);
    return { release: () => handle.close() };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") return undefined;
    throw error;
  }
}
