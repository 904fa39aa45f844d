import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { projectRoot } from "./sample-job.ts";
import { temporaryFolder } from "./sfi.ts";

/** The built child: a process of its own cannot run these sources. */
export const childFile = join(projectRoot, "dist/drivers/pkcs11/child.js");

/** Why tests of PKCS#11 cannot run here; empty when they can. */
export const bindingMissing: string = (() => {
  try {
    createRequire(import.meta.url)("pkcs11js");
    return "";
  } catch {
    return "needs the optional package pkcs11js";
  }
})();

/** SoftHSM2's module; undefined when it is not installed. */
export const softHsmModule: string | undefined = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib64/softhsm/libsofthsm2.so",
  "/usr/local/lib/softhsm/libsofthsm2.so",
  "/opt/homebrew/lib/softhsm/libsofthsm2.so",
].find((path) => existsSync(path));

export const softHsmMissing: string =
  bindingMissing || (softHsmModule === undefined ? "needs SoftHSM2 (apt-get install softhsm2)" : "");

export const compilerMissing: string =
  bindingMissing || (spawnSync("cc", ["--version"]).status === 0 ? "" : "needs a C compiler (cc)");

/** A token of SoftHSM2 in a folder that goes with the test. */
export interface SoftToken {
  readonly module: string;
  readonly label: string;
  readonly pin: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A PIN that nothing else in a test's output can look like. */
export const markedPin = "PiN-7c1e5b42d9";

export function softToken(label = "sfi-dev"): SoftToken {
  const folder = temporaryFolder();
  const configuration = join(folder, "softhsm2.conf");
  mkdirSync(join(folder, "tokens"));
  writeFileSync(
    configuration,
    `directories.tokendir = ${join(folder, "tokens")}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n`,
  );
  const env = { PATH: process.env["PATH"] ?? "", SOFTHSM2_CONF: configuration };
  initToken(env, label);
  return { module: softHsmModule!, label, pin: markedPin, env };
}

/** One more token in the same folder. */
export function initToken(env: Readonly<Record<string, string>>, label: string): void {
  const words = ["--init-token", "--free", "--label", label, "--so-pin", "87654321", "--pin", markedPin];
  const { status, stderr } = spawnSync("softhsm2-util", words, { env, encoding: "utf8" });
  if (status !== 0) throw new Error(`softhsm2-util: ${stderr}`);
}

/** The ways of test/support/bad-module.c. */
const modes = [
  "good",
  "segv",
  "hang-at-start",
  "exits",
  "general-error",
  "chatter",
  "aborts",
  "hang-later",
  "pin-locked",
  "last-try",
  "count-logins",
  "tells-pin",
  "disturbs-pipe",
  "no-slots",
  "hang-with-child",
  "tells-openssl",
] as const;
export type BadMode = (typeof modes)[number];

/** Compiles a module that misbehaves in this way. */
export function badModule(mode: BadMode, words: readonly string[] = []): string {
  const source = join(projectRoot, "test/support/bad-module.c");
  return compile([`-DMODE=${modes.indexOf(mode)}`, source, ...words], `${mode}.so`);
}

/** Compiles a library from C text. */
export function libraryOf(text: string, name: string, words: readonly string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), "sfi-c-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const source = join(folder, "library.c");
  writeFileSync(source, text);
  return compile([source, ...words], name);
}

function compile(words: readonly string[], name: string): string {
  const library = join(temporaryFolder(), name);
  const { status, stderr } = spawnSync("cc", ["-shared", "-fPIC", "-O0", "-w", "-o", library, ...words], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`cc: ${stderr}`);
  return library;
}
