import { afterEach, describe, expect, it } from "vitest";
import { fromWords } from "../../../src/bytes/bytes.ts";
import { programPageOptions, trustZonePlaces } from "./page-options.ts";
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
const u5 = { family: "STM32U5", base: 0x20000000, command: 0x4600042c };
const parts: readonly RssePart[] = [
  { chip: "l562", family: "STM32L5", ap: 0, base: 0x20000000, window: 0x20020000, command: 0x4001002c },
  { chip: "u545", ap: 0, window: 0x20020000, ...u5 },
  { chip: "u585", ap: 0, window: 0x20080000, ...u5 },
  { chip: "u5a9", ap: 0, window: 0x20080000, ...u5 },
  { chip: "u5g9", ap: 0, window: 0x20080000, ...u5 },
  { chip: "wba55", ap: 1, window: 0x2000a000, ...u5, family: "STM32WBA" },
  { chip: "wba65", ap: 1, window: 0x20020000, ...u5, family: "STM32WBA" },
];
const u585 = parts[2]!;
let probe: PartProbe;
afterEach(() => probe.bench.close());

/** TZEN with BOOT0 from the option bits, then RDP level 0.5. */
async function arm(): Promise<void> {
  const optr = await probe.read32(0x40022040);
  const booting = (optr & ~(3 << 26)) | 0x80000000;
  await programPageOptions(probe, 0x40022000, { 64: booting >>> 0 }, trustZonePlaces);
  await programPageOptions(probe, 0x50022000, { 64: ((booting & ~0xff) | 0x55) >>> 0 }, trustZonePlaces);
}

/** Words of a C area: the part's own with the given OPTR. */
function optionArea(optr: (word: number) => number) {
  const words = probe.bench.chip.options();
  const [first = 0, ...rest] = Object.values(words);
  return { type: "C", content: fromWords([optr(first), ...rest]) };
}

const closing = (word: number) => ((word & ~0xff) | (3 << 26) | 0x55) >>> 0;

describe("an install with RSSe on the TrustZone parts", () => {
  it.each(parts)(
    "runs on $chip in one part and loads the option bytes with the reset after it",
    async (part) => {
      probe = await openPart(part);
      await arm();
      expect(probe.bench.chip.gate()).toMatchObject({ trustZone: true, secureDebug: false });
      await probe.load(part.window, developmentRsse(part));
      expect(await callRsse(probe, part, 0)).toBe(0x00020002);
      expect(await callRsse(probe, part, 2, part.base + 0x200)).toBe(ok);
      expect(await probe.read32(part.base + 0x200)).toBe(
        new DataView(probe.bench.chip.certificate.buffer.slice(0)).getUint32(
          probe.bench.chip.certificate.byteOffset,
          true,
        ),
      );
      const image = [{ type: "F", address: 0x0c000000, content: firmware }, optionArea(closing)];
      expect(await installByRsse(probe, part, image, 2)).toEqual({ status: ok, value: 0 });
      expect(probe.bench.chip.flashBytes.subarray(0, 1000)).toEqual(firmware);
      const before = probe.bench.chip.option("optr");
      expect((before >>> 26) & 3).toBe(0);
      await probe.write32(0xe000ed0c, 0x05fa0004);
      await probe.reattach();
      expect((await probe.read32(0x40022040)) >>> 0).toBe(closing(before));
      // Secure flash reads as zero from the non-secure side.
      expect(await probe.read32(0x08000000)).toBe(0);
    },
  );

  it("goes on in a second part from the token of the first", async () => {
    probe = await openPart(u585);
    await arm();
    const token = { address: 0x081fe000, content: new Uint8Array(32) };
    const first = [
      { type: "F", address: 0x0c000000, content: firmware },
      { type: "P", ...token },
    ];
    expect(await installByRsse(probe, u585, first, 5)).toEqual({ status: ok, value: 0x80 });
    const second = [
      { type: "R", ...token },
      { type: "F", address: 0x0c010000, content: firmware },
      optionArea(closing),
    ];
    expect(await installByRsse(probe, u585, second, 5, { firstIndex: 3 })).toEqual({ status: ok, value: 0 });
    expect(probe.bench.chip.flashBytes.subarray(0x10000, 0x10000 + 1000)).toEqual(firmware);
    expect(probe.bench.chip.flashBytes.subarray(0x1fe000, 0x200000).every((byte) => byte === 0xff)).toBe(
      true,
    );
  });

  it.each([
    ["RDP level 0", (word: number) => ((word & ~0xff) | 0xaa) >>> 0],
    ["TZEN 0", (word: number) => ((word & ~0xff & 0x7fffffff) | 0xbb) >>> 0],
  ])("refuses option bytes with %s, and leaves the part as it was", async (_, optr) => {
    probe = await openPart(u585);
    await arm();
    const image = [{ type: "F", address: 0x0c000000, content: firmware }, optionArea(optr)];
    expect(await installByRsse(probe, u585, image, 2)).toEqual({ status: error, value: 2 });
    await probe.write32(0xe000ed0c, 0x05fa0004);
    expect(probe.bench.chip.option("optr") & 0xff).toBe(0x55);
  });

  it("refuses another protocol and a license for other firmware with 1", async () => {
    probe = await openPart(u585);
    await arm();
    const image = [{ type: "F", address: 0x0c000000, content: firmware }, optionArea(closing)];
    expect(await installByRsse(probe, u585, image, 2, { protocolVersion: 3 })).toEqual({
      status: error,
      value: 1,
    });
    const key = new Uint8Array(16);
    expect(await installByRsse(probe, u585, image, 2, { key })).toEqual({ status: error, value: 1 });
  });

  it("does not start below RDP level 0.5, and RSSCMDR is taken by the reset", async () => {
    probe = await openPart(u585);
    await probe.load(u585.window, developmentRsse(u585));
    await probe.write32(u585.command, 0xa5);
    expect(await probe.read32(u585.command)).toBe(0xa5);
    await probe.write32(0xe000ed0c, 0x05fa0004);
    expect(probe.bench.chip.rss.running).toBe(false);
    expect(await probe.read32(u585.command)).toBe(0);
  });

  it("gives no service to an RSSe that is damaged, of another family or at another place", async () => {
    probe = await openPart(u585);
    const sound = developmentRsse(u585);
    const damaged = Uint8Array.from(sound);
    damaged[0x300] = 1;
    const foreign = developmentRsse({ ...u585, family: "STM32L5" });
    const moved = developmentRsse(u585);
    new DataView(moved.buffer, moved.byteOffset).setUint32(20, 0x20090000, true);
    for (const file of [damaged, foreign, moved]) {
      await probe.load(u585.window, file);
      expect(await callRsse(probe, u585, 3)).toBe(error);
    }
    await probe.load(u585.window, sound);
    expect(await callRsse(probe, u585, 3)).toBe(136);
    expect(await callRsse(probe, u585, 1)).toBe(ok);
    expect(await callRsse(probe, u585, 5)).toBe(error);
  });
});
