import { describe, expect, it } from "vitest";
import { createSession } from "../../../src/dap/session.ts";
import { applyFields, defaultOptionBytes, fieldValue } from "../../../src/target/option-bytes.ts";
import { readOptionBytes } from "../../../src/target/option-controller.ts";
import { regress } from "../../../src/target/regress.ts";
import { fakeClock } from "../dap/fake-clock.ts";
import { linkLost, probeModel } from "../dap/probe-model.ts";
import { flashModel } from "./flash-model.ts";
import { h7, h753 } from "./h7.ts";

async function part() {
  const clock = fakeClock();
  const model = flashModel(clock);
  model.flash.fill(0x55, 0, 100);
  const probe = probeModel(model.memory);
  const port = await probe.enterSwd();
  const session = createSession({ probe, clock, ap: 0, actualKilohertz: 4000, port, dpidr: 0x6ba02477 });
  const set = (offset: number, word: number): unknown => model.options.set(offset, word);
  /** What the option register holds each time a write is started. */
  const started: number[] = [];
  model.onOptionStart = () => started.push((model.options.get(0x1c) ?? 0) >>> 8);
  return { clock, model, probe, session, set, rdpHistory: () => started.map((word) => word & 0xff) };
}
const wanted = defaultOptionBytes(h7, h753);

describe("regress", () => {
  it("goes through level 1 and erases", async () => {
    const { clock, model, session, set, rdpHistory } = await part();
    set(0x1c, (model.options.get(0x1c) ?? 0) | (1 << 21));
    const after = await regress(session, clock, h7, h753, wanted);
    expect(rdpHistory()).toEqual([0xbb, 0xaa]);
    expect(fieldValue(h7, h753, after, "SECURITY")).toBe(0);
    expect(fieldValue(h7, h753, after, "RDP")).toBe(0xaa);
    expect(model.flash.every((byte) => byte === 0xff)).toBe(true);
    expect(model.optionsLocked).toBe(true);
  });

  it("needs no raise at level 1", async () => {
    const { clock, model, session, set, rdpHistory } = await part();
    set(0x1c, ((model.options.get(0x1c) ?? 0) & ~0xff00) | 0x5500);
    await regress(session, clock, h7, h753, wanted);
    expect(rdpHistory()).toEqual([0xaa]);
  });

  it("marks an existing PCROP area to be erased in the same write, and puts the mark back", async () => {
    const { clock, model, session, set } = await part();
    set(0x28, 0x001f0010);
    const marks: boolean[] = [];
    model.onOptionStart = () => marks.push(((model.options.get(0x28) ?? 0) & 0x80000000) !== 0);
    const after = await regress(session, clock, h7, h753, wanted);
    expect(marks).toEqual([false, true, false]);
    expect(fieldValue(h7, h753, after, "PROT_AREA_START1")).toBe(0xff);
    expect(fieldValue(h7, h753, after, "DMEP1")).toBe(0);
  });

  it("picks the part up again when the write takes the link down", async () => {
    const { clock, model, session, probe } = await part();
    let starts = 0;
    model.onOptionStart = () => {
      if (++starts === 2) throw linkLost();
    };
    await regress(session, clock, h7, h753, wanted);
    expect(probe.log.filter((line) => line === "enter")).toHaveLength(2);
    expect(model.flash[0]).toBe(0xff);
  });

  it("changes nothing at level 2", async () => {
    const { clock, model, session, set } = await part();
    set(0x1c, ((model.options.get(0x1c) ?? 0) & ~0xff00) | 0xcc00);
    await expect(regress(session, clock, h7, h753, wanted)).rejects.toMatchObject({
      code: "READOUT_PROTECTED",
    });
    expect(model.log).toEqual([]);
  });

  it("brings the other wanted values with it", async () => {
    const { clock, model, session } = await part();
    const other = applyFields(h7, h753, wanted, { BOOT_CM7_ADD0: 0x2400, RDP: 0xbb });
    await regress(session, clock, h7, h753, other);
    const now = await readOptionBytes(model.memory, h7, h753);
    expect(fieldValue(h7, h753, now, "BOOT_CM7_ADD0")).toBe(0x2400);
    expect(fieldValue(h7, h753, now, "RDP")).toBe(0xaa);
  });
});
