import { stripVTControlCharacters } from "node:util";
import { execa, type Options } from "execa";
import { StationError } from "../../src/errors/station-error.ts";

/** A command-line program of the vendor's. */
export interface VendorTool {
  /** Absolute path of the program. */
  readonly file: string;
  /** Folder it must run in: it loads its modules by relative paths. */
  readonly folder: string;
}

/** How a run of it ended. */
export interface ToolResult {
  /** Undefined when a signal ended it. */
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** stdout and stderr as they came, without colors and carriage returns. */
  readonly text: string;
}

/** How to run it once. */
export interface ToolRun {
  readonly words: readonly string[];
  /** What the run is for, e.g. "a license request"; for messages. */
  readonly action: string;
  readonly timeoutMs: number;
}

/**
 * Runs the program to its end. Its own exit code is part of the result, not a failure: what it did is for the caller to
 * judge. A run that takes too long is ended with everything it started.
 * @throws VENDOR_TOOL_HUNG, VENDOR_TOOL_MISSING
 */
export async function runTool(tool: VendorTool, { words, action, timeoutMs }: ToolRun): Promise<ToolResult> {
  const options = {
    cwd: tool.folder,
    env: environmentOf(process.env),
    extendEnv: false,
    all: true,
    reject: false,
    stdin: "ignore",
    // A process group of its own: it can be ended with its children, and Ctrl-C does not cut off a license request.
    detached: process.platform !== "win32",
    cleanup: false,
    maxBuffer: 1_000_000,
    windowsHide: true,
  } as const satisfies Options;
  const child = execa(tool.file, [...words], options);
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    endTree(child.pid);
  }, timeoutMs);
  try {
    const result = await child;
    if (hung) throw StationError.of("VENDOR_TOOL_HUNG", { tool: tool.file, action, timeoutMs });
    if (result.exitCode === undefined && result.signal === undefined) {
      throw StationError.of("VENDOR_TOOL_MISSING", {
        tool: tool.file,
        detail: result.code ?? "it cannot be started",
      });
    }
    const text = stripVTControlCharacters(result.all ?? "").replaceAll("\r", "\n");
    return { exitCode: result.exitCode, signal: result.signal, text };
  } finally {
    clearTimeout(timer);
  }
}

/** The station's own settings are none of the tool's business: an address of a database may hold a password. */
function environmentOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(SFI_|PG)/.test(name)));
}

function endTree(pid: number | undefined): void {
  if (pid === undefined) return;
  if (process.platform === "win32") {
    // Only taskkill knows a process's children there.
    void execa("taskkill", ["/T", "/F", "/PID", String(pid)], { reject: false });
    return;
  }
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    // It may have ended in this very moment.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
