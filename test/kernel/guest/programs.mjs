// Running programs in the guest, and plugging probes in and out there.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const { PROJECT: project, WORK, USBIP_PORT: usbipPort } = process.env;
/** Folder of the job's files; see ./run. */
export const work = WORK;
/** Where QEMU's user-mode network has the machine it runs on. */
const host = "10.0.2.2";
/** No program here takes this long on any machine. */
const longestMs = 90_000;
const support = join(project, "test/drivers/virtual/usb/support");

/** Serial numbers of the probes that ./run serves, in the order of their bus ids. */
export const serials = {
  v3: "0000000000000000000000AA",
  v21: "0000000000000000000000BB",
  leaving: "0000000000000000000000CC",
};
export const portClient = join(support, "port-client.mjs");
export const expectedOutcomes = JSON.parse(readFileSync(join(support, "expected-outcomes.json"), "utf8"));

/** Starts a program. Its standard input stays open until it has ended. */
export function program(name, ...words) {
  return spawn(name, words, { stdio: ["pipe", "pipe", "pipe"], timeout: longestMs, killSignal: "SIGKILL" });
}

/** Waits for a program's first output. */
export async function started(child) {
  child.early = String((await once(child.stdout, "data"))[0]);
}

/** Waits for a program's end. */
export async function ended(child) {
  let stdout = child.early ?? "";
  let stderr = "";
  child.stdout.on("data", (piece) => {
    stdout += piece;
  });
  child.stderr.on("data", (piece) => {
    stderr += piece;
  });
  const [exitCode, signal] = await once(child, "close");
  return { exitCode, signal, stdout, stderr, all: stdout + stderr };
}

/** Runs a program to its end, with nothing on its standard input. */
export function run(name, ...words) {
  const child = program(name, ...words);
  child.stdin.end();
  return ended(child);
}

/** Runs the built station. */
export function sfi(...words) {
  return run(process.execPath, sfi.program, ...words);
}
sfi.program = join(project, "dist/src/cli/main.js");

async function must(name, ...words) {
  const { exitCode, all } = await run(name, ...words);
  if (exitCode !== 0) throw new Error(`${name} ${words.join(" ")} ended with ${exitCode}: ${all}`);
}

/** One request to udevd; answers when udevd has nothing more to do. */
export async function settleUdev(...request) {
  if (request.length > 0) await must("udevadm", ...request);
  await must("udevadm", "settle");
}

/** Plugs the probe with this serial number in. @returns its place: 1-1 for the first, 1-2 for the second … */
export async function attach(serial) {
  const busId = `1-${Object.values(serials).indexOf(serial) + 1}`;
  await must("usbip", "--tcp-port", usbipPort, "attach", "--remote", host, "--busid", busId);
  const place = `1-${++attached}`;
  // The kernel reads the descriptors after that program has ended. The last it makes of them is the interfaces.
  const last = join("/sys/bus/usb/devices", `${place}:1.0`);
  for (const endMs = performance.now() + longestMs; !existsSync(last); await delay(50))
    if (performance.now() > endMs) throw new Error(`${place} did not come`);
  await settleUdev();
  return place;
}
let attached = 0;

/** Pulls a probe out. */
export function detach(place) {
  return must("usbip", "detach", "--port", String(Number(place.split("-")[1]) - 1));
}

/** Device node of an attached probe. */
export function deviceNode(place) {
  const [, name] = /^DEVNAME=(.*)$/m.exec(
    readFileSync(join("/sys/bus/usb/devices", place, "uevent"), "utf8"),
  );
  return join("/dev", name);
}
