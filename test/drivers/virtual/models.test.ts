import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ChipName, chipModels, chipNames, findChip } from "../../../drivers/virtual/chips.ts";
import type { ChipModel } from "../../../drivers/virtual/models/model.ts";
import { openRaw } from "./raw-probe.ts";

const models: readonly ChipModel[] = Object.values(chipModels);
/** Where each family's parts say who they are: address through which access port, flash size, unique id. */
const identities: Readonly<Record<ChipName, readonly [number, number, number, number]>> = {
  h753: [0, 0x5c001000, 0x1ff1e880, 0x1ff1e800],
  h743: [0, 0x5c001000, 0x1ff1e880, 0x1ff1e800],
  h7b3: [0, 0x5c001000, 0x08fff80c, 0x08fff800],
  h735: [0, 0x5c001000, 0x1ff1e880, 0x1ff1e800],
  l562: [0, 0xe0044000, 0x0bfa05e0, 0x0bfa0590],
  u545: [0, 0xe0044000, 0x0bfa07a0, 0x0bfa0700],
  u585: [0, 0xe0044000, 0x0bfa07a0, 0x0bfa0700],
  u5a9: [0, 0xe0044000, 0x0bfa07a0, 0x0bfa0700],
  u5g9: [0, 0xe0044000, 0x0bfa07a0, 0x0bfa0700],
  wba55: [1, 0xe0044000, 0x0bf907a0, 0x0bf90700],
  wba65: [1, 0xe0044000, 0x0bfa07a0, 0x0bfa0700],
  wl55: [0, 0xe0042000, 0x1fff75e0, 0x1fff7590],
  l462: [0, 0xe0042000, 0x1fff75e0, 0x1fff7590],
  h573: [1, 0x44024000, 0x08fff80c, 0x08fff800],
  h533: [1, 0x44024000, 0x08fff80c, 0x08fff800],
  h503: [1, 0x44024000, 0x08fff80c, 0x08fff800],
  h7s7: [1, 0x5c001000, 0x08fff80c, 0x08fff800],
};

describe("chip models", () => {
  it.each(chipNames)("%s says who it is", async (name) => {
    const raw = await openRaw(`virtual:${name}`);
    await raw.enter();
    const [ap, idcode, flashSize, uid] = identities[name];
    await raw.command(`F2 4B ${ap.toString(16).padStart(2, "0")}`, 2);
    const model = chipModels[name];
    expect((await raw.readWord(idcode, ap)) & 0xfff).toBe(model.deviceId);
    expect((await raw.readWord(flashSize, ap)) & 0xffff).toBe(model.flashSizeKib);
    expect(await raw.readWord(uid, ap)).toBe(raw.bench.chip.store.get("uid0"));
    expect(await raw.readWord(0xe000ed00, ap)).toBe(model.core.cpuid);
    expect(await raw.readWord(0x08000000, ap)).toBe(0xffffffff);
    await raw.bench.close();
  });

  it("names a family's chip by its device id", () => {
    expect(findChip("0x482")).toBe("u585");
    expect(findChip("0x4B0")).toBe("wba65");
    expect(models.every(({ deviceId }) => findChip(`0x${deviceId.toString(16)}`) !== undefined)).toBe(true);
  });

  it.each(models.map((model) => [model.name, model] as const))("%s is sound", (_, model) => {
    const { flash, options, rss, productId, deviceId } = model;
    expect(model.defaultUid).toHaveLength(12);
    expect(flash.banks * flash.bankBytes).toBe(model.flashSizeKib * 1024);
    expect(flash.bankBytes % flash.sectorBytes).toBe(0);
    expect(new Set(options.map(({ offset }) => offset)).size).toBe(options.length);
    if (productId !== "") expect(productId.slice(0, 3)).toBe(deviceId.toString(16).toUpperCase());
    if (rss.kind === "none") return;
    const names = options.map(({ name }) => name);
    expect(rss.rows.filter((row) => row !== undefined && !names.includes(row))).toEqual([]);
    expect(rss.buffers.areas).toBe(rss.buffers.header + 28);
    expect(rss.buffers.areasEnd).toBeGreaterThan(rss.buffers.areas);
  });

  /** Words whose values may contradict each other or close the part have tests of their own. */
  const delicate = ["optsr", "optr", "productState"];
  const loading = models.filter(({ flash }) => flash.kind !== "h7");

  it.each(
    loading.map(
      ({ name, options }) => [name, options.filter((word) => !delicate.includes(word.name))] as const,
    ),
  )("every option word of %s comes into force with the reset after an install", async (name, words) => {
    const raw = await openRaw(`virtual:${name}`);
    const { chip } = raw.bench;
    fc.assert(
      fc.property(fc.constantFrom(...words), fc.integer({ min: 0, max: 0xffffffff }), (word, value) => {
        const before = chip.option(word.name);
        expect(chip.flash.install.setOptions({ [word.name]: value })).toBe(true);
        expect(chip.option(word.name)).toBe(before);
        chip.systemReset();
        expect((chip.option(word.name) & word.mask) >>> 0).toBe((value & word.mask) >>> 0);
      }),
      { numRuns: 30 },
    );
    await raw.bench.close();
  });
});
