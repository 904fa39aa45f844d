import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { expect, onTestFinished } from "vitest";
import { openUsbBench, type UsbBench } from "../../../../../drivers/virtual/usb/bench.ts";
import { UsbBus } from "../../../../../drivers/virtual/usb/bus.ts";
import { missingPreload } from "../../../../../drivers/virtual/usb/preload-library.ts";

/** False where programs cannot be given a virtual USB bus; tests are then skipped under a name that says so. */
export const umockdevAvailable = (await missingPreload()) === undefined;

/** True when a program is in PATH. */
export function hasProgram(name: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** A USB bus with virtual probes that goes with the test; the test fails when serving a program failed. */
export async function usbBench(...selectors: string[]): Promise<UsbBench> {
  const failures: unknown[] = [];
  const bench = await openUsbBench(selectors, (thrown) => failures.push(thrown));
  onTestFinished(async () => {
    await bench.close();
    expect(failures).toEqual([]);
  });
  return bench;
}

/** A USB bus without any devices that goes with the test. */
export async function emptyBus(): Promise<UsbBus> {
  const failures: unknown[] = [];
  const bus = await UsbBus.open({ onFailure: (thrown) => failures.push(thrown) });
  onTestFinished(async () => {
    await bus.close();
    expect(failures).toEqual([]);
  });
  return bus;
}

/** Starts a program on a bus. Its result has both streams together in `all`; it never rejects. */
export function start(bus: UsbBus, program: string, ...words: string[]) {
  const env = bus.environment(process.env);
  return execa(program, words, { env, all: true, reject: false, stdin: "pipe", timeout: 50_000 });
}

/** Runs a program on a bus to its end, with nothing on its standard input. */
export async function run(bus: UsbBus, program: string, ...words: string[]) {
  const child = start(bus, program, ...words);
  child.stdin.end();
  return child;
}

const sfiProgram = join(import.meta.dirname, "../../../../../dist/src/cli/main.js");
const portClient = join(import.meta.dirname, "port-client.mjs");

/** Runs the built station on a bus. */
export function runSfi(bus: UsbBus, ...words: string[]) {
  return run(bus, process.execPath, sfiProgram, ...words, "--no-color");
}

/** Starts a scenario of port-client.mjs with a probe. */
export function startPortClient(bus: UsbBus, scenario: string, serial: string) {
  return start(bus, process.execPath, portClient, scenario, serial);
}

/** Runs a scenario to its end. @returns what it said, with its exit */
export async function runPortClient(bus: UsbBus, scenario: string, serial: string) {
  const { exitCode, stdout, all } = await run(bus, process.execPath, portClient, scenario, serial);
  return { exitCode, said: stdout === "" ? all : JSON.parse(stdout) };
}
