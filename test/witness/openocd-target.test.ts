import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { hasProgram, umockdevAvailable } from "../drivers/virtual/usb/support/usb-bench.ts";
import { sampleFirmware } from "../support/sample-job.ts";
import { temporaryFolder } from "../support/sfi.ts";
import { expectProbeAndCore } from "./support/claims.ts";
import { openocd, transports } from "./support/openocd.ts";
import { bootableImage, bootEntry, bootFrom, bootStack, witnessBench } from "./support/witness-bench.ts";

describe.skipIf(!umockdevAvailable || !hasProgram("openocd")).each(transports)(
  "OpenOCD over %s (needs umockdev, openocd)",
  (transport) => {
    it("knows probe, voltage and core, and sees a running core halt where its firmware is", async () => {
      const { bus, bench, chip } = await witnessBench();
      bootFrom(chip, bootableImage(1024));
      const { text, exitCode } = await openocd(bus, transport, "init", "halt", "mdw 0x08000000 2");
      expect(exitCode, text).toBe(0);
      expectProbeAndCore(text);
      if (transport === "dapdirect_swd") expect(text).toContain("SWD DPIDR 0x6ba02477");
      expect(text).toContain("halted due to debug-request, current mode: Thread");
      expect(text).toContain(`pc: ${hex(bootEntry)} msp: ${hex(bootStack)}`);
      expect(text).toContain("0x08000000: 24080000 08000201");
      expect(text).not.toMatch(/^Error/m);
      expect(chip.core.halted).toBe(true);
      expect(bench.violations()).toEqual([]);
    });

    it("sets core registers and finds them again after letting the core go", async () => {
      const { bus, chip } = await witnessBench();
      bootFrom(chip, bootableImage(1024));
      const { text, exitCode } = await openocd(
        bus,
        transport,
        ...["init", "halt", "reg r0 0x00c0ffee", "reg r12 0x80000001", "reg psp 0x24001000", "reg primask 1"],
        ...["resume", "halt", "reg r0", "reg r12", "reg psp", "reg primask", "reg pc"],
      );
      expect(exitCode, text).toBe(0);
      const read = text.slice(text.lastIndexOf("halted due to debug-request"));
      expect(read).toContain("r0 (/32): 0x00c0ffee");
      expect(read).toContain("r12 (/32): 0x80000001");
      expect(read).toContain("psp (/32): 0x24001000");
      expect(read).toContain("primask (/1): 0x01");
      expect(read).toContain(`pc (/32): ${hex(bootEntry)}`);
      expect(chip.store.get("r0")).toBe(0x00c0ffee);
    });

    it("loads 256 KiB of RAM and dumps the same bytes", async () => {
      const { bus, bench } = await witnessBench();
      const folder = temporaryFolder();
      const [loaded, dumped] = [join(folder, "loaded.bin"), join(folder, "dumped.bin")];
      writeFileSync(loaded, sampleFirmware(0x40000));
      const { text, exitCode } = await openocd(
        bus,
        transport,
        ...["init", "halt", `load_image ${loaded} 0x24000000 bin`, `dump_image ${dumped} 0x24000000 0x40000`],
      );
      expect(exitCode, text).toBe(0);
      expect(text).toContain("262144 bytes written at address 0x24000000");
      expect(readFileSync(dumped).equals(readFileSync(loaded))).toBe(true);
      expect(bench.violations()).toEqual([]);
    });
  },
);

describe.skipIf(!umockdevAvailable || !hasProgram("openocd"))("OpenOCD (needs umockdev, openocd)", () => {
  it.each(["v3", "v2-1"])(
    "reads and writes core registers through a %s in RW_MISC batches over dapdirect_swd, never over hla_swd",
    async (probe) => {
      for (const transport of transports) {
        const { bus, bench, chip, commands } = await witnessBench({
          selector: `virtual:h753,probe=${probe}`,
        });
        bootFrom(chip, bootableImage(1024));
        const { text } = await openocd(
          bus,
          transport,
          ...["init", "halt", "reg r3 0x01020304", "resume", "halt", "reg r3", "reg pc"],
        );
        expect(text).toContain("r3 (/32): 0x01020304");
        expect(text).toContain(`pc (/32): ${hex(bootEntry)}`);
        // RW_MISC_OUT and RW_MISC_IN always come in pairs.
        expect(commands.of("F251")).toBe(commands.of("F252"));
        if (transport === "hla_swd") expect(commands.of("F251")).toBe(0);
        else expect(commands.of("F251")).toBeGreaterThan(0);
        expect(bench.violations()).toEqual([]);
      }
    },
  );

  it("says where an access was refused", async () => {
    const { bus, chip } = await witnessBench();
    bootFrom(chip, bootableImage(1024));
    const { text } = await openocd(bus, "dapdirect_swd", "init", "halt", "mdw 0x24100010");
    expect(text).toContain("Error: Failed to read memory at 0x24100010");
  });
});

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}
