import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sampleFirmware } from "../../../support/sample-job.ts";
import { temporaryFolder } from "../../../support/sfi.ts";
import { hasProgram, run, umockdevAvailable, usbBench } from "./support/usb-bench.ts";

const serialA = "0000000000000000000000AA";
const serialB = "0000000000000000000000BB";
const v3 = `virtual:h753,serial=${serialA}`;
const twoProbes = [v3, `virtual:h743,probe=v2-1,serial=${serialB}`];

describe.skipIf(!umockdevAvailable || !hasProgram("lsusb"))("lsusb (needs umockdev, usbutils)", () => {
  it("lists the probes", async () => {
    const { bus } = await usbBench(...twoProbes, "virtual:h743,probe=v2");
    const { stdout, exitCode } = await run(bus, "lsusb");
    expect(exitCode).toBe(0);
    const devices = stdout
      .split("\n")
      .map((line) => line.replace(/^Bus (\d+) Device (\d+): ID (\S+).*/, "$1 $2 $3"));
    expect(devices.sort()).toEqual([
      "001 001 1d6b:0002",
      "001 002 0483:374f",
      "001 003 0483:374b",
      "001 004 0483:3748",
    ]);
  });

  it("understands every descriptor", async () => {
    const { bus } = await usbBench(...twoProbes);
    const { stdout } = await run(bus, "lsusb", "-v", "-d", "0483:");
    expect(stdout).toContain(`iSerial                 3 ${serialA}`);
    expect(stdout.match(/iInterface +4 ST-Link Debug/g)).toHaveLength(2);
    expect(stdout).toMatch(
      /bEndpointAddress {5}0x01 {2}EP 1 OUT[\s\S]*?wMaxPacketSize {5}0x0200 {2}1x 512 bytes/,
    );
    expect(stdout).toMatch(/wMaxPacketSize {5}0x0040 {2}1x 64 bytes/);
    expect(stdout).not.toMatch(/unrecognized|junk|error|invalid|INVALID|ERROR/);
  });
});

describe.skipIf(!umockdevAvailable || !hasProgram("st-info"))(
  "st-info (needs umockdev, stlink-tools)",
  () => {
    it.each([
      ["v3", "V3J15S1"],
      ["v2-1", "V2J45S31"], // it calls the mass-storage version S as well
    ])("recognizes probe %s and chip", async (probe, version) => {
      const { bus, probes } = await usbBench(`virtual:h753,probe=${probe},serial=${serialA}`);
      const { stdout, exitCode } = await run(bus, "st-info", "--probe");
      expect(exitCode).toBe(0);
      expect(stdout).toMatch(new RegExp(`version: +${version}`));
      expect(stdout).toMatch(new RegExp(`serial: +${serialA}`));
      expect(stdout).toMatch(/chipid: +0x0450/);
      expect(stdout).toMatch(/flash: +2097152 \(pagesize: 131072\)/);
      expect(probes[0]!.bench.violations()).toEqual([]);
    });

    it("finds two probes", async () => {
      const { bus } = await usbBench(...twoProbes);
      expect((await run(bus, "st-info", "--probe")).stdout).toContain("Found 2 stlink programmers");
    });
  },
);

describe.skipIf(!umockdevAvailable || !hasProgram("openocd"))("OpenOCD (needs umockdev, openocd)", () => {
  const commands = (...list: string[]) => list.flatMap((command) => ["-c", command]);
  /** No server sockets: other programs of the machine may use the usual ports. */
  const quiet = commands("gdb_port disabled", "tcl_port disabled", "telnet_port disabled");
  const openocd = (adapter: string, ...list: string[]) => [
    ...["-f", `interface/${adapter}.cfg`, ...quiet, "-f", "target/stm32h7x.cfg"],
    ...commands(...list),
  ];

  it.each([
    ["stlink-dap", "dapdirect_swd"],
    ["stlink", "hla_swd"],
  ])("%s connects over %s", async (adapter, transport) => {
    const { bus, probes } = await usbBench(v3);
    const { all, exitCode } = await run(bus, "openocd", ...openocd(adapter, "init", "shutdown"));
    expect(exitCode).toBe(0);
    expect(all).toContain(transport);
    expect(all).toContain("STLINK V3J15M6B5S1 (API v3) VID:PID 0483:374F");
    expect(all).toMatch(/Target voltage: 3\.30/);
    expect(all).toContain("[stm32h7x.cpu0] Cortex-M7 r1p1 processor detected");
    expect(all).toContain("target has 8 breakpoints, 4 watchpoints");
    if (transport === "dapdirect_swd") expect(all).toContain("SWD DPIDR 0x6ba02477");
    expect(all).not.toContain("Error: Failed to read memory");
    expect(probes[0]!.bench.violations()).toEqual([]);
  });

  it("connects through a V2-1", async () => {
    const { bus } = await usbBench(`virtual:h753,probe=v2-1,serial=${serialB}`);
    const { all } = await run(bus, "openocd", ...openocd("stlink-dap", "init", "shutdown"));
    expect(all).toContain("STLINK V2J45M31 (API v2) VID:PID 0483:374B");
    expect(all).toContain("Cortex-M7 r1p1 processor detected");
  });

  it("selects a probe by its serial number", async () => {
    const { bus } = await usbBench(...twoProbes);
    const { all } = await run(
      bus,
      "openocd",
      ...openocd("stlink-dap", `adapter serial ${serialB}`, "init", "shutdown"),
    );
    expect(all).toContain("VID:PID 0483:374B");
  });

  it.each(["stlink-dap", "stlink"])("%s writes RAM and reads it back", async (adapter) => {
    const { bus } = await usbBench(v3);
    const folder = temporaryFolder();
    const image = join(folder, "read.bin");
    const pattern = "mwb 0x24000003 0x5a 9; mww 0x24000100 0x12345678 64; mwh 0x24000202 0xbeef 3";
    const { all, exitCode } = await run(
      bus,
      "openocd",
      ...openocd(
        adapter,
        "init",
        "halt",
        ...pattern.split("; "),
        `dump_image ${image} 0x24000000 1024`,
        "shutdown",
      ),
    );
    expect(exitCode, all ?? "").toBe(0);
    const bytes = readFileSync(image);
    expect([...bytes.subarray(3, 12)]).toEqual(Array.from({ length: 9 }, () => 0x5a));
    expect(bytes.readUInt32LE(0x100)).toBe(0x12345678);
    expect(bytes.readUInt16LE(0x206)).toBe(0xbeef);
    expect(bytes.readUInt32LE(0x1fc)).toBe(0x12345678);
  });

  it("erases a flash sector and changes option bytes", async () => {
    const { bus, probes } = await usbBench(v3);
    const { chip } = probes[0]!.bench;
    chip.store.fill("flash", 0, 0x40000, 0x12);
    const { all, exitCode } = await run(
      bus,
      "openocd",
      ...openocd(
        "stlink-dap",
        ...["init", "reset halt", "flash probe 0", "flash erase_sector 0 0 0"],
        // OPTSR_PRG: RDP level 1
        ...["stm32h7x option_write 0 0x20 0x13debbf0", "shutdown"],
      ),
    );
    expect(exitCode, all ?? "").toBe(0);
    expect(chip.flashBytes.subarray(0, 0x20000).every((byte) => byte === 0xff)).toBe(true);
    expect(chip.flashBytes.subarray(0x20000, 0x40000).every((byte) => byte === 0x12)).toBe(true);
    expect((chip.option("optsr") >>> 8) & 0xff).toBe(0xbb);
  });
});

describe.skipIf(!umockdevAvailable || !hasProgram("st-flash"))(
  "st-flash (needs umockdev, stlink-tools)",
  () => {
    it("erases, programs and verifies the flash", async () => {
      const { bus, probes } = await usbBench(v3);
      const { chip } = probes[0]!.bench;
      chip.store.fill("flash", 0, 0x20000, 0x12);
      const file = join(temporaryFolder(), "firmware.bin");
      const firmware = sampleFirmware(2000);
      writeFileSync(file, firmware);
      const { all, exitCode } = await run(bus, "st-flash", "write", file, "0x08000000");
      expect(exitCode).toBe(0);
      expect(all).toContain("Flash written and verified!");
      expect(chip.flashBytes.subarray(0, firmware.length)).toEqual(firmware);
    });
  },
);
