// Measures the station on this machine and prints one JSON object. Figures that depend on the machine are given beside
// what they are compared with; modelled figures do not depend on it. Runs against dist (`npm run bench` builds it).
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { openStlink } from "../../dist/drivers/stlink/probe.js";
import { openVirtualBench, parseVirtualSelector } from "../../dist/drivers/virtual/bench.js";
import { loadManifests } from "../../dist/src/cli/manifests.js";
import { connectDebug } from "../../dist/src/dap/connect.js";
import { readFirmware } from "../../dist/src/firmware/read-firmware.js";
import { packageRules } from "../../dist/src/install/package-rules.js";
import { parseSfi } from "../../dist/src/package/sfi.js";
import { buildSfi } from "../../dist/src/package/sfi-build.js";
import { checkStructure, openSfi } from "../../dist/src/package/sfi-verify.js";
import { identifyTarget } from "../../dist/src/target/identify.js";
import { beside } from "./beside.mjs";
import { hsmBench } from "./hsm.mjs";
import { licenses } from "./licenses.mjs";
import { packageCreator } from "./packages.mjs";

const root = join(import.meta.dirname, "../..");
const sfi = join(root, "dist/src/cli/main.js");

/** Median of `runs` results of `measure`, after one that does not count. */
async function median(runs, measure) {
  await measure();
  const results = [];
  for (let i = 0; i < runs; i++) results.push(await measure());
  return results.sort((a, b) => a - b)[Math.floor(runs / 2)];
}

async function milliseconds(work) {
  const start = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

function run(words, options = {}) {
  const { status, stderr, stdout } = spawnSync(process.execPath, words, { encoding: "utf8", ...options });
  if (status !== 0) throw new Error(`${words.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}

async function startUp() {
  const bareMs = await median(11, () => milliseconds(() => run(["-e", "0"])));
  const versionMs = await median(11, () => milliseconds(() => run([sfi, "--version"])));
  const inspectMs = await median(5, () =>
    milliseconds(() => run([sfi, "inspect", "--probe", "virtual:h753"])),
  );
  return {
    bareNodeMs: bareMs,
    versionMs,
    inspectMs,
    versionPerBareNode: versionMs / bareMs,
    goal: "below 2.5",
  };
}

/** Intel HEX with 16-byte records. */
function hexText(data) {
  const lines = [];
  const record = (type, address, bytes) => {
    const body = [bytes.length, address >> 8, address & 0xff, type, ...bytes];
    const sum = body.reduce((total, byte) => total + byte, 0);
    return `:${[...body, -sum & 0xff].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join("")}`;
  };
  for (let at = 0; at < data.length; at += 16) {
    const address = 0x08000000 + at;
    if (at % 0x10000 === 0) lines.push(record(4, 0, [address >>> 24, (address >>> 16) & 0xff]));
    lines.push(record(0, address & 0xffff, data.subarray(at, at + 16)));
  }
  return new TextEncoder().encode(`${lines.join("\n")}\n:00000001FF\n`);
}

function pattern(sizeBytes) {
  return Uint8Array.from({ length: sizeBytes }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 13) & 0xff);
}

async function parsing() {
  const hex = hexText(pattern(4 * 1024 * 1024));
  const ms = await median(7, () => milliseconds(() => readFirmware(hex, { source: "bench.hex" })));
  return { hexMebibytes: 4, ms, goal: "below 60" };
}

async function packages(manifest) {
  const key = new Uint8Array(16).fill(1);
  const nonce = new Uint8Array(12).fill(2);
  const input = {
    segments: [{ address: 0x08000000, data: pattern(1024 * 1024) }],
    optionWords: new Array(9).fill(0),
    key,
    nonce,
    imageVersion: 0,
    protocolVersion: 1,
    split: { ramSizeBytes: 0x1e000, tokenAddress: 0x081ff000 },
  };
  const bytes = buildSfi(input);
  const rules = packageRules(manifest);
  return {
    mebibytes: 1,
    buildMs: await median(7, () => milliseconds(() => buildSfi(input))),
    verifyWithoutKeyMs: await median(7, () =>
      milliseconds(() => checkStructure(parseSfi(bytes, "bench"), rules)),
    ),
    verifyWithKeyMs: await median(7, () => milliseconds(() => openSfi(parseSfi(bytes, "bench"), key, nonce))),
  };
}

/** An SWD word takes 46 clocks: request, acknowledge, turnarounds, data and parity (Arm IHI 0031, wire protocol). */
const clocksPerWord = 46;

async function wire(manifests, selector, kilohertz) {
  const bench = await openVirtualBench(parseVirtualSelector(selector));
  const probe = await openStlink(bench.opener, bench.clock);
  await probe.readTargetMillivolts();
  const options = { mode: "normal", clockKilohertz: kilohertz, ap: 0, halt: true };
  const debug = await connectDebug(probe, bench.clock, options);
  await identifyTarget(debug, manifests);
  const connectTransfers = bench.transfers().count;
  const connectModelledMs = bench.modelledMs();
  const data = pattern(512 * 1024);
  const before = { ...bench.transfers() };
  const startMs = bench.modelledMs();
  const realMs = await milliseconds(() => debug.memory().write(0x24000000, data));
  const modelledMs = bench.modelledMs() - startMs;
  const after = bench.transfers();
  await probe.close();
  await bench.close();
  const idealMs = ((data.length / 4) * clocksPerWord) / debug.actualKilohertz;
  return {
    probe: probe.identity.firmware,
    swdKilohertz: debug.actualKilohertz,
    connectHaltIdentify: {
      usbTransfers: connectTransfers,
      modelledMs: connectModelledMs,
      goal: "at most 60 (OpenOCD: 301)",
    },
    ramWrite512KiB: {
      usbTransfers: after.count - before.count,
      usbBytes: after.bytesOut + after.bytesIn - before.bytesOut - before.bytesIn,
      modelledMs,
      fractionOfSwdIdeal: idealMs / modelledMs,
      realMs,
      goal: "at most 344 transfers (OpenOCD hla_swd: 2,050), 0.8 of the ideal or better at 24 MHz",
    },
  };
}

/** The whole job as a user runs it, in a process of its own: modelled time, real time, CPU time. */
async function install() {
  const folder = mkdtempSync(join(tmpdir(), "sfi-bench-"));
  try {
    run([sfi, "demo", "--dir", folder, "--quiet"]);
    const words = [
      ...[
        "install",
        "--probe",
        "virtual:h753",
        "--package",
        "demo.sfi",
        "--development-license",
        "--key",
        "key.bin",
      ],
      ...[
        "--nonce",
        "nonce.bin",
        "--expect",
        "options.csv",
        "--license-dir",
        "licenses",
        "--log-dir",
        "runs",
        "--json",
      ],
    ];
    let end;
    const realMs = await milliseconds(() => {
      end = JSON.parse(
        run([sfi, ...words], { cwd: folder })
          .trim()
          .split("\n")
          .at(-1),
      );
    });
    return {
      firmwareBytes: 182_592,
      parts: 2,
      modelledMs: end.durationMs,
      usbTransfers: end.usbTransfers,
      realMs,
      cpuMs: childCpuMs(folder, words),
      goal: "CPU below 2,000 ms",
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** User and system time of the same command, as the process itself accounts for it at its end. */
function childCpuMs(folder, words) {
  const script = `process.argv.splice(1, 1, ${JSON.stringify(sfi)}); process.once("exit", () => { const u = process.resourceUsage(); process.stderr.write("\\ncpu " + (u.userCPUTime + u.systemCPUTime) / 1000); }); await import(${JSON.stringify(sfi)});`;
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script, "bench", ...words], {
    cwd: folder,
    encoding: "utf8",
  });
  return Number(/cpu ([\d.]+)$/.exec(stderr)?.[1]);
}

const manifests = await loadManifests();
const result = {
  machine: { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length },
  startUp: await startUp(),
  parsing: await parsing(),
  packages: await packages(manifests[0]),
  packageCreator: packageCreator(manifests[0]),
  wire: [
    await wire(manifests, "virtual:h753", 24_000),
    await wire(manifests, "virtual:h753", 8_000),
    await wire(manifests, "virtual:h753,probe=v2-1", 4_000),
  ],
  install: await install(),
  hsm: await hsmBench(),
  licenses: await licenses(),
  beside: await beside(),
};
console.log(
  JSON.stringify(result, (_, value) => (typeof value === "number" ? Number(value.toFixed(3)) : value), 2),
);
