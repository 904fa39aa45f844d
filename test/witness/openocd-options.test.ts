import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasProgram, umockdevAvailable } from "../drivers/virtual/usb/support/usb-bench.ts";
import { sampleFirmware } from "../support/sample-job.ts";
import { temporaryFolder } from "../support/sfi.ts";
import { openocd } from "./support/openocd.ts";
import { station, stationOptions } from "./support/station.ts";
import { bootableImage, bootFrom, witnessBench } from "./support/witness-bench.ts";

/** Option registers by their offset from a bank's registers, as OpenOCD addresses them (RM0433 4.9). */
const offset = {
  optsrCur: "0x1c",
  optsrPrg: "0x20",
  wpsnCur: "0x38",
  boot7Cur: "0x40",
  boot7Prg: "0x44",
} as const;

/** A chip whose core runs firmware, so that OpenOCD can halt it. */
async function runningChip() {
  const witness = await witnessBench();
  bootFrom(witness.chip, bootableImage(1024));
  return witness;
}

/** Values that OpenOCD read, in order. */
function optionsRead(text: string): number[] {
  return [...text.matchAll(/Option Register: <0x[0-9a-f]+> = (0x[0-9a-f]+)/g)].map(([, value]) =>
    Number(value),
  );
}

describe.skipIf(!umockdevAvailable || !hasProgram("openocd"))(
  "option bytes between OpenOCD and the station (needs umockdev, openocd)",
  () => {
    it("shows what OpenOCD has written", async () => {
      const { bus } = await runningChip();
      const before = await stationOptions(bus);
      const { text, exitCode } = await openocd(
        bus,
        "dapdirect_swd",
        ...["init", "halt", "flash probe 0", `stm32h7x option_read 0 ${offset.optsrCur}`],
        // BOR_LEV [3:2] = 2 and IWDG1_SW [4] = 0
        `stm32h7x option_write 0 ${offset.optsrPrg} 0x00000008 0x0000001c`,
        `stm32h7x option_write 0 ${offset.boot7Prg} 0x1ff00810`,
        `stm32h7x option_read 0 ${offset.optsrCur}`,
        `stm32h7x option_read 0 ${offset.boot7Cur}`,
      );
      expect(exitCode, text).toBe(0);
      expect(optionsRead(text)).toEqual([0x13deaaf0, 0x13deaae8, 0x1ff00810]);
      const after = await stationOptions(bus);
      expect(after).toEqual({ ...before, BOR_LEV: 2, IWDG1_SW: 0, BOOT_CM7_ADD0: 0x810 });
    });

    it("reads what the station has set", async () => {
      const { bus } = await runningChip();
      const fields = ["BOR_LEV=1", "NRST_STOP_D1=0", "nWRP2=0", "nWRP15=0", "BOOT_ADD0=0x0810"];
      expect(await station(bus, "options", "set", ...fields)).toMatchObject({ written: true });
      const { text, exitCode } = await openocd(
        bus,
        "dapdirect_swd",
        ...["init", "halt", "flash probe 0", "flash probe 1", "flash info 0", "flash info 1"],
        ...[offset.optsrCur, offset.boot7Cur, offset.wpsnCur].map((at) => `stm32h7x option_read 0 ${at}`),
        `stm32h7x option_read 1 ${offset.wpsnCur}`,
      );
      expect(exitCode, text).toBe(0);
      expect(optionsRead(text)).toEqual([0x13deaab4, 0x1ff00810, 0xfb, 0x7f]);
      const protectedSectors = [...text.matchAll(/# +(\d+): 0x[0-9a-f]+ \(0x20000 128kB\) protected/g)];
      expect(protectedSectors.map(([, number]) => number)).toEqual(["2", "7"]);
    });

    it("protects sectors against the station until it takes the protection away", async () => {
      const { bus } = await runningChip();
      const folder = temporaryFolder();
      const file = `${join(folder, "firmware.bin")}@0x08020000`;
      writeFileSync(join(folder, "firmware.bin"), sampleFirmware(64));
      const protect = (what: "on" | "off") =>
        openocd(
          bus,
          "dapdirect_swd",
          ...["init", "halt", "flash probe 0", "flash probe 1"],
          ...[`flash protect 0 1 2 ${what}`, `flash protect 1 7 7 ${what}`],
        );
      const on = await protect("on");
      expect(on.exitCode, on.text).toBe(0);
      expect(await stationOptions(bus)).toMatchObject({
        nWRP0: 1,
        nWRP1: 0,
        nWRP2: 0,
        nWRP3: 1,
        nWRP14: 1,
        nWRP15: 0,
      });
      expect(await station(bus, "flash", "write", "--file", file)).toMatchObject({
        code: "FLASH_PROGRAM_FAILED",
      });
      const off = await protect("off");
      expect(off.exitCode, off.text).toBe(0);
      expect(await stationOptions(bus)).toMatchObject({ nWRP1: 1, nWRP2: 1, nWRP15: 1 });
      expect(await station(bus, "flash", "write", "--file", file)).toMatchObject({ verified: true });
    });

    it("cannot erase a sector that the station has protected", async () => {
      const { bus, chip } = await runningChip();
      chip.store.fill("flash", 0x20000, 64, 0x12);
      await station(bus, "options", "set", "nWRP1=0");
      const { text, exitCode } = await openocd(
        bus,
        "dapdirect_swd",
        ...["init", "halt", "flash probe 0", "flash erase_sector 0 1 1"],
      );
      expect(text).toContain("erase time-out or operation error sector 1");
      expect(exitCode).not.toBe(0);
      expect(chip.flashBytes[0x20000]).toBe(0x12);
    });

    it("locks (RDP 1) and unlocks with the erasure of everything; the station sees both", async () => {
      const { bus, chip } = await runningChip();
      const lock = await openocd(bus, "dapdirect_swd", "init", "halt", "flash probe 0", "stm32h7x lock 0");
      expect(lock.exitCode, lock.text).toBe(0);
      expect(lock.text).toContain("stm32h7x locked");
      expect(await stationOptions(bus)).toMatchObject({ RDP: 0x00 });
      const out = join(temporaryFolder(), "read.bin");
      const refused = await station(
        bus,
        "flash",
        "read",
        "--address",
        "0x08000000",
        "--size",
        "64",
        "--out",
        out,
      );
      expect(refused).toMatchObject({ code: "TARGET_FAULT" });
      const unlock = await openocd(
        bus,
        "dapdirect_swd",
        ...["init", "reset halt", "flash probe 0", "stm32h7x unlock 0", "mdw 0x08000000"],
      );
      expect(unlock.exitCode, unlock.text).toBe(0);
      expect(unlock.text).toContain("stm32h7x unlocked");
      expect(await stationOptions(bus)).toMatchObject({ RDP: 0xaa });
      expect(chip.flashBytes.every((byte) => byte === 0xff)).toBe(true);
    });

    it("unlocks a part that the station has locked", async () => {
      const { bus, chip } = await runningChip();
      expect(await station(bus, "options", "set", "RDP=0xBB")).toMatchObject({ written: true });
      const { text, exitCode } = await openocd(
        bus,
        "dapdirect_swd",
        ...[
          "init",
          "reset halt",
          "flash probe 0",
          `stm32h7x option_read 0 ${offset.optsrCur}`,
          "stm32h7x unlock 0",
        ],
      );
      expect(exitCode, text).toBe(0);
      expect(optionsRead(text)).toEqual([0x13debbf0]);
      expect(((chip.options()["optsr"] ?? 0) >>> 8) & 0xff).toBe(0xaa);
      expect(chip.flashBytes.every((byte) => byte === 0xff)).toBe(true);
    });
  },
);
