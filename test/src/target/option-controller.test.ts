import { describe, expect, it } from "vitest";
import type { Memory } from "../../../src/ports/index.ts";
import { applyFields, fieldValue } from "../../../src/target/option-bytes.ts";
import { type OptionLink, readOptionBytes, writeOptionBytes } from "../../../src/target/option-controller.ts";
import { fakeClock } from "../dap/fake-clock.ts";
import { flashModel } from "./flash-model.ts";
import { h7, h753 } from "./h7.ts";

/** What option bytes are written over, where no reset takes the link away. */
function linkTo(memory: Memory): OptionLink {
  return {
    memory: () => memory,
    reattach: () => Promise.reject(new Error("no reset belongs to this write")),
  };
}

function part() {
  const clock = fakeClock();
  return { clock, model: flashModel(clock) };
}

describe("option controller", () => {
  it("reads the registers of the variant, without the status flags", async () => {
    const { model } = part();
    model.options.set(0x1c, (model.options.get(0x1c) ?? 0) | 1);
    const words = await readOptionBytes(model.memory, h7, h753);
    expect(fieldValue(h7, h753, words, "RDP")).toBe(0xaa);
    expect((words.words.get("FOPTSR") ?? 0) & 1).toBe(0);
    expect([...words.words.keys()]).not.toContain("FBOOT4");
  });

  it("writes nothing when nothing differs", async () => {
    const { clock, model } = part();
    const now = await readOptionBytes(model.memory, h7, h753);
    expect(await writeOptionBytes(linkTo(model.memory), clock, h7, h753, now)).toEqual({ changed: [] });
    expect(model.log).toEqual([]);
  });

  it("unlocks, programs, starts, waits, locks, and keeps bits of no field", async () => {
    const { clock, model } = part();
    const reserved = 1 << 28;
    model.options.set(0x1c, (model.options.get(0x1c) ?? 0) | reserved);
    const now = await readOptionBytes(model.memory, h7, h753);
    const wanted = applyFields(h7, h753, now, { SECURITY: 1, BOOT_CM7_ADD0: 0x0810 });
    const { changed } = await writeOptionBytes(linkTo(model.memory), clock, h7, h753, wanted);
    expect([...changed].sort()).toEqual(["BOOT_CM7_ADD0", "SECURITY"]);
    expect((model.options.get(0x1c) ?? 0) & reserved).toBe(reserved);
    expect(model.options.get(0x40)).toBe(0x1ff00810);
    expect(model.options.get(0x48)).toBe(0x10000810);
    expect(model.log.slice(0, 2)).toEqual(["8=8192a3b", "8=4c5d6e7f"]);
    expect(model.log.at(-2)).toBe("18=2");
    expect(model.log.at(-1)).toBe("18=1");
    expect(model.optionsLocked).toBe(true);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(300);
  });

  it("does not send keys to an open controller, which would close it for good", async () => {
    const { clock, model } = part();
    model.optionsLocked = false;
    const now = await readOptionBytes(model.memory, h7, h753);
    await writeOptionBytes(linkTo(model.memory), clock, h7, h753, applyFields(h7, h753, now, { BOR_LEV: 2 }));
    expect(model.log.filter((line) => line.startsWith("8="))).toEqual([]);
    expect(model.optionsLocked).toBe(true);
  });

  it("clears OPTCHANGEERR, reports it and locks", async () => {
    const { clock, model } = part();
    model.refuseOptions = true;
    const now = await readOptionBytes(model.memory, h7, h753);
    const wanted = applyFields(h7, h753, now, { BOR_LEV: 2 });
    await expect(writeOptionBytes(linkTo(model.memory), clock, h7, h753, wanted)).rejects.toThrow(
      /OPTCHANGEERR/,
    );
    expect(model.log.slice(-2)).toEqual(["24=40000000", "18=1"]);
    expect(await readOptionBytes(model.memory, h7, h753)).toEqual(now);
  });

  it("says which fields did not take their value", async () => {
    const { clock, model } = part();
    const now = await readOptionBytes(model.memory, h7, h753);
    model.onOptionStart = () => model.options.set(0x40, 0x1ff00800);
    const wanted = applyFields(h7, h753, now, { BOOT_CM7_ADD0: 0x0810 });
    await expect(writeOptionBytes(linkTo(model.memory), clock, h7, h753, wanted)).rejects.toMatchObject({
      code: "OPTION_BYTES_NOT_TAKEN",
      parameters: { detail: "BOOT_CM7_ADD0 is 0x800 instead of 0x810" },
    });
  });

  it("gives up when the controller stays busy or locked", async () => {
    const slow = part();
    const now = await readOptionBytes(slow.model.memory, h7, h753);
    const wanted = applyFields(h7, h753, now, { BOR_LEV: 2 });
    await expect(
      writeOptionBytes(linkTo(slow.model.memory), slow.clock, h7, h753, wanted, 200),
    ).rejects.toThrow(/still busy/);
    expect(slow.model.optionsLocked).toBe(true);
    const locked = part();
    await locked.model.memory.writeWord(0x52002008, 1);
    await expect(
      writeOptionBytes(linkTo(locked.model.memory), locked.clock, h7, h753, wanted),
    ).rejects.toThrow(/stays locked/);
  });
});
