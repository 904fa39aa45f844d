// The package creator on this machine: 4 MiB in, package out, as a process of its own, beside bare node; and the
// key-less verification of a package of that size. Imported by run.mjs; runs against dist.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRules } from "../../dist/src/install/package-rules.js";
import { parseSfi } from "../../dist/src/package/sfi.js";
import { checkStructure } from "../../dist/src/package/sfi-verify.js";

const sizeBytes = 4 * 1024 * 1024;
const ramSizeBytes = 0x1e000;

/** Runs a script in a process of its own; it prints one JSON object, to which its peak memory is added. */
function childFigures(script) {
  const measured = `${script}\nprocess.stdout.write(JSON.stringify({ ...result, peakMebibytes: process.resourceUsage().maxRSS / 1024 }));`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", measured], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function median(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

function times(runs, work) {
  work();
  return median(
    Array.from({ length: runs }, () => {
      const start = process.hrtime.bigint();
      work();
      return Number(process.hrtime.bigint() - start) / 1e6;
    }),
  );
}

/** @param manifest any device's data; its flash is taken as 4 MiB and a little */
export function packageCreator(manifest) {
  const folder = mkdtempSync(join(tmpdir(), "sfi-bench-"));
  try {
    const firmware = join(folder, "firmware.bin");
    const output = join(folder, "out.sfi");
    writeFileSync(
      firmware,
      Uint8Array.from({ length: sizeBytes }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 13) & 0xff),
    );
    const dist = (path) => JSON.stringify(pathToFileURL(join(import.meta.dirname, "../../dist", path)).href);
    const build = `
      import { readFileSync, writeFileSync } from "node:fs";
      import { readFirmware } from ${dist("src/firmware/read-firmware.js")};
      import { buildSfi } from ${dist("src/package/sfi-build.js")};
      const start = process.hrtime.bigint();
      const { segments } = readFirmware(new Uint8Array(readFileSync(${JSON.stringify(firmware)})), { source: "f.bin", address: 0x08000000 });
      const bytes = buildSfi({ segments, optionWords: new Array(9).fill(0), key: new Uint8Array(16).fill(1), nonce: new Uint8Array(12).fill(2), imageVersion: 0, protocolVersion: 1, split: { ramSizeBytes: ${ramSizeBytes}, tokenAddress: 0x085ff000 } });
      writeFileSync(${JSON.stringify(output)}, bytes);
      const result = { ms: Number(process.hrtime.bigint() - start) / 1e6 };`;
    const runs = Array.from({ length: 5 }, () => childFigures(build));
    const bare = childFigures("const result = {};");
    const file = new Uint8Array(readFileSync(output));
    const rules = { ...packageRules(manifest), flash: [{ address: 0x08000000, sizeBytes: 2 * sizeBytes }] };
    const findings = checkStructure(parseSfi(file, "bench"), rules);
    if (findings.length > 0) throw new Error(findings[0].message);
    return {
      mebibytes: sizeBytes / 2 ** 20,
      fileToFileMs: median(runs.map(({ ms }) => ms)),
      memoryBesideBareNodeMebibytes:
        median(runs.map(({ peakMebibytes }) => peakMebibytes)) - bare.peakMebibytes,
      verifyWithoutKeyMs: times(7, () => checkStructure(parseSfi(file, "bench"), rules)),
      goal: "below 400 ms and 150 MiB beside bare node; verification below 30 ms",
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
