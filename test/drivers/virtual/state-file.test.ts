import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openVirtualBench, parseVirtualSelector } from "../../../drivers/virtual/bench.ts";
import { fromWords } from "../../../src/bytes/bytes.ts";
import { openRaw, optsrCur, optsrPrg, unlockBank, writeOptions } from "./raw-probe.ts";
import { area, developmentLicense, exampleOptions, imageHeader, optionContent } from "./sfi-builder.ts";

const root = resolve(import.meta.dirname, "../../..");
let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "virtual-chip-"));
  file = join(folder, "chip.state");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (extra = "") => openRaw(`virtual:h753,state=${file}${extra}`);

describe("state file", () => {
  it("keeps flash, RAM and option bytes between runs", async () => {
    const first = await open(",uid=0102030405060708090a0b0c");
    await first.enter();
    await first.write(0x24000000, fromWords([1, 2, 3, 4]));
    await unlockBank(first, 1);
    await first.writeWord(0x5200200c, 0x32);
    await first.write(0x08000000, new Uint8Array(32).fill(7));
    await writeOptions(first, { [optsrPrg]: 0x13feaaf0 });
    await first.bench.close();
    const again = await open();
    await again.enter();
    expect((await again.read(0x24000000, 16)).data).toEqual(fromWords([1, 2, 3, 4]));
    expect((await again.read(0x08000000, 32)).data).toEqual(new Uint8Array(32).fill(7));
    expect(await again.readWord(optsrCur)).toBe(0x13feaaf0);
    expect(again.bench.chip.uid).toEqual(Uint8Array.from({ length: 12 }, (_, i) => i + 1));
    expect(again.bench.chip.certificate).toEqual(first.bench.chip.certificate);
    await again.bench.close();
  });

  it("holds every mutation the moment it is made", async () => {
    const raw = await open();
    await raw.enter();
    await raw.write(0x24000100, new Uint8Array(6144).fill(0x42));
    const bytes = readFileSync(file);
    expect(bytes.indexOf(Buffer.alloc(6144, 0x42))).toBeGreaterThan(0);
    await raw.writeWord(0xe000edf0, 0xa05f0003);
    expect(readFileSync(file).equals(bytes)).toBe(false);
    await raw.bench.close();
  });

  it("ends what was under way when nobody looked: an erasure", async () => {
    const raw = await open();
    await raw.enter();
    await unlockBank(raw, 1);
    await raw.writeWord(0x5200200c, 0x32);
    await raw.write(0x08000000, new Uint8Array(32));
    await raw.bench.clock.sleep(10);
    await raw.writeWord(0x5200200c, 0xb4);
    await raw.bench.close();
    const again = await open();
    await again.enter();
    expect(await again.readWord(0x08000000)).toBe(0xffffffff);
    await again.bench.close();
  });

  it("ends what was under way when nobody looked: an install in the middle of RSS, and NRST held low", async () => {
    const raw = await open();
    await raw.enter();
    const firmware = new Uint8Array(32 * 1024).fill(0x3c);
    const areas = Buffer.concat([
      area({ type: "F", address: 0x08000000, content: firmware }, 1, 2),
      area({ type: "C", content: optionContent(exampleOptions()) }, 2, 2),
    ]);
    for (let at = 0; at < areas.length; at += 4096) {
      await raw.write(0x2402101c + at, areas.subarray(at, at + 4096));
    }
    await raw.write(0x24020800, developmentLicense(raw.bench.chip.certificate));
    await raw.write(0x24021000, imageHeader(2));
    await raw.write(0x24020c00, fromWords([2, 0x2402101c, areas.length, 0]));
    await raw.write(0x24020a00, new Uint8Array(8));
    await writeOptions(raw, { [optsrPrg]: 0x17feaaf0 });
    await raw.status("F2 3C 00");
    const beforeReset = join(folder, "before.state");
    copyFileSync(file, beforeReset);
    await raw.status("F2 3C 01");
    await raw.bench.clock.sleep(500);
    await raw.status("F5");
    expect(raw.bench.chip.answers()).toBe(false);
    const inTheMiddle = join(folder, "middle.state");
    copyFileSync(file, inTheMiddle);
    await raw.bench.close();
    const written = (chip: typeof raw.bench.chip) =>
      chip.flashBytes.subarray(0, 32 * 1024).filter((b) => b === 0x3c);
    expect(written(raw.bench.chip).length).toBeGreaterThan(0);
    expect(written(raw.bench.chip).length).toBeLessThan(32 * 1024);
    const middle = await openRaw(`virtual:h753,state=${inTheMiddle}`);
    await middle.enter();
    expect(written(middle.bench.chip).length).toBe(32 * 1024);
    expect(await middle.readWord(0x24020a00)).toBe(0xee000092);
    expect(await middle.readWord(optsrCur)).toBe(0x1026aad0);
    await middle.bench.close();
    const before = await openRaw(`virtual:h753,state=${beforeReset}`);
    expect(before.bench.chip.rss.running).toBe(true);
    await before.bench.close();
  });

  it("refuses foreign, damaged and other chips' files", async () => {
    writeFileSync(file, "not a chip");
    await expect(open()).rejects.toMatchObject({ code: "STATE_FILE_INVALID" });
    rmSync(file);
    await (await open()).bench.close();
    await expect(openRaw(`virtual:h743,state=${file}`)).rejects.toThrow(/holds a h753/);
    await expect(open(",uid=000000000000000000000000")).rejects.toThrow(/uid/);
    truncateSync(file, 100_000);
    await expect(open()).rejects.toThrow(/100000 bytes/);
    await expect(openRaw(`virtual:h753,state=${join(folder, "no", "folder")}`)).rejects.toMatchObject({
      code: "STATE_FILE_INVALID",
    });
    expect(existsSync(`${file}.lock`)).toBe(false);
  });

  it("is refused to a second user, and taken over from a dead one", async () => {
    const raw = await open();
    await expect(open()).rejects.toMatchObject({ code: "PROBE_BUSY" });
    await raw.bench.close();
    await raw.bench.close();
    expect(existsSync(`${file}.lock`)).toBe(false);
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    writeFileSync(`${file}.lock`, String(dead));
    const after = await open();
    expect(readFileSync(`${file}.lock`, "utf8")).toBe(String(process.pid));
    await after.bench.close();
  });

  it("loses nothing when the process is killed in the middle", async () => {
    const out = join(root, "node_modules", ".cache", `virtual-kill-test-${process.pid}`);
    const project = join(folder, "tsconfig.json");
    writeFileSync(
      project,
      JSON.stringify({
        extends: join(root, "tsconfig.json"),
        compilerOptions: {
          rootDir: root,
          outDir: out,
          incremental: false,
          tsBuildInfoFile: null,
          declaration: false,
          sourceMap: false,
          types: ["node"],
          typeRoots: [join(root, "node_modules/@types")],
        },
        files: [join(root, "drivers/virtual/bench.ts")],
        include: [],
      }),
    );
    const tsc = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", project]);
    expect(tsc.stdout.toString()).toBe("");
    const faults = join(folder, "faults.json");
    // Transfers: F5, its reply, ENTER, reply, INIT_AP, reply, WRITEMEM, data, WRITEMEM, data: killed at the last.
    writeFileSync(faults, '{"schema":1,"faults":[{"at":{"transfer":10},"kind":"kill"}]}');
    const selector = `virtual:h753,state=${file},fault=${faults}`;
    const program = `
      const { openVirtualBench, parseVirtualSelector } = await import(${JSON.stringify(join(out, "drivers/virtual/bench.js"))});
      const bench = await openVirtualBench(parseVirtualSelector(${JSON.stringify(selector)}));
      const port = await bench.opener.open();
      const command = async (...bytes) => {
        const block = new Uint8Array(16);
        block.set(bytes);
        await port.send(block, 1000);
      };
      await command(0xf5);
      await port.receive(2, 1000);
      await command(0xf2, 0x30, 0xa3);
      await port.receive(2, 1000);
      await command(0xf2, 0x4b, 0);
      await port.receive(2, 1000);
      for (const page of [0, 0x10]) {
        await command(0xf2, 0x08, 0, page, 0, 0x24, 0, 0x10);
        await port.send(new Uint8Array(4096).fill(0x77), 1000);
      }
      console.log("survived");
    `;
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" });
    rmSync(out, { recursive: true });
    expect({ stderr: child.stderr, stdout: child.stdout, signal: child.signal }).toEqual({
      stderr: "",
      stdout: "",
      signal: "SIGKILL",
    });
    expect(readFileSync(`${file}.lock`, "utf8")).toBe(String(child.pid));
    const bench = await openVirtualBench(parseVirtualSelector(`virtual:h753,state=${file}`));
    const axi = bench.chip.store.region("axi");
    expect(axi.subarray(0, 4096).every((byte) => byte === 0x77)).toBe(true);
    expect(axi.subarray(4096, 8192).every((byte) => byte === 0x77)).toBe(false);
    await bench.close();
  });
});
