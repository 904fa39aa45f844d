import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasProgram, umockdevAvailable } from "../drivers/virtual/usb/support/usb-bench.ts";
import { sampleFirmware } from "../support/sample-job.ts";
import { sfi, temporaryFolder } from "../support/sfi.ts";
import { openocd, openocdWords, transports } from "./support/openocd.ts";
import { station } from "./support/station.ts";
import { bootableImage, bootFrom, witnessBench } from "./support/witness-bench.ts";

const sectorBytes = 0x20000;

/** Firmware across two sectors of bank 1 and in bank 2; neither length is one of whole flash words. */
function imageFiles() {
  const folder = temporaryFolder();
  const file = (name: string, address: number, data: Uint8Array) => {
    const path = join(folder, name);
    writeFileSync(path, data);
    return { path, data, address, text: `0x0${address.toString(16)}` };
  };
  const low = file("low.bin", 0x0801fc00, sampleFirmware(3000));
  const high = file("high.bin", 0x08120000, sampleFirmware(1500, 77));
  return { folder, low, high, both: [low, high] };
}

describe.skipIf(!umockdevAvailable || !hasProgram("openocd")).each(transports)(
  "flash by OpenOCD over %s without a loader (needs umockdev, openocd)",
  (transport) => {
    it("probes the banks, erases, writes and verifies; the station finds the same", async () => {
      const { bus, chip, bench } = await witnessBench();
      const { folder, low, high, both } = imageFiles();
      bootFrom(chip, bootableImage(1024));
      // Remains of something else in every sector that is to be written, and behind them in one that is not.
      for (const sector of [1, 2, 9]) chip.store.fill("flash", sector * sectorBytes + 0x8000, 64, 0x12);
      const { text, exitCode } = await openocd(
        bus,
        transport,
        ...["init", "reset halt", "flash probe 0", "flash probe 1"],
        ...["flash erase_sector 0 0 1", "flash erase_sector 1 1 1"],
        ...both.map(({ path, text: address }) => `flash write_image ${path} ${address} bin`),
        ...both.map(({ path, text: address }) => `verify_image ${path} ${address} bin`),
        "flash info 0",
      );
      expect(exitCode, text).toBe(0);
      expect(text).toContain("Info : Device: STM32H74x/75x");
      expect(text).toContain("flash size probed value 2048k");
      expect(text).toContain("Bank (0) size is 1024 kb, base address is 0x08000000");
      expect(text).toContain("Bank (1) size is 1024 kb, base address is 0x08100000");
      expect(text).toContain("STM32H74x/75x - Rev: V");
      expect(text).toContain("verified 3000 bytes");
      expect(text).toContain("verified 1500 bytes");
      for (const { path, text: address, data } of both) {
        expect(await station(bus, "flash", "verify", "--file", `${path}@${address}`)).toMatchObject({
          sizeBytes: data.length,
          verified: true,
        });
      }
      const out = join(folder, "read.bin");
      await station(bus, "flash", "read", "--address", "0x0801f000", "--size", "0x9020", "--out", out);
      const read = readFileSync(out);
      expect(read.subarray(0, 0xc00).every((byte) => byte === 0xff)).toBe(true); // erased with sector 0
      expect(read.subarray(0xc00, 0xc00 + low.data.length).equals(low.data)).toBe(true);
      expect([...read.subarray(0x9000)]).toEqual(Array.from({ length: 32 }, () => 0xff)); // 0x08028000, erased
      expect(chip.flashBytes.subarray(2 * sectorBytes + 0x8000)[0]).toBe(0x12); // not asked for
      expect(chip.flashBytes.subarray(9 * sectorBytes, 9 * sectorBytes + high.data.length)).toEqual(
        high.data,
      );
      expect(bench.violations()).toEqual([]);
    });

    it("verifies and dumps what the station has programmed, and says so when it is something else", async () => {
      const { bus, chip } = await witnessBench();
      const { folder, low, high, both } = imageFiles();
      bootFrom(chip, bootableImage(1024));
      for (const { path, text: address } of both) {
        expect(await station(bus, "flash", "write", "--file", `${path}@${address}`)).toMatchObject({
          verified: true,
        });
      }
      const dumped = join(folder, "dumped.bin");
      const { text, exitCode } = await openocd(
        bus,
        transport,
        ...[
          "init",
          "halt",
          `verify_image ${low.path} ${low.text} bin`,
          `verify_image ${high.path} ${high.text} bin`,
        ],
        `dump_image ${dumped} ${low.text} ${low.data.length}`,
      );
      expect(exitCode, text).toBe(0);
      expect(readFileSync(dumped).equals(low.data)).toBe(true);
      const other = await openocd(
        bus,
        transport,
        "init",
        "halt",
        `verify_image ${low.path} ${high.text} bin`,
      );
      expect(other.text).toContain("diff 0 address 0x08120000");
      expect(other.exitCode).not.toBe(0);
    });
  },
);

describe.skipIf(!umockdevAvailable || !hasProgram("openocd"))(
  "one chip under several programs by `sfi virtual run` (needs umockdev, openocd)",
  () => {
    it("keeps what OpenOCD has programmed for the station, on the bus and in the state file", async () => {
      const { folder, high } = imageFiles();
      const state = join(folder, "chip.state");
      const quoted = openocdWords("dapdirect_swd", [
        "init",
        "halt",
        `flash write_image ${high.path} ${high.text} bin`,
      ])
        .map((word) => `'${word}'`)
        .join(" ");
      const verify = `flash verify --file ${high.path}@${high.text}`;
      const program = `${process.execPath} "$SFI"`;
      const script = `openocd ${quoted} && ${program} ${verify} --json`;
      const inOneRun = await sfi(
        ["virtual", "run", "--chip", `h753,state=${state}`, "--", "sh", "-c", script],
        {
          env: { SFI: join(import.meta.dirname, "../../dist/src/cli/main.js") },
        },
      );
      expect(inOneRun.code, inOneRun.stderr).toBe(0);
      expect(JSON.parse(inOneRun.stdout)).toMatchObject({ sizeBytes: high.data.length, verified: true });
      const later = await sfi([...verify.split(" "), "--json", "--probe", `virtual:h753,state=${state}`]);
      expect(JSON.parse(later.stdout)).toMatchObject({ sizeBytes: high.data.length, verified: true });
    });
  },
);
