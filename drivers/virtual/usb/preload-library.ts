import { execFile } from "node:child_process";
import { endianness } from "node:os";
import { promisify } from "node:util";
import { StationError } from "../../../src/errors/station-error.ts";

/** Name under which the dynamic linker finds umockdev's preload library. */
export const preloadLibrary = "libumockdev-preload.so.0";

/** Machines with the layouts that usbfs-abi.ts spells out. */
const knownMachines: readonly string[] = ["x64", "arm64"];

/** Why programs cannot be given a virtual USB bus on this machine; undefined when they can. */
export async function missingPreload(): Promise<string | undefined> {
  if (process.platform !== "linux") return `it does not exist on ${process.platform}`;
  if (endianness() !== "LE" || !knownMachines.includes(process.arch)) return `not on ${process.arch}`;
  try {
    // The linker itself is asked; it goes on without a library that it does not find, and says so.
    const env = { ...process.env, LC_ALL: "C", LD_PRELOAD: preloadLibrary };
    const { stderr } = await promisify(execFile)("true", [], { env });
    return stderr === "" ? undefined : "it is not installed";
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : String(thrown);
  }
}

/** @throws USB_BENCH_MISSING */
export async function requirePreload(): Promise<void> {
  const detail = await missingPreload();
  if (detail !== undefined) throw StationError.of("USB_BENCH_MISSING", { library: preloadLibrary, detail });
}
