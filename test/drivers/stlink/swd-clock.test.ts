import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openStlink } from "../../../drivers/stlink/probe.ts";
import { highestRate, v2Divisors } from "../../../drivers/stlink/swd-clock.ts";
import { manualClock } from "./support/manual-clock.ts";
import { openV2, openV3 } from "./support/openings.ts";
import { scriptedProbe } from "./support/scripted-port.ts";

const tableV3 = `
  > F2 63 01
  < 40 00 00 00 00 00 00 00
  > F2 62 00
  < 80 00 00 00 E4 0C 00 00 07 00 00 00 C0 5D 00 00  40 1F 00 00 E4 0C 00 00 E8 03 00 00 C8 00 00 00  32 00 00 00 05 00 00 00 00 00 00 00 00 00 00 00  00 00 00 00
`;

async function setClock(productId: number, kilohertz: number, ...parts: string[]): Promise<number> {
  const scripted = scriptedProbe(productId, ...parts);
  const rate = await (await openStlink(scripted.opener, manualClock())).setClock(kilohertz);
  scripted.done();
  return rate;
}

describe("choice of a rate", () => {
  it("is the highest that is not above the wish", () => {
    fc.assert(
      fc.property(fc.integer({ min: 5, max: 30000 }), (wish) => {
        const { kilohertz } = highestRate(v2Divisors, wish);
        expect(kilohertz).toBeLessThanOrEqual(wish);
        expect(v2Divisors.filter((rate) => rate.kilohertz > kilohertz && rate.kilohertz <= wish)).toEqual([]);
      }),
    );
  });

  it("does not depend on the table's order", () => {
    const rates = [5, 24000, 200, 8000].map((kilohertz) => ({ kilohertz }));
    expect(highestRate(rates, 9000).kilohertz).toBe(8000);
  });

  it("is refused below the slowest", () => {
    expect(() => highestRate(v2Divisors, 4)).toThrow(expect.objectContaining({ code: "USAGE_INVALID" }));
  });
});

describe("SWD clock", () => {
  it.each([
    [10000, "00 00", 4000],
    [1799, "02 00", 1200],
    [49, "9E 00", 25],
    [24, "09 01", 15],
    [5, "1E 03", 5],
  ])("of a V2: %i kHz is divisor %s", async (wish, divisor, rate) => {
    expect(await setClock(0x3748, wish, openV2, `> F2 43 ${divisor}\n< 80 00`)).toBe(rate);
  });

  it.each([
    [30000, "C0 5D", 24000],
    [23999, "40 1F", 8000],
    [4000, "E4 0C", 3300],
    [5, "05 00", 5],
  ])("of a V3: %i kHz is %s", async (wish, bytes, rate) => {
    const set = `> F2 61 00 00 ${bytes}\n< 80 00 00 00 ${bytes} 00 00`;
    expect(await setClock(0x374f, wish, openV3, tableV3, set)).toBe(rate);
  });

  it("of a V3 is the one it reports", async () => {
    const set = "> F2 61 00 00 C0 5D\n< 80 00 00 00 55 53 00 00";
    expect(await setClock(0x374f, 24000, openV3, tableV3, set)).toBe(21333);
  });

  it("is an error when a V3 takes a faster one than it was asked for", async () => {
    const set = "> F2 61 00 00 E4 0C\n< 80 00 00 00 C0 12 00 00";
    await expect(setClock(0x374f, 3300, openV3, tableV3, set)).rejects.toMatchObject({
      code: "PROBE_PROTOCOL",
    });
  });
});
