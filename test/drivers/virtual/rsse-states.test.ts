import { afterEach, describe, expect, it } from "vitest";
import { fromWords } from "../../../src/bytes/bytes.ts";
import {
  callRsse,
  developmentRsse,
  installByRsse,
  openPart,
  type PartProbe,
  type RssePart,
} from "./rsse-part.ts";

const ok = 0xeaeaeaea;
const error = 0xf5f5f5f5;
const firmware = Uint8Array.from({ length: 1000 }, (_, i) => (i * 31 + 5) & 0xff);
const image = { type: "F", address: 0x08000000, content: firmware };
const h5 = { family: "STM32H5", ap: 1, command: 0x44000434 };
const h573: RssePart = { ...h5, chip: "h573", base: 0x20000000, window: 0x20028000 };
const h533: RssePart = { ...h5, chip: "h533", base: 0x20003000, window: 0x20014000 };
const h503: RssePart = { ...h5, chip: "h503", base: 0x20000000, window: 0x20004000 };
const h7s7: RssePart = {
  ...{ chip: "h7s7", family: "STM32H7R", ap: 1, base: 0x24000000, window: 0x20000200, command: 0x58000434 },
};
const wl55: RssePart = {
  ...{ chip: "wl55", family: "STM32WL", ap: 0, base: 0x20000000, window: 0x20008000, command: 0x58000498 },
};
let probe: PartProbe;
afterEach(() => probe.bench.close());

/** Option write of the H5: keys, programming registers, OPTSTART. Returns NSSR. */
async function programH5(registers: Readonly<Record<number, number>>): Promise<number> {
  await probe.write32(0x4002200c, 0x08192a3b);
  await probe.write32(0x4002200c, 0x4c5d6e7f);
  for (const [offset, value] of Object.entries(registers))
    await probe.write32(0x40022000 + Number(offset), value);
  await probe.write32(0x4002201c, 2);
  await probe.bench.clock.sleep(500);
  return probe.read32(0x40022020);
}

async function systemReset(): Promise<void> {
  await probe.write32(0xe000ed0c, 0x05fa0004);
  if (probe.bench.chip.answers()) await probe.reattach();
}

/** Words of a C area in the order of the part's rows, with changes by place. */
function optionArea(rows: readonly string[], change: Readonly<Record<string, number>>) {
  const words = probe.bench.chip.options();
  return { type: "C", content: fromWords(rows.map((name) => change[name] ?? words[name] ?? 0)) };
}

function rows(): readonly string[] {
  const { rss } = probe.bench.chip.model;
  return rss.kind === "rsse" ? rss.rows.map((name) => name ?? "") : [];
}

describe("product states of the H5", () => {
  it("go only forward, by option bytes, with the next reset, and closing ones from Provisioning", async () => {
    probe = await openPart(h573);
    expect(await probe.read32(0x40022050)).toBe(0x2d30edf8);
    expect((await programH5({ 84: 0x2d3072f8 })) & (1 << 23)).toBe(1 << 23);
    await probe.write32(0x40022030, 1 << 23);
    expect((await programH5({ 84: 0x2d3017f8 })) & (1 << 23)).toBe(0);
    expect((probe.bench.chip.option("optsr") >>> 8) & 0xff).toBe(0xed);
    await systemReset();
    expect((probe.bench.chip.option("optsr") >>> 8) & 0xff).toBe(0x17);
    expect((await programH5({ 84: 0x2d30edf8 })) & (1 << 23)).toBe(1 << 23);
    await systemReset();
    expect((await programH5({ 84: 0x2d30c6f8 })) & (1 << 23)).toBe(1 << 23);
    await systemReset();
    expect((await programH5({ 84: 0x2d3072f8 })) & (1 << 23)).toBe(0);
    await systemReset();
    expect(probe.bench.chip.answers()).toBe(false);
  });

  it("close secure debug behind Open: secure aliases fault, secure flash reads as zero", async () => {
    probe = await openPart(h573);
    probe.bench.chip.store.fill("flash", 0, 64, 0x12);
    await programH5({ 116: 0xb400007c, 228: 0x00000000, 484: 0x0000007f });
    await systemReset();
    expect(probe.bench.chip.gate()).toMatchObject({ trustZone: true, secureDebug: true });
    expect(await probe.read32(0x0c000000)).toBe(0x12121212);
    expect(await probe.read32(0x08000000)).toBe(0);
    await programH5({ 84: 0x2d3017f8 });
    await systemReset();
    expect(await probe.status("F2 36 00 00 00 0C 01", 8)).toBe(0x11);
    expect(await probe.read32(0x08000000)).toBe(0);
  });

  it("TZEN takes 0xB4 and 0xC3 only", async () => {
    probe = await openPart(h573);
    expect((await programH5({ 116: 0x0000007c })) & (1 << 23)).toBe(1 << 23);
  });
});

describe("flash of the H5", () => {
  it("erases a sector and programs whole flash words", async () => {
    probe = await openPart(h573);
    probe.bench.chip.store.fill("flash", 0, 0x4000, 0x12);
    await probe.write32(0x40022004, 0x45670123);
    await probe.write32(0x40022004, 0xcdef89ab);
    await probe.write32(0x40022028, (1 << 2) | (1 << 6) | (1 << 5));
    expect((await probe.read32(0x40022020)) & 1).toBe(1);
    await probe.bench.clock.sleep(100);
    expect((await probe.read32(0x40022020)) & 1).toBe(0);
    expect(probe.bench.chip.flashBytes.subarray(0x2000, 0x4000).every((byte) => byte === 0xff)).toBe(true);
    expect(probe.bench.chip.flashBytes[0x1fff]).toBe(0x12);
    await probe.write32(0x40022028, 1 << 1);
    await probe.load(0x08002000, firmware.subarray(0, 512));
    expect(probe.bench.chip.flashBytes.subarray(0x2000, 0x2200)).toEqual(firmware.subarray(0, 512));
    await probe.write32(0x08002200, 1);
    expect((await probe.read32(0x40022020)) & 2).toBe(2);
    await probe.write32(0x08002300, 1);
    expect((await probe.read32(0x40022020)) & (1 << 20)).toBe(1 << 20);
  });
});

describe("an install with RSSe on the H5", () => {
  it.each([h573, h533, h503])(
    "runs on $chip in Provisioning and closes the part with the reset after it",
    async (part) => {
      probe = await openPart(part);
      const optsr = probe.bench.chip.option("optsr");
      const boot = part === h503 ? optsr : ((optsr & ~(0xff << 22)) | (0xc3 << 22)) >>> 0;
      await programH5({ 84: boot });
      await systemReset();
      await probe.load(part.window, developmentRsse(part));
      expect(await callRsse(probe, part, 0)).toBe(0x00020002);
      await programH5({ 84: ((boot & ~0xff00) | 0x1700) >>> 0 });
      const areas = [
        image,
        { type: "K", content: new Uint8Array(96) },
        optionArea(rows(), { optsr: ((optsr & ~0xff00) | 0x7200) >>> 0 }),
      ];
      expect(await installByRsse(probe, part, areas, 3)).toEqual({ status: ok, value: 0 });
      expect(probe.bench.chip.flashBytes.subarray(0, 1000)).toEqual(firmware);
      expect(probe.bench.chip.store.get("hasDaObject")).toBe(1);
      expect((probe.bench.chip.option("optsr") >>> 8) & 0xff).toBe(0x17);
      await systemReset();
      expect(probe.bench.chip.answers()).toBe(false);
    },
  );

  it("is not there with secure firmware 0.1.1", async () => {
    probe = await openPart(h573);
    probe.bench.chip.setSfsp(0x00010100);
    expect(await probe.read32(0x0bf960cc)).toBe(0x00010100);
    await probe.load(h573.window, developmentRsse(h573));
    expect(await callRsse(probe, h573, 1)).toBe(error);
  });

  it("does not start while the part is Open", async () => {
    probe = await openPart(h573);
    await probe.load(h573.window, developmentRsse(h573));
    await probe.write32(h573.command, 0xa5);
    await systemReset();
    expect(probe.bench.chip.rss.running).toBe(false);
  });
});

describe("H7RS", () => {
  it("installs from Open and takes the product state from the first row", async () => {
    probe = await openPart(h7s7);
    await probe.load(h7s7.window, developmentRsse(h7s7));
    expect(await callRsse(probe, h7s7, 0)).toBe(0x00020002);
    expect(await probe.read32(0x52002200)).toBe(0xb4);
    const areas = [image, optionArea(rows(), { productState: 0x17 })];
    expect(await installByRsse(probe, h7s7, areas, 2)).toEqual({ status: ok, value: 0 });
    expect(await probe.read32(0x52002200)).toBe(0xb4);
    await systemReset();
    expect(await probe.read32(0x52002200)).toBe(0x51);
    expect(probe.bench.chip.option("productState")).toBe(0x17);
    expect(probe.bench.chip.flashBytes.subarray(0, 1000)).toEqual(firmware);
  });

  it("writes option words with their programming register, and a protected one only while Open", async () => {
    probe = await openPart(h7s7);
    const unlock = async () => {
      await probe.write32(0x52002100, 0x08192a3b);
      await probe.write32(0x52002100, 0x4c5d6e7f);
      await probe.write32(0x52002104, 2);
    };
    await unlock();
    await probe.write32(0x5200221c, 0xfe);
    await probe.write32(0x52002264, 0x200603d4);
    await probe.bench.clock.sleep(100);
    await systemReset();
    expect(await probe.read32(0x52002218)).toBe(0xfe);
    expect(await probe.read32(0x52002260)).toBe(0x200603d4);
    probe.bench.chip.flash.install.setOptions({ productState: 0x17 });
    await systemReset();
    await unlock();
    await probe.write32(0x5200221c, 0xff);
    expect(await probe.read32(0x52002108)).toBe(1 << 30);
    expect(await probe.read32(0x52002218)).toBe(0xfe);
  });

  it("keeps the product state behind RSSLIB", async () => {
    probe = await openPart(h7s7);
    const call = async (offset: number, ...registers: readonly number[]): Promise<number> => {
      const entry = await probe.read32(0x1ff1fd4c + offset);
      const { chip } = probe.bench;
      await probe.write32(0xe000edf0, 0xa05f0003);
      await probe.write32(0x24000000, 0xbe00be00);
      for (const [i, value] of registers.entries()) chip.core.setRegister(i, value);
      chip.core.setRegister(13, 0x24000800);
      chip.core.setRegister(14, 0x24000001);
      chip.core.setRegister(15, entry & ~1);
      chip.core.setRegister(16, 0x01000000);
      await probe.write32(0xe000edf0, 0xa05f0001);
      await probe.bench.clock.sleep(50);
      expect((await probe.read32(0xe000edf0)) & (1 << 17)).not.toBe(0);
      return chip.core.register(0) ?? 0;
    };
    expect(await call(0x28)).toBe(0x39);
    expect(await call(0x18, 0x72)).toBe(error);
    expect(await call(0x18, 0x17)).toBe(ok);
    await systemReset();
    expect(await call(0x28)).toBe(0x17);
    expect(await call(0x00, 0x5200221c, 0xff, 0xf0, 0)).toBe(ok);
    expect(await call(0x00, 0x52002230, 0xff, 0xf0, 0)).toBe(error);
    await systemReset();
    expect(await probe.read32(0x52002218)).toBe(0xf0);
    expect(await call(0x18, 0x5c)).toBe(ok);
    await systemReset();
    expect(probe.bench.chip.answers()).toBe(false);
  });
});

describe("WL", () => {
  it("installs at RDP level 0, from its 20 KiB", async () => {
    probe = await openPart(wl55);
    await probe.load(wl55.window, developmentRsse(wl55));
    expect(await callRsse(probe, wl55, 3)).toBe(136);
    const optr = ((probe.bench.chip.option("optr") & ~0xff) | 0xbb) >>> 0;
    expect(await installByRsse(probe, wl55, [image, optionArea(rows(), { optr })], 2)).toEqual({
      status: ok,
      value: 0,
    });
    expect(probe.bench.chip.flashBytes.subarray(0, 1000)).toEqual(firmware);
    await systemReset();
    expect((await probe.read32(0x58004020)) & 0xff).toBe(0xbb);
    expect(await probe.status("F2 36 00 00 00 08 00", 8)).toBe(0x11);
  });

  it("shows AP1 only once the second core is let go", async () => {
    probe = await openPart(wl55);
    expect(await probe.status("F2 4B 01")).toBe(0x1d);
    await probe.write32(0x5800040c, 1 << 15);
    expect(await probe.status("F2 4B 01")).toBe(0x80);
  });
});
