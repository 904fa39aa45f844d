import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";
import { missingPreload } from "../../../drivers/virtual/usb/preload-library.ts";
import { sfi, sfiProgram, temporaryFolder } from "../../support/sfi.ts";

const umockdevAvailable = (await missingPreload()) === undefined;
const onBus = (...words: string[]) => sfi(["virtual", "run", "--chip", "h753", ...words]);

describe.skipIf(!umockdevAvailable)("sfi virtual run (needs umockdev)", () => {
  it("runs the station itself on the bus, with its output as it is", async () => {
    const { code, stdout } = await onBus("--", process.execPath, sfiProgram, "inspect", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      probe: { product: "STLINK-V3" },
      target: { deviceId: "0x450" },
    });
  });

  it("puts one probe on the bus for each --chip", async () => {
    const { stdout, stderr } = await onBus(
      ...["--chip", "h743,probe=v2-1,serial=0123456789abcdef01234567"],
      ...["--", process.execPath, sfiProgram, "list", "--json"],
    );
    expect(JSON.parse(stdout).probes).toHaveLength(2);
    expect(stderr).toContain("h743 behind usb:0123456789ABCDEF01234567 (0483:374b, usb@1-2)");
  });

  it("gives every probe the fault script", async () => {
    const fault = join(temporaryFolder(), "fault.json");
    writeFileSync(fault, JSON.stringify({ schema: 1, faults: [{ kind: "unpowered" }] }));
    const { code, stdout } = await onBus(
      ...["--fault", fault, "--", process.execPath, sfiProgram, "inspect", "--json"],
    );
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ exit: 3 });
  });

  it("keeps a chip's state between runs", async () => {
    const state = join(temporaryFolder(), "chip.state");
    const run = (...words: string[]) =>
      sfi(["virtual", "run", "--chip", `h753,state=${state}`, "--", process.execPath, sfiProgram, ...words]);
    const file = join(temporaryFolder(), "firmware.bin");
    writeFileSync(file, "kept in the state file, by way of USB");
    const words = ["--address", "0x08000000", "--file", file];
    expect((await run("flash", "write", ...words)).code).toBe(0);
    expect((await run("flash", "verify", "--file", `${file}@0x08000000`)).code).toBe(0);
  });

  it.each([
    ["exit 7", 7],
    ["kill -KILL $$", 128 + 9],
  ])("ends like the program: %s", async (script, code) => {
    expect((await onBus("--", "sh", "-c", script)).code).toBe(code);
  });

  it("leaves the program's own options alone", async () => {
    const { stdout } = await onBus("--", "echo", "--chip", "x", "--json", "-v", "0x10", "--", "y");
    expect(stdout).toBe("--chip x --json -v 0x10 -- y\n");
  });

  it.each([
    [["--"], "USAGE_INVALID", 2],
    [["--", "no-such-program"], "USAGE_INVALID", 2],
    [["--chip", "h000", "--", "true"], "CHIP_UNKNOWN", 2],
    [["--timeout", "200ms", "--", "sleep", "60"], "DEADLINE", 124],
  ])("%j fails with %s", async (words, error, code) => {
    const result = await onBus("--quiet", ...words);
    expect(result.stderr).toContain(error);
    expect(result.code).toBe(code);
  });

  it("passes signals on and leaves nothing behind", async () => {
    const temporary = temporaryFolder();
    const script = `trap 'echo "$UMOCKDEV_DIR"; exit 42' TERM; echo ready; while :; do sleep 0.1; done`;
    const child = execa(
      process.execPath,
      [sfiProgram, "virtual", "run", "--chip", "h753", "--", "sh", "-c", script],
      {
        env: { TMPDIR: temporary },
        reject: false,
        stdin: "ignore",
      },
    );
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    const { exitCode, stdout } = await child;
    expect(exitCode).toBe(42);
    const folder = stdout.split("\n")[1] ?? "";
    expect(folder.startsWith(temporary)).toBe(true);
    expect(existsSync(folder)).toBe(false);
    expect(readdirSync(temporary)).toEqual([]);
  });
});

describe.skipIf(umockdevAvailable)("sfi virtual run where umockdev is missing", () => {
  it("says what is missing and how to install it", async () => {
    const { code, stderr } = await onBus("--", "true");
    expect(code).toBe(3);
    expect(stderr).toContain("USB_BENCH_MISSING");
    expect(stderr).toContain("apt-get install umockdev");
  });
});
