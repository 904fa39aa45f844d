import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  eraseAll,
  eraseSectors,
  firstNotBlank,
  isBlank,
  programFlash,
  readFlash,
  verifyFlash,
} from "../../../src/target/flash.ts";
import { flashRanges } from "../../../src/target/flash-layout.ts";
import { fakeClock } from "../dap/fake-clock.ts";
import { flashModel } from "./flash-model.ts";
import { h7, h753, variant } from "./h7.ts";

function part() {
  const clock = fakeClock();
  return { clock, model: flashModel(clock) };
}
const bytes = (sizeBytes: number): Uint8Array =>
  Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 7 + 1) & 0xff);

describe("programming", () => {
  it("puts any bytes anywhere in erased flash, and nothing else", async () => {
    const place = fc.record({
      address: fc.integer({ min: 0x08000000, max: 0x08000000 + 200 }),
      data: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    });
    await fc.assert(
      fc.asyncProperty(place, async ({ address, data }) => {
        const { clock, model } = part();
        await programFlash(model.memory, clock, h7, address, data);
        const expected = new Uint8Array(1024).fill(0xff);
        expected.set(data, address - 0x08000000);
        expect(model.flash.subarray(0, 1024)).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  it("crosses from bank 1 to bank 2, locks both, and reads back", async () => {
    const { clock, model } = part();
    const data = bytes(70_000);
    const progress: number[] = [];
    const onProgress = (done: number): number => progress.push(done);
    await programFlash(model.memory, clock, h7, 0x080f8000, data, { onProgress });
    await verifyFlash(model.memory, 0x080f8000, data);
    expect(await readFlash(model.memory, 0x080f8000, data.length)).toEqual(data);
    expect(model.banks.map(({ locked }) => locked)).toEqual([true, true]);
    expect(progress.at(-1)).toBe(70_000);
  });

  it("clears old error flags first", async () => {
    const { clock, model } = part();
    model.banks[0].sr = 1 << 19;
    await programFlash(model.memory, clock, h7, 0x08000000, bytes(32));
    expect(model.flash.subarray(0, 32)).toEqual(bytes(32));
  });

  it("names the flags and the block when the controller reports an error, clears them and locks", async () => {
    const { clock, model } = part();
    model.failAt = { address: 0x08020000, flags: (1 << 17) | (1 << 21) };
    await expect(programFlash(model.memory, clock, h7, 0x08020000, bytes(64))).rejects.toMatchObject({
      code: "FLASH_PROGRAM_FAILED",
      parameters: { address: "0x08020000", detail: "the controller reports WRPERR, PGSERR, INCERR" },
    });
    expect(model.banks[0].locked).toBe(true);
    expect(model.banks[0].sr).toBe(0);
  });

  it("fails on flash that is not erased", async () => {
    const { clock, model } = part();
    model.flash[5] = 0;
    await expect(programFlash(model.memory, clock, h7, 0x08000000, bytes(32))).rejects.toThrow(/PGSERR/);
  });

  it("refuses what is not in flash before anything is written", async () => {
    const { clock, model } = part();
    await expect(programFlash(model.memory, clock, h7, 0x081ffff0, bytes(64))).rejects.toMatchObject({
      code: "USAGE_INVALID",
    });
    expect(model.log).toEqual([]);
  });

  it("stops between blocks when asked to, and locks", async () => {
    const { clock, model } = part();
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error("enough"));
    const options = { signal: controller.signal, onProgress };
    await expect(programFlash(model.memory, clock, h7, 0x08000000, bytes(60_000), options)).rejects.toThrow(
      "enough",
    );
    expect(model.banks[0].locked).toBe(true);
  });

  it("gives up on a bank that stays locked", async () => {
    const { clock, model } = part();
    model.banks[0].dead = true;
    await expect(programFlash(model.memory, clock, h7, 0x08000000, bytes(32))).rejects.toThrow(
      /stays locked/,
    );
  });
});

describe("erasing", () => {
  it("takes every sector the range touches, with PSIZE for 64 bits", async () => {
    const { clock, model } = part();
    model.flash.fill(0);
    const erased = await eraseSectors(model.memory, clock, h7, { address: 0x080e1234, sizeBytes: 0x20000 });
    expect(erased).toEqual([
      { address: 0x080e0000, sizeBytes: 0x20000 },
      { address: 0x08100000, sizeBytes: 0x20000 },
    ]);
    expect(model.flash.indexOf(0xff)).toBe(0xe0000);
    expect(model.flash.lastIndexOf(0xff)).toBe(0x11ffff);
    expect(model.log.filter((line) => /^1?0?c=.*4$/.test(line))).toEqual(["c=7b4", "10c=b4"]);
  });

  it("erases both banks at the same time", async () => {
    const { clock, model } = part();
    model.flash.fill(0);
    await eraseAll(model.memory, clock, h7, h753);
    expect(model.flash.every((byte) => byte === 0xff)).toBe(true);
    expect(clock.monotonicMs()).toBeLessThan(9000);
    expect(model.banks.map(({ locked }) => locked)).toEqual([true, true]);
  });

  it("reports a protected sector", async () => {
    const { clock, model } = part();
    model.options.set(0x38, 0xfe);
    const range = { address: 0x08000000, sizeBytes: 1 };
    await expect(eraseSectors(model.memory, clock, h7, range)).rejects.toMatchObject({
      code: "FLASH_ERASE_FAILED",
      parameters: { address: "0x08000000", detail: "the controller reports WRPERR" },
    });
  });

  it("gives up on an erase that does not end", async () => {
    const { clock, model } = part();
    model.banks[1].busyUntilMs = 1e9;
    await expect(eraseAll(model.memory, clock, h7, h753)).rejects.toThrow(
      /0x08100000 .*still busy after 30000 ms/,
    );
    expect(model.banks[0].locked).toBe(true);
  });
});

describe("looking", () => {
  it("finds the first byte that is not erased", async () => {
    const { model } = part();
    const ranges = flashRanges(h7, h753, 0x200000);
    expect(await isBlank(model.memory, h7, ranges)).toBe(true);
    model.flash[0x123457] = 0xfe;
    expect(await firstNotBlank(model.memory, h7, ranges)).toBe(0x08123457);
    expect(await isBlank(model.memory, h7, [{ address: 0x08000000, sizeBytes: 0x100000 }])).toBe(true);
  });

  it("says where flash differs and how", async () => {
    const { model } = part();
    model.flash.set([1, 2, 3, 4], 0x100);
    const wanted = Uint8Array.of(1, 2, 9, 4);
    await expect(verifyFlash(model.memory, 0x08000100, wanted)).rejects.toMatchObject({
      parameters: { address: "0x08000102", expected: "0x09", actual: "0x03" },
    });
  });

  it("knows the flash of each variant", () => {
    expect(flashRanges(h7, h753, 0x100000)).toEqual([
      { address: 0x08000000, sizeBytes: 0x80000 },
      { address: 0x08100000, sizeBytes: 0x80000 },
    ]);
    expect(flashRanges(h7, variant("STM32H750"), 0x20000)).toEqual([
      { address: 0x08000000, sizeBytes: 0x20000 },
    ]);
  });
});
