import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasProgram, run, umockdevAvailable } from "../drivers/virtual/usb/support/usb-bench.ts";
import { sampleFirmware } from "../support/sample-job.ts";
import { temporaryFolder } from "../support/sfi.ts";
import { expectProbeInfo } from "./support/claims.ts";
import { station } from "./support/station.ts";
import { witnessBench } from "./support/witness-bench.ts";

const serial = "0000000000000000000000AA";

describe.skipIf(!umockdevAvailable || !hasProgram("st-flash"))(
  "stlink-tools and the station on one chip (needs umockdev, stlink-tools)",
  () => {
    it("recognizes probe and chip, and gives the chip back running", async () => {
      const { bus, bench, chip } = await witnessBench({ selector: `virtual:h753,serial=${serial}` });
      const { all, exitCode } = await run(bus, "st-info", "--probe");
      expect(exitCode).toBe(0);
      expectProbeInfo(all ?? "", serial);
      expect(chip.core.halted).toBe(false);
      expect(bench.violations()).toEqual([]);
    });

    it("writes a sector that holds something else; the station verifies and reads the same", async () => {
      const { bus, chip, bench } = await witnessBench();
      const folder = temporaryFolder();
      const file = join(folder, "firmware.bin");
      // Whole blocks of 64 bytes: release 1.7.0 fills the last one with what its buffer held before.
      const firmware = sampleFirmware(78 * 64);
      writeFileSync(file, firmware);
      chip.store.fill("flash", 0x20000, 0x40000, 0x12);
      const { all, exitCode } = await run(bus, "st-flash", "write", file, "0x08020000");
      expect(exitCode, all).toBe(0);
      expect(all).toContain("Flash written and verified!");
      expect(await station(bus, "flash", "verify", "--file", `${file}@0x08020000`)).toMatchObject({
        verified: true,
      });
      const out = join(folder, "read.bin");
      await station(bus, "flash", "read", "--address", "0x08020000", "--size", "0x20020", "--out", out);
      const read = readFileSync(out);
      expect(read.subarray(0, firmware.length).equals(firmware)).toBe(true);
      expect(read.subarray(firmware.length, 0x20000).every((byte) => byte === 0xff)).toBe(true);
      expect(read.subarray(0x20000).every((byte) => byte === 0x12)).toBe(true); // the next sector
      expect(bench.violations()).toEqual([]);
    });

    it("reads what the station has programmed in both banks", async () => {
      const { bus } = await witnessBench();
      const folder = temporaryFolder();
      const [file, out] = [join(folder, "firmware.bin"), join(folder, "read.bin")];
      const firmware = sampleFirmware(3000);
      writeFileSync(file, firmware);
      for (const address of ["0x0801fc00", "0x08120000"]) {
        await station(bus, "flash", "write", "--file", `${file}@${address}`);
        const { exitCode, all } = await run(bus, "st-flash", "read", out, address, String(firmware.length));
        expect(exitCode, all).toBe(0);
        expect(readFileSync(out).equals(firmware)).toBe(true);
      }
    });

    it("erases bank 1, which the station then finds blank", async () => {
      const { bus, chip } = await witnessBench();
      const out = join(temporaryFolder(), "read.bin");
      chip.store.fill("flash", 0, chip.flashBytes.length, 0x12);
      const { exitCode, all } = await run(bus, "st-flash", "erase");
      expect(exitCode, all).toBe(0);
      await station(bus, "flash", "read", "--address", "0x08000000", "--size", "0x100000", "--out", out);
      expect(readFileSync(out).every((byte) => byte === 0xff)).toBe(true);
      // Release 1.7.0 does not know that this part has a second bank.
      expect(chip.flashBytes.subarray(0x100000).every((byte) => byte === 0x12)).toBe(true);
    });

    it("is refused in bank 2, whose key it never writes", async () => {
      const { bus, chip } = await witnessBench();
      const file = join(temporaryFolder(), "firmware.bin");
      writeFileSync(file, sampleFirmware(64));
      const { all } = await run(bus, "st-flash", "write", file, "0x08120000");
      expect(all).toContain("Verification of flash failed at offset: 0");
      expect(chip.flashBytes.subarray(0x120000, 0x120040).every((byte) => byte === 0xff)).toBe(true);
    });
  },
);
