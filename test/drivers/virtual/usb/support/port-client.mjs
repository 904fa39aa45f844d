// A program that uses the station's libusb port on its own: `node port-client.mjs <scenario>[,<scenario>…] <serial>`. It runs
// what was built, in a process of its own, because the virtual bus answers system calls of other processes only.
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { libusbOpener, listUsbProbes } from "../../../../../dist/drivers/stlink/libusb.js";
import { selectProbe } from "../../../../../dist/drivers/stlink/select.js";

const [names, serial] = process.argv.slice(2);
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const command = (...bytes) => Uint8Array.from({ length: 16 }, (_, i) => bytes[i] ?? 0);
const getVersion = command(0xf1);
const getCurrentMode = command(0xf5);
const readCoreId = command(0xf2, 0x22);
const hex = (bytes) => Buffer.from(bytes).toString("hex");
/** Long enough for libusb's event thread to go to sleep, which is when its own time-outs fail. */
const idleMs = 200;

async function open() {
  return libusbOpener(selectProbe(await listUsbProbes(), `usb:${serial}`)).open();
}

async function outcome(action) {
  try {
    return { value: await action() };
  } catch (error) {
    return { code: error.code };
  }
}

async function version(port) {
  await port.send(getVersion, 1000);
  return hex(await port.receive(6, 1000));
}

const scenarios = {
  /** Two bytes and no more: the version, then nothing is left open. */
  async version() {
    const port = await open();
    say({ version: await version(port) });
    await port.close();
  },
  /** Holds the probe until its standard input ends. */
  async hold() {
    const port = await open();
    say({ held: true });
    process.stdin.resume();
    await once(process.stdin, "end");
    await port.close();
  },
  /** Waits for an answer to nothing. */
  async pendingRead() {
    const port = await open();
    const read = outcome(() => port.receive(6, 600_000));
    say({ reading: true });
    say({ read: await read, afterwards: await outcome(() => version(port)) });
    await port.close();
  },
  /** A read that nobody answers, after libusb has gone to sleep; the port works afterwards. */
  async silence() {
    const port = await open();
    const before = await version(port);
    await delay(idleMs);
    const read = await outcome(() => port.receive(6, 150));
    say({ before, read, after: await version(port) });
    await port.close();
  },
  /** A command that the probe refuses by stalling; the port works afterwards. */
  async stall() {
    const port = await open();
    await port.send(readCoreId, 1000);
    const read = await outcome(() => port.receive(4, 1000));
    say({ read, after: await version(port) });
    await port.close();
  },
  /** A reply longer than its buffer. */
  async overflow() {
    const port = await open();
    await port.send(getVersion, 1000);
    say({ read: await outcome(() => port.receive(2, 1000)) });
    await port.close();
  },
  /** A read begun before its command. */
  async readFirst() {
    const port = await open();
    const read = port.receive(2, 1000);
    await port.send(getCurrentMode, 1000);
    say({ mode: hex(await read) });
    await port.close();
  },
  /** Resets a probe that is out of step: its reply to the last command was never fetched. */
  async reset() {
    const opener = libusbOpener(selectProbe(await listUsbProbes(), `usb:${serial}`));
    const port = await opener.open();
    await port.send(getVersion, 1000);
    await port.close();
    const again = await opener.open({ reset: true });
    await again.send(getCurrentMode, 1000);
    say({ mode: hex(await again.receive(2, 1000)) });
    await again.close();
  },
  /** Ends with the device open and a transfer under way. */
  async exitOpen() {
    const port = await open();
    const read = outcome(() => port.receive(6, 600_000));
    say({ leaving: true });
    await Promise.race([read, delay(idleMs)]);
    process.exit(0);
  },
};

for (const name of names.split(",")) await scenarios[name]();
