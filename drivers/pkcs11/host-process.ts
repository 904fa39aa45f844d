import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import type { OutputRing } from "./output-ring.ts";
import { type Answer, lineReader, protocolDescriptor, type Request } from "./protocol.ts";

/** How a child ended. */
export interface Death {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Set when its pipe broke before it ended. */
  readonly pipeDetail?: string;
}

/** One running child. */
export interface HostProcess {
  readonly pid: number | undefined;
  send(request: Request): void;
  /** Ends it at once, with everything it started. A signal that can be caught is no use inside native code. */
  kill(): void;
  /** Closes its pipe, which tells it to end by itself. */
  hangUp(): void;
  /** Resolves once, when it has ended and its last output was read. */
  readonly death: Promise<Death>;
}

/** How to start a child. */
export interface HostProcessOptions {
  /** Program file of the child, JavaScript. */
  readonly childFile: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly output: OutputRing;
  readonly onAnswer: (answer: Answer) => void;
}

/** How long a dead child's output may stay open: something it started may still hold it. */
const lastWordsMs = 500;

/** Starts a child with a pipe of its own for the protocol. Secrets go through that pipe only. */
export function startHost(options: HostProcessOptions): HostProcess {
  const child = spawn(process.execPath, [options.childFile, String(process.pid)], {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    // A process group of its own: Ctrl-C at the terminal must not end a module that is issuing a license.
    detached: process.platform !== "win32",
    windowsHide: true,
  });
  let pipeDetail: string | undefined;
  const kill = () => killGroup(child);
  const breakPipe = (detail: string) => {
    pipeDetail ??= detail;
    kill();
  };
  const pipe = child.stdio[protocolDescriptor] as Duplex;
  pipe.setEncoding("utf8");
  const read = lineReader((line) => options.onAnswer(JSON.parse(line) as Answer));
  pipe.on("data", (text: string) => {
    try {
      read(text);
    } catch (error) {
      breakPipe(`what came through it is no answer (${error instanceof Error ? error.name : "unknown"})`);
    }
  });
  pipe.on("error", (error) => breakPipe(error.message));
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8");
    stream?.on("data", (text: string) => options.output.add(text));
  }
  return {
    pid: child.pid,
    send: (request) => pipe.write(`${JSON.stringify(request)}\n`),
    kill,
    hangUp: () => pipe.end(),
    death: deathOf(child, pipe, () => pipeDetail),
  };
}

function deathOf(child: ChildProcess, pipe: Duplex, pipeDetail: () => string | undefined): Promise<Death> {
  return new Promise((resolve) => {
    const end = (exitCode: number | null, signal: NodeJS.Signals | null) => {
      const detail = pipeDetail();
      resolve({ exitCode, signal, ...(detail === undefined ? {} : { pipeDetail: detail }) });
    };
    child.once("error", (error) =>
      resolve({ exitCode: null, signal: null, pipeDetail: `it could not be started: ${error.message}` }),
    );
    child.once("exit", (exitCode, signal) => {
      pipe.destroy();
      const timer = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, lastWordsMs);
      child.once("close", () => {
        clearTimeout(timer);
        end(exitCode, signal);
      });
    });
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  if (process.platform === "win32") {
    child.kill("SIGKILL");
    return;
  }
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
