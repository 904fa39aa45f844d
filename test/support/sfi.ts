import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { projectRoot } from "./sample-job.ts";

export const sfiProgram = join(projectRoot, "dist/src/cli/main.js");

export interface SfiResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built `sfi` in a folder of its own. */
export function sfi(
  words: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<SfiResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [sfiProgram, ...words], {
      cwd: options.cwd ?? tmpdir(),
      env: { PATH: process.env["PATH"] ?? "", HOME: options.cwd ?? tmpdir(), ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (data: Buffer) => {
      stdout += data.toString();
    });
    child.stderr.on("data", (data: Buffer) => {
      stderr += data.toString();
    });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** Names of the license files in a license folder; beside them lies the ledger. */
export function licenseFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".license"));
}

/** A temporary folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sfi-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
