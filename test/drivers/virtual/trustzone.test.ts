import { afterEach, describe, expect, it } from "vitest";
import { fromWords } from "../../../src/bytes/bytes.ts";
import { plainPlaces, programPageOptions, trustZonePlaces } from "./page-options.ts";
import { openPart, type PartProbe, type RssePart } from "./rsse-part.ts";

const u585: RssePart = {
  ...{ chip: "u585", family: "STM32U5", ap: 0, base: 0x20000000, window: 0x20080000, command: 0x4600042c },
};
const ns = 0x40022000;
const s = 0x50022000;
/** Production value of OPTR and what the tests make of it. */
const factory = 0x1feff8aa;
const trusted = 0x9feff8aa;
/** BOOT0 from the option bits: RSS, then the bootloader, so that the core is non-secure. */
const fromRss = 0x93eff8aa;
const fault = 0x11;
let probe: PartProbe;
afterEach(() => probe.bench.close());

const withRdp = (optr: number, rdp: number) => ((optr & ~0xff) | rdp) >>> 0;
const change = (registers: Readonly<Record<number, number>>, base = ns) =>
  programPageOptions(probe, base, registers, trustZonePlaces);
const optwerr = 1 << 13;
const status = (address: number, attributes = 0) => {
  const bytes = [address, address >>> 8, address >>> 16, address >>> 24].map((byte) => byte & 0xff);
  const block = [0xf2, 0x07, ...bytes, 4, 0, 0, 0, attributes >>> 16, attributes >>> 24];
  return block.map((byte) => (byte & 0xff).toString(16).padStart(2, "0")).join("");
};
/** Status of a word read with attributes of its own. */
async function readStatus(address: number, attributes = 0): Promise<number> {
  await probe.command(status(address, attributes), 4);
  return probe.status("F2 3E", 12);
}

describe("TrustZone of the U5", () => {
  it("is off at first: no secure alias, and SPIDEN 0", async () => {
    probe = await openPart(u585);
    expect(await probe.read32(ns + 0x40)).toBe(factory);
    expect(await readStatus(0x0c000000)).toBe(fault);
    expect(await readStatus(0x30000000)).toBe(fault);
    expect((await probe.command("F2 45 00 00 00 00", 8))[6]! & 0x80).toBe(0);
    expect(await probe.read32(0xe000ee08)).toBe(0);
  });

  it("is on after loading: SPIDEN, aliases by HNONSEC, pages by watermark", async () => {
    probe = await openPart(u585);
    probe.bench.chip.store.fill("flash", 0, 16, 0x12);
    probe.bench.chip.store.fill("flash", 0x100000, 16, 0x34);
    expect((await change({ 64: trusted, 96: 0x0000007f })) & optwerr).toBe(0);
    expect((await probe.command("F2 45 00 00 00 00", 8))[6]! & 0x80).toBe(0x80);
    expect(await probe.read32(0x0c000000)).toBe(0x12121212);
    expect(await probe.read32(0x08000000)).toBe(0);
    expect(await probe.read32(0x08100000)).toBe(0x34343434);
    expect(await probe.read32(0x0c100000)).toBe(0);
    expect(await readStatus(0x0c000000, 0x0b000000)).toBe(0x80);
    expect(await readStatus(0x0c000000, 0x4b000000)).toBe(fault);
    expect(await readStatus(0x30000000, 0x4b000000)).toBe(fault);
    expect(await readStatus(0x20000000, 0x4b000000)).toBe(0x80);
  });

  it("keeps the secure registers and option words from the other side", async () => {
    probe = await openPart(u585);
    await change({ 64: trusted });
    expect(await probe.read32(ns + 0x2c)).toBe(0);
    expect(await probe.read32(s + 0x2c)).toBe(0x80000000);
    await change({ 80: 0x0000007f });
    expect(probe.bench.chip.option("secwm1r1")).toBe(0x007f0000);
    await change({ 80: 0x0000007f }, s);
    expect(probe.bench.chip.option("secwm1r1")).toBe(0x0000007f);
  });

  it("erases and programs a page from its own side only", async () => {
    probe = await openPart(u585);
    await change({ 64: trusted, 96: 0x0000007f });
    await probe.write32(ns + 0x08, 0x45670123);
    await probe.write32(ns + 0x08, 0xcdef89ab);
    await probe.write32(ns + 0x28, (1 << 1) | (1 << 16));
    expect((await probe.read32(ns + 0x20)) & (1 << 4)).toBe(1 << 4);
    await probe.write32(ns + 0x20, 0xff);
    await probe.write32(ns + 0x28, (1 << 1) | (1 << 11) | (1 << 16));
    expect(await probe.read32(ns + 0x20)).toBe(1 << 16);
    await probe.bench.clock.sleep(100);
    await probe.write32(ns + 0x28, 1);
    await probe.load(0x08100000, fromWords([1, 2, 3, 4]));
    expect(await probe.read32(0x08100004)).toBe(2);
    await probe.load(0x08100000, fromWords([1, 2, 3, 4]));
    expect((await probe.read32(ns + 0x20)) & (1 << 3)).toBe(1 << 3);
  });
});

describe("RDP of the U5", () => {
  it("0.5 needs TZEN, and TZEN goes only with a regression from level 1 to 0, which erases", async () => {
    probe = await openPart(u585);
    expect((await change({ 64: withRdp(factory, 0x55) })) & optwerr).toBe(optwerr);
    await change({ 64: fromRss });
    expect((await change({ 64: factory }, s)) & optwerr).toBe(optwerr);
    await change({ 64: withRdp(fromRss, 0x55) }, s);
    expect(probe.bench.chip.gate()).toMatchObject({
      trustZone: true,
      secureDebug: false,
      memoryClosed: false,
    });
    expect((await change({ 64: factory })) & optwerr).toBe(optwerr);
    await change({ 64: withRdp(fromRss, 0xdc) });
    expect(await readStatus(0x08000000)).toBe(fault);
    expect(await readStatus(0x20000000)).toBe(0x80);
    probe.bench.chip.store.fill("flash", 0, 64, 0x12);
    expect((await change({ 64: factory })) & optwerr).toBe(0);
    expect(probe.bench.chip.option("optr")).toBe(factory);
    expect(probe.bench.chip.flashBytes.subarray(0, 64).every((byte) => byte === 0xff)).toBe(true);
  });

  it("above 0 shuts everything out when a blank part starts in secure flash", async () => {
    probe = await openPart(u585);
    await change({ 64: trusted });
    await change({ 64: withRdp(trusted, 0xdc) }, s);
    expect(await readStatus(ns + 0x40)).toBe(fault);
    expect(await readStatus(0x20000000)).toBe(fault);
    expect(await readStatus(0xe0044000)).toBe(0x80);
  });

  it("1 to 0.5 erases what no watermark covers", async () => {
    probe = await openPart(u585);
    await change({ 64: fromRss, 96: 0x0000007f });
    await change({ 64: withRdp(fromRss, 0xdc) }, s);
    probe.bench.chip.store.fill("flash", 0, 64, 0x12);
    probe.bench.chip.store.fill("flash", 0x100000, 64, 0x34);
    await change({ 64: withRdp(fromRss, 0x55) });
    expect(probe.bench.chip.flashBytes[0]).toBe(0x12);
    expect(probe.bench.chip.flashBytes[0x100000]).toBe(0xff);
  });

  it("2 is the end without OEM2KEY", async () => {
    probe = await openPart(u585);
    await change({ 64: withRdp(factory, 0xcc) });
    expect(probe.bench.chip.answers()).toBe(false);
    probe.bench.chip.powerCycle();
    expect(probe.bench.chip.answers()).toBe(false);
  });
});

describe("OEM keys of the U5", () => {
  const key = [0xfaceb00c, 0xdeadbabe] as const;
  const give = async (words: readonly number[]) => {
    for (const word of words) await probe.write32(0xe0044100, word);
  };

  it("OEM1KEY guards the way from level 1 to 0, and a wrong key shuts it until power-off", async () => {
    probe = await openPart(u585);
    await change({ 112: key[0], 116: key[1] });
    expect(await probe.read32(ns + 0x70)).toBe(0);
    expect((await probe.read32(ns + 0x20)) & (3 << 18)).toBe(1 << 18);
    await change({ 64: withRdp(factory, 0xbb) });
    expect((await change({ 64: factory })) & optwerr).toBe(optwerr);
    await give([1, 2]);
    await give(key);
    expect((await change({ 64: factory })) & optwerr).toBe(optwerr);
    probe.bench.chip.powerCycle();
    await probe.reattach();
    await give(key);
    expect((await change({ 64: factory })) & optwerr).toBe(0);
    expect(probe.bench.chip.option("optr")).toBe(factory);
  });

  it("OEM2KEY keeps the port for itself at level 2, and leads back to level 1 with a power cycle", async () => {
    probe = await openPart(u585);
    await change({ 120: key[0], 124: key[1] });
    expect((await probe.read32(ns + 0x20)) & (3 << 18)).toBe(2 << 18);
    await change({ 64: withRdp(factory, 0xcc) });
    expect(await readStatus(ns + 0x40)).toBe(fault);
    await give(key);
    expect(await readStatus(ns + 0x40)).toBe(fault);
    probe.bench.chip.powerCycle();
    await probe.reattach();
    expect((await probe.read32(ns + 0x40)) & 0xff).toBe(0xdc);
  });
});

describe("locks", () => {
  it("write protection with UNLOCK 0 stays until a regression", async () => {
    probe = await openPart(u585);
    await change({ 88: 0x00010000 });
    expect((await change({ 88: 0x8000007f })) & optwerr).toBe(optwerr);
    await change({ 64: withRdp(factory, 0xbb) });
    expect((await change({ 64: factory, 88: 0x8000007f })) & optwerr).toBe(0);
  });

  it.each([
    ["u585", 0],
    ["l562", optwerr],
  ])("BOOT_LOCK of %s", async (chip, flag) => {
    probe = await openPart({ ...u585, chip });
    await change({ 76: 0x0c000001 });
    expect((await change({ 76: 0x0c000000 })) & optwerr).toBe(flag);
  });

  it("BOOT_LOCK of the WL goes with a regression only, and secure flash of its other core is closed", async () => {
    probe = await openPart({ ...u585, chip: "wl55" });
    const base = 0x58004000;
    const optr = await probe.read32(base + 0x20);
    const options = (registers: Readonly<Record<number, number>>) =>
      programPageOptions(probe, base, registers, plainPlaces);
    const optverr = 1 << 15;
    const locked = (optr | (1 << 30)) >>> 0;
    await options({ 32: locked });
    expect((await options({ 32: optr })) & optverr).toBe(optverr);
    await options({ 32: withRdp(locked, 0xbb) });
    expect((await options({ 32: optr })) & optverr).toBe(0);
    const sfr = await probe.read32(base + 0x80);
    await options({ 128: ((sfr & ~0xff) | 0x40) >>> 0 });
    expect(await readStatus(0x0801fffc)).toBe(0x80);
    expect(await readStatus(0x08020000)).toBe(fault);
  });

  it("PCROP of the L4 is refused to a debugger and may only grow", async () => {
    probe = await openPart({ ...u585, chip: "l462" });
    const base = 0x40022000;
    const options = (registers: Readonly<Record<number, number>>) =>
      programPageOptions(probe, base, registers, plainPlaces);
    await options({ 36: 0x100, 40: 0x80000200 });
    expect(await readStatus(0x08000800)).toBe(fault);
    expect((await options({ 36: 0xffff, 40: 0x80000000 })) & (1 << 15)).toBe(1 << 15);
    const optr = await probe.read32(base + 0x20);
    await options({ 32: withRdp(optr, 0xbb) });
    await options({ 32: optr, 36: 0xffff, 40: 0x80000000 });
    expect(await readStatus(0x08000800)).toBe(0x80);
  });
});
