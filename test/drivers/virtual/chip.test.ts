import { createPublicKey, verify } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import { benchCaPublicKey } from "../../../drivers/virtual/identity.ts";
import { fromWords } from "../../../src/bytes/bytes.ts";
import { le32, openRaw, type RawProbe } from "./raw-probe.ts";

const dhcsr = 0xe000edf0;
const demcr = 0xe000edfc;
const halt = 0xa05f0003;
const run = 0xa05f0001;
let raw: RawProbe;
afterEach(() => raw.bench.close());

async function entered(selector?: string): Promise<void> {
  raw = await openRaw(selector);
  await raw.enter();
}

/** Calls a service of the RSS API the way a debugger does: return stub, registers, resume, wait for the halt. */
async function callService(slot: number, r0 = 0): Promise<number> {
  const entry = await raw.readWord(0x1ff09500 + 4 * slot);
  await raw.writeWord(dhcsr, halt);
  await raw.writeWord(0x24000000, 0xbe00be00);
  const registers = { 0: r0, 13: 0x24002000, 14: 0x24000001, 15: entry & ~1, 16: 0x01000000 };
  for (const [number, value] of Object.entries(registers)) {
    const status = await raw.status(`F2 34 ${Number(number).toString(16).padStart(2, "0")} ${le32(value)}`);
    expect(status).toBe(0x80);
  }
  await raw.writeWord(dhcsr, run);
  expect((await raw.readWord(dhcsr)) & (1 << 17)).toBe(0);
  await raw.bench.clock.sleep(50);
  expect((await raw.readWord(dhcsr)) & (1 << 17)).not.toBe(0);
  const value = await raw.command("F2 33 00 00", 8);
  return new DataView(value.buffer, value.byteOffset).getUint32(4, true);
}

describe("memory map of 0x450", () => {
  it("identifies itself", async () => {
    await entered();
    expect(await raw.readWord(0x5c001000)).toBe(0x20036450);
    await raw.command("F2 4B 02", 2);
    expect(await raw.readWord(0xe00e1000, 2)).toBe(0x20036450);
    expect((await raw.readWord(0x1ff1e880)) & 0xffff).toBe(2048);
    expect((await raw.read(0x1ff1e7fe, 1, 0x0c)).data[0]).toBe(0x90);
    expect((await raw.read(0x1ff1e800, 12)).data).toEqual(raw.bench.chip.uid);
  });

  it.each([
    ["virtual:h753", 0],
    ["virtual:h743", 1],
  ])("tells the security extension of %s once SYSCFG has a clock", async (selector, bit) => {
    await entered(selector);
    expect(await raw.readWord(0x58000528)).toBe(0);
    await raw.writeWord(0x580244f4, 2);
    expect(await raw.readWord(0x58000528)).toBe(bit);
  });

  it("has RAM where the H7 has it, the flash also at 0x00200000, and faults elsewhere", async () => {
    await entered();
    for (const address of [0x24000000, 0x2407fffc, 0x20000000, 0, 0x30047ffc, 0x38000000, 0x38800ffc]) {
      expect((await raw.write(address, fromWords([address ^ 0x5a5a5a5a]))).status).toBe(0x80);
      expect(await raw.readWord(address)).toBe((address ^ 0x5a5a5a5a) >>> 0);
    }
    expect(await raw.readWord(0x00200000)).toBe(0xffffffff);
    expect(await raw.read(0x24080000, 4)).toMatchObject({ status: 0x11, at: 0x24080000 });
    expect((await raw.write(0x08000000 + 0x200000, fromWords([0]))).status).toBe(0x11);
  });

  it("reaches D2 and D3 through AP1, but not AXI SRAM", async () => {
    await entered();
    await raw.command("F2 4B 01", 2);
    await raw.writeWord(0x38000000, 0x12345678);
    expect(await raw.readWord(0x38000000, 1)).toBe(0x12345678);
    expect(await raw.status("F2 36 00 00 00 24 01", 8)).toBe(0x11);
  });

  it("drives a MEM-AP by its registers, with increment and sticky error", async () => {
    await entered();
    await raw.write(0x24000000, fromWords([1, 2, 3]));
    await raw.status("F2 46 00 00 00 00 12 00 00 23");
    await raw.status("F2 46 00 00 04 00 00 00 00 24");
    const first = await raw.command("F2 45 00 00 0C 00", 8);
    const second = await raw.command("F2 45 00 00 0C 00", 8);
    expect([first[4], second[4]]).toEqual([1, 2]);
    expect((await raw.command("F2 45 00 00 04 00", 8)).subarray(4)).toEqual(fromWords([0x24000008]));
    await raw.status("F2 46 00 00 04 00 00 00 00 A0");
    expect(await raw.status("F2 45 00 00 0C 00", 8)).toBe(0x11);
    expect(await raw.status("F2 45 00 00 04 00", 8)).toBe(0x11);
    await raw.status("F2 46 FF FF 00 00 1E 00 00 00");
    expect(await raw.status("F2 45 00 00 04 00", 8)).toBe(0x80);
  });
});

describe("core", () => {
  it("halts, hands out registers and takes new ones", async () => {
    await entered();
    expect(await raw.status("F2 33 0F 00", 8)).toBe(0x81);
    await raw.writeWord(dhcsr, 0x00000003);
    expect((await raw.readWord(dhcsr)) & (1 << 17)).toBe(0);
    await raw.writeWord(dhcsr, halt);
    expect((await raw.readWord(dhcsr)) & 0x30003).toBe(0x30003);
    await raw.status("F2 34 05 78 56 34 12 00");
    await raw.writeWord(0xe000edf4, 5);
    expect(await raw.readWord(0xe000edf8)).toBe(0x12345678);
    await raw.writeWord(0xe000edf8, 0x41000000);
    await raw.writeWord(0xe000edf4, 0x10000 | 64);
    await raw.writeWord(0xe000edf8, 0);
    await raw.writeWord(0xe000edf4, 64);
    expect(await raw.readWord(0xe000edf8)).toBe(0x41000000);
    const all = await raw.command("F2 3A 00", 88);
    expect(all.subarray(4 + 20, 4 + 24)).toEqual(fromWords([0x12345678]));
  });

  it("halts at the reset vector when it is caught, and S_RESET_ST is read once", async () => {
    await entered();
    await raw.readWord(dhcsr);
    await raw.writeWord(dhcsr, halt);
    await raw.writeWord(demcr, 0x01000001);
    await raw.writeWord(0xe000ed0c, 0x05fa0004);
    const seen = await raw.readWord(dhcsr);
    expect(seen & ((1 << 25) | (1 << 17))).toBe((1 << 25) | (1 << 17));
    expect((await raw.readWord(dhcsr)) & (1 << 25)).toBe(0);
    expect((await raw.readWord(0xe000ed30)) & (1 << 3)).toBe(1 << 3);
  });

  it("can be caught under reset: only debug registers answer while NRST is low", async () => {
    raw = await openRaw();
    await raw.status("F2 3C 00");
    await raw.enter();
    expect(await raw.readWord(0xe000ed00)).toBe(0x411fc271);
    expect((await raw.read(0x24000000, 4)).status).toBe(0x11);
    await raw.writeWord(dhcsr, halt);
    await raw.writeWord(demcr, 0x01000001);
    await raw.status("F2 3C 01");
    expect((await raw.readWord(dhcsr)) & (1 << 17)).not.toBe(0);
    expect((await raw.read(0x24000000, 4)).status).toBe(0x80);
  });

  it("lets NRST go when the probe leaves debug mode", async () => {
    await entered();
    await raw.status("F2 3C 00");
    expect(raw.bench.chip.core.heldInReset).toBe(true);
    await raw.command("F2 21");
    expect(raw.bench.chip.core.heldInReset).toBe(false);
  });
});

describe("supply", () => {
  it("loses RAM and the link without power, keeps flash, and answers again after ENTER", async () => {
    await entered();
    await raw.write(0x24000000, fromWords([0xcafe]));
    raw.bench.chip.powerOff();
    expect((await raw.command("F7", 8))[4]).toBe(0);
    expect(await raw.status("F2 36 00 00 00 24 00", 8)).toBe(0x09);
    expect(await raw.status("F2 30 A3")).toBe(0x09);
    raw.bench.chip.powerOn();
    expect(await raw.status("F2 36 00 00 00 24 00", 8)).toBe(0x09);
    await raw.enter();
    expect(await raw.readWord(0x24000000)).not.toBe(0xcafe);
    expect(await raw.readWord(0x08000000)).toBe(0xffffffff);
  });

  it("keeps RAM over a system reset and a pulse on NRST", async () => {
    await entered();
    await raw.write(0x24000000, fromWords([0xcafe]));
    await raw.writeWord(0xe000ed0c, 0x05fa0004);
    await raw.status("F2 3C 02");
    expect(await raw.readWord(0x24000000)).toBe(0xcafe);
  });
});

describe("RSS API called over the debug port", () => {
  it("tells version, status and certificate size", async () => {
    await entered();
    expect(await callService(0)).toBe(0x00020001);
    expect(await callService(1)).toBe(0xee000091);
    expect(await callService(3)).toBe(136);
    expect(await callService(5)).toBe(0);
  });

  it("hands out the certificate, signed by the bench's authority over its first 72 bytes", async () => {
    await entered();
    expect(await callService(2, 0x24000800)).toBe(0xee000092);
    const { data } = await raw.read(0x24000800, 136);
    expect(Buffer.from(data.subarray(0, 8)).toString()).toBe("45002001");
    expect(data).toEqual(raw.bench.chip.certificate);
    const ca = benchCaPublicKey();
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
    const jwk = { kty: "EC", crv: "P-256", x: base64(ca.subarray(0, 32)), y: base64(ca.subarray(32)) };
    const key = createPublicKey({ key: jwk, format: "jwk" });
    const signature = data.subarray(72);
    const isGood = (message: Uint8Array) =>
      verify("sha256", message, { key, dsaEncoding: "ieee-p1363" }, signature);
    expect(isGood(data.subarray(0, 72))).toBe(true);
    expect(isGood(data.subarray(1, 73))).toBe(false);
  });

  it("fails without a buffer in RAM, and locks up without a stack", async () => {
    await entered();
    expect(await callService(2, 0x08000000)).toBe(0);
    await raw.writeWord(dhcsr, halt);
    await raw.status(`F2 34 0D ${le32(0x08000000)}`);
    await raw.status(`F2 34 0F ${le32((await raw.readWord(0x1ff09500)) & ~1)}`);
    await raw.writeWord(dhcsr, run);
    await raw.bench.clock.sleep(50);
    expect((await raw.readWord(dhcsr)) & ((1 << 19) | (1 << 17))).toBe(1 << 19);
  });

  it("does not exist on a part without the security extension", async () => {
    await entered("virtual:h743");
    expect(await raw.readWord(0x1ff09500)).toBe(0xffffffff);
  });

  it("another uid is another chip with another key", async () => {
    await entered("virtual:h753,uid=0102030405060708090a0b0c");
    const other = await openRaw();
    expect(raw.bench.chip.uid[0]).toBe(1);
    expect(raw.bench.chip.certificate.subarray(8, 72)).not.toEqual(
      other.bench.chip.certificate.subarray(8, 72),
    );
    await other.bench.close();
  });
});
