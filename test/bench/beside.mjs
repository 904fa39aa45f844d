// The station beside OpenOCD and stlink-tools: USB transfers and CPU time of the host's side for the same jobs, all on
// one virtual probe on the user-space USB bus. Transfers are counts; CPU time depends on the machine and includes what the
// bus costs in each program, so read it as ratios.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openVirtualBench, parseVirtualSelector } from "../../dist/drivers/virtual/bench.js";
import { personalities } from "../../dist/drivers/virtual/stlink/personalities.js";
import { UsbBus } from "../../dist/drivers/virtual/usb/bus.js";
import { CoupledClock } from "../../dist/drivers/virtual/usb/coupled-clock.js";
import { missingPreload } from "../../dist/drivers/virtual/usb/preload-library.js";
import { describeStlink } from "../../dist/drivers/virtual/usb/stlink-descriptors.js";
import { StlinkUsbDevice } from "../../dist/drivers/virtual/usb/stlink-device.js";

/** Erasing and programming hardly take time, so that nobody's polling counts. */
const chipSecondsPerSecond = 2000;
const runsPerJob = 3;

const openocd = (config, ...commands) => [
  ...["openocd", "-f", `interface/${config}.cfg`],
  ...["gdb_port disabled", "tcl_port disabled", "telnet_port disabled"].flatMap((word) => ["-c", word]),
  // No loader: the virtual core executes nothing.
  ...["-c", "set WORKAREASIZE 0", "-f", "target/stm32h7x.cfg"],
  ...["init", "halt", ...commands, "shutdown"].flatMap((word) => ["-c", word]),
];
const station = (...words) => [process.execPath, join(import.meta.dirname, "beside-client.mjs"), ...words];

/** The tools, and the command line of each job a tool can do. */
const tools = {
  station: {
    connect: () => station("connect"),
    ram: (file) => station("ram", file),
    flash: (file) => station("flash", file),
  },
  "OpenOCD hla_swd": {
    connect: () => openocd("stlink"),
    ram: (file) => openocd("stlink", `load_image ${file} 0x24000000 bin`),
    flash: (file) => openocd("stlink", `flash write_image ${file} 0x08020000 bin`),
  },
  "OpenOCD dapdirect_swd": {
    connect: () => openocd("stlink-dap"),
    ram: (file) => openocd("stlink-dap", `load_image ${file} 0x24000000 bin`),
    flash: (file) => openocd("stlink-dap", `flash write_image ${file} 0x08020000 bin`),
  },
  "st-flash": {
    // It does nothing without a job; four bytes are the smallest.
    connect: (folder) => ["st-flash", "read", join(folder, "word.bin"), "0x08000000", "4"],
    // The only RAM it knows of this part are the 128 KiB at 0x20000000.
    ram: (file) => ["st-flash", "write", file, "0x20000000"],
    ramKibibytes: 128,
    // Erases the sector before and verifies afterwards, whether wanted or not.
    flash: (file) => ["st-flash", "write", file, "0x08020000"],
  },
};
const ramKibibytes = 512;
const flashKibibytes = 8;

/** Why the tools cannot be run; undefined when they can. */
async function missing() {
  const preload = await missingPreload();
  if (preload !== undefined) return `umockdev: ${preload}`;
  const absent = ["openocd", "st-flash", "bash"].filter((name) => spawnSync(name, ["--version"]).error);
  return absent.length === 0 ? undefined : `not installed: ${absent.join(", ")}`;
}

function pattern(sizeBytes) {
  return Uint8Array.from({ length: sizeBytes }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 13) & 0xff);
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const middle = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

/** Runs a program to its end; its user and system time in milliseconds, measured by the shell that starts it. */
async function cpuMs(words, env) {
  const script = 'TIMEFORMAT="cpu %3U %3S"; time "$@"';
  const child = spawn("bash", ["-c", script, "bash", ...words], { env: { ...process.env, ...env } });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (text += data));
  const code = await new Promise((resolve, reject) => child.once("error", reject).once("close", resolve));
  const seconds = /cpu ([\d.]+) ([\d.]+)\s*$/.exec(text);
  if (code !== 0 || seconds === null) throw new Error(`${words.join(" ")} ended with ${code}: ${text}`);
  return 1000 * sum(seconds.slice(1).map(Number));
}

async function openBus() {
  const config = parseVirtualSelector("virtual:h753");
  const clock = new CoupledClock(chipSecondsPerSecond);
  const failed = (thrown) => {
    throw thrown;
  };
  const bus = await UsbBus.open({ onFailure: failed });
  const bench = await openVirtualBench({ ...config, strict: false }, { clock });
  const description = describeStlink(personalities[config.probe], bench.opener.attachment.serial, false);
  await bus.plug(new StlinkUsbDevice(description, bench.opener, failed));
  return { bus, bench };
}

/** A factory-new part whose core runs from a sound vector table in sector 0. */
function freshPart({ chip }) {
  chip.store.fill("flash", 0, chip.flashBytes.length, 0xff);
  chip.store.fill("flashEcc", 0, chip.store.region("flashEcc").length, 0);
  chip.store.write("flash", 0, new Uint8Array(Uint32Array.of(0x24080000, 0x08000201).buffer));
  chip.powerOff();
  chip.powerOn();
}

/** A job as one tool does it: transfers of the first run (all are alike) and the median of the CPU time. */
async function measure({ bus, bench }, words) {
  const counts = [];
  const times = [];
  for (let i = 0; i < runsPerJob; i++) {
    freshPart(bench);
    const before = bench.transfers().count;
    times.push(await cpuMs(words, bus.environment({})));
    counts.push(bench.transfers().count - before);
  }
  return { usbTransfers: middle(counts), hostCpuMs: middle(times) };
}

/** What is left of a job without connecting, for the amount that every tool is compared by. */
function without(connect, job, share) {
  return {
    usbTransfers: Math.round((job.usbTransfers - connect.usbTransfers) / share),
    hostCpuMs: Math.max(0, job.hostCpuMs - connect.hostCpuMs) / share,
    ...(share === 1 ? {} : { scaledBy: 1 / share }),
  };
}

/** Below this a difference of two CPU times says nothing. */
const leastCpuMs = 20;

/** The figures of all tools for one job, each with its multiple of the station's where that can be told. */
function compared(figures) {
  const { station: own } = figures;
  return Object.fromEntries(
    Object.entries(figures).map(([tool, figure]) => [
      tool,
      {
        ...figure,
        perStation: {
          usbTransfers: figure.usbTransfers / own.usbTransfers,
          ...(own.hostCpuMs < leastCpuMs ? {} : { hostCpu: figure.hostCpuMs / own.hostCpuMs }),
        },
      },
    ]),
  );
}

/** @returns the section, or why there is none */
export async function beside() {
  const reason = await missing();
  if (reason !== undefined) return { skipped: reason };
  const folder = mkdtempSync(join(tmpdir(), "sfi-bench-"));
  const open = await openBus();
  try {
    const file = (name, kibibytes) => {
      const path = join(folder, name);
      writeFileSync(path, pattern(kibibytes * 1024));
      return path;
    };
    const connectAndHalt = {};
    const ramWrite = {};
    const flashWrite = {};
    for (const [tool, { connect, ram, flash, ramKibibytes: size = ramKibibytes }] of Object.entries(tools)) {
      const connected = await measure(open, connect(folder));
      connectAndHalt[tool] = connected;
      const written = await measure(open, ram(file("ram.bin", size)));
      ramWrite[tool] = without(connected, written, size / ramKibibytes);
      const programmed = await measure(open, flash(file("flash.bin", flashKibibytes)));
      flashWrite[tool] = without(connected, programmed, 1);
    }
    return {
      probe: "V3J15M6B5S1 with an H753 on the user-space USB bus",
      note: "the station's CPU time for connecting holds the start of Node and its modules",
      bareNodeCpuMs: middle(await Promise.all([1, 2, 3].map(() => cpuMs([process.execPath, "-e", "0"], {})))),
      connectAndHalt: compared(connectAndHalt),
      [`ramWrite${ramKibibytes}KiB`]: compared(ramWrite),
      [`flashWrite${flashKibibytes}KiB`]: {
        note: "OpenOCD without its loader, which the virtual core cannot execute; st-flash also erases and verifies",
        ...compared(flashWrite),
      },
    };
  } finally {
    await open.bus.close();
    await open.bench.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
