import { expect } from "vitest";

/** What OpenOCD must say about a virtual STLINK-V3SET with a virtual H753, over either transport. */
export function expectProbeAndCore(text: string): void {
  expect(text, "identity of the probe").toContain("STLINK V3J15M6B5S1 (API v3) VID:PID 0483:374F");
  const volts = /Target voltage: ([\d.]+)/.exec(text)?.[1];
  expect(Math.round(Number(volts) * 10), `Target voltage: ${volts}`).toBe(33);
  expect(text, "examination of the core").toContain("[stm32h7x.cpu0] Cortex-M7 r1p1 processor detected");
  expect(text, "debug units of the core").toContain("target has 8 breakpoints, 4 watchpoints");
}

/** What `st-info --probe` must say about the same. */
export function expectProbeInfo(text: string, serial: string): void {
  expect(text, "number of probes").toContain("Found 1 stlink programmers");
  expect(text, "version of the probe").toMatch(/version: +V3J15/);
  expect(text, "serial number").toMatch(new RegExp(`serial: +${serial}$`, "m"));
  expect(text, "size of the flash").toMatch(/flash: +2097152 \(pagesize: 131072\)/);
  expect(text, "size of the RAM").toMatch(/sram: +131072/);
  expect(text, "device id").toMatch(/chipid: +0x0450/);
  expect(text, "name of the family").toMatch(/H74x\/H75x/);
}
