import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sampleFirmware } from "../../../support/sample-job.ts";
import { temporaryFolder } from "../../../support/sfi.ts";
import { hasProgram, run, umockdevAvailable, usbBench } from "./support/usb-bench.ts";

/** One part that OpenOCD knows: its script, its bank, and one option word to change and what it then is. */
interface Witness {
  readonly chip: string;
  readonly script: string;
  readonly bank: string;
  readonly address: number;
  readonly sectorBytes: number;
  readonly probed: RegExp;
  readonly optionCommands: readonly string[];
  readonly option: readonly [string, number, number];
}

const witnesses: readonly Witness[] = [
  {
    chip: "h7b3",
    script: "stm32h7x",
    bank: "stm32h7x.bank1.cpu0",
    address: 0x08000000,
    sectorBytes: 0x2000,
    probed: /Device: STM32H7Ax\/7Bx/,
    optionCommands: ["stm32h7x option_write 0 0x20 0x101eaaf4"],
    option: ["optsr", 0x4, 0x4],
  },
  {
    chip: "h735",
    script: "stm32h7x",
    bank: "stm32h7x.bank1.cpu0",
    address: 0x08000000,
    sectorBytes: 0x20000,
    probed: /Device: STM32H72x\/73x/,
    optionCommands: ["stm32h7x option_write 0 0x20 0x101eaaf4"],
    option: ["optsr", 0x4, 0x4],
  },
  ...(
    [
      ["l562", "stm32l5x", "stm32l5x.flash_ns", 0x800, /STM32L55\/L56xx[\s\S]*dual-bank/, 0x40, 0x100, 0x700],
      [
        "u585",
        "stm32u5x",
        "stm32u5x.flash_ns",
        0x2000,
        /STM32U57\/U58xx[\s\S]*dual-bank/,
        0x40,
        0x100,
        0x700,
      ],
      ["wl55", "stm32wlx", "stm32wlx.flash.cpu0", 0x800, /STM32WLE\/WL5x/, 0x20, 0x200, 0xe00],
      ["l462", "stm32l4x", "stm32l4x.flash", 0x800, /STM32L45\/L46xx/, 0x20, 0x100, 0x700],
    ] as const
  ).map(
    ([chip, script, bank, sectorBytes, probed, offset, value, mask]): Witness => ({
      ...{ chip, script, bank, address: 0x08000000, sectorBytes, probed },
      optionCommands: [`stm32l4x option_write 0 ${offset} ${value} ${mask}`, "stm32l4x option_load 0"],
      option: ["optr", mask, value],
    }),
  ),
];

const commands = (...list: string[]) => list.flatMap((command) => ["-c", command]);
/** No server sockets: other programs of the machine may use the usual ports. No work area: no code runs on the core. */
const openocd = (script: string, ...list: string[]) => [
  ...["-f", "interface/stlink-dap.cfg"],
  ...commands("gdb_port disabled", "tcl_port disabled", "telnet_port disabled", "set WORKAREASIZE 0"),
  ...["-f", `target/${script}.cfg`],
  ...commands(...list),
];

describe.skipIf(!umockdevAvailable || !hasProgram("openocd"))("OpenOCD (needs umockdev, openocd)", () => {
  it.each(witnesses)("probes, erases, writes, verifies and changes options of $chip", async (witness) => {
    const { chip: name, script, bank, address, sectorBytes } = witness;
    const { bus, probes } = await usbBench(`virtual:${name}`);
    const { chip } = probes[0]!.bench;
    chip.store.fill("flash", 0, 2 * sectorBytes, 0x12);
    const folder = temporaryFolder();
    const file = join(folder, "firmware.bin");
    const firmware = sampleFirmware(1536);
    writeFileSync(file, firmware);
    const back = join(folder, "back.bin");
    const { all, exitCode } = await run(
      bus,
      "openocd",
      ...openocd(
        script,
        ...["init", "reset halt", `flash probe ${bank}`, `flash info ${bank}`],
        `flash erase_address ${address} ${sectorBytes}`,
        `flash write_image ${file} ${address} bin`,
        `verify_image ${file} ${address} bin`,
        `dump_image ${back} ${address} ${firmware.length}`,
        ...witness.optionCommands,
        "shutdown",
      ),
    );
    expect(exitCode, all ?? "").toBe(0);
    expect(all).toMatch(witness.probed);
    expect(readFileSync(back)).toEqual(Buffer.from(firmware));
    const { flashBytes } = chip;
    expect(flashBytes.subarray(0, firmware.length)).toEqual(firmware);
    expect(flashBytes.subarray(firmware.length, sectorBytes).every((byte) => byte === 0xff)).toBe(true);
    expect(flashBytes.subarray(sectorBytes, 2 * sectorBytes).every((byte) => byte === 0x12)).toBe(true);
    const [word, mask, value] = witness.option;
    expect((chip.option(word) & mask) >>> 0).toBe(value);
    expect(probes[0]!.bench.violations()).toEqual([]);
  });
});
