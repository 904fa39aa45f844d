import { describe, expect, it } from "vitest";
import { callFunction } from "../../../src/dap/call.ts";
import {
  haltCore,
  readCoreRegister,
  requestSystemReset,
  resumeCore,
  writeCoreRegister,
} from "../../../src/dap/core.ts";
import { StationError } from "../../../src/errors/station-error.ts";
import { coreModel } from "./core-model.ts";
import { fakeClock } from "./fake-clock.ts";

const call = {
  entry: 0x1ff0a001,
  arguments: [7, 8],
  stackTop: 0x24002000,
  returnAddress: 0x24000000,
  timeoutMs: 100,
};

describe("core", () => {
  it("halts, moves registers and runs again", async () => {
    const core = coreModel();
    await haltCore(core.memory, fakeClock());
    expect(core.halted).toBe(true);
    await writeCoreRegister(core.memory, 3, 0xfedcba98);
    expect(core.registers[3]).toBe(0xfedcba98);
    core.registers[14] = 0x80000001;
    expect(await readCoreRegister(core.memory, 14)).toBe(0x80000001);
    await resumeCore(core.memory);
    expect(core.halted).toBe(false);
    expect(core.log).toEqual(["DHCSR=a05f0003", "DHCSR=a05f0001"]);
  });

  it("says that a core does not halt", async () => {
    const core = coreModel();
    core.stuck = true;
    await expect(haltCore(core.memory, fakeClock())).rejects.toMatchObject({ code: "CORE_NOT_HALTED" });
  });

  it("does not touch the registers of a running core", async () => {
    const core = coreModel();
    await expect(readCoreRegister(core.memory, 0)).rejects.toMatchObject({ code: "CORE_RUNNING" });
    await expect(writeCoreRegister(core.memory, 0, 1)).rejects.toMatchObject({ code: "CORE_RUNNING" });
    expect(core.registers[0]).toBe(0);
  });

  it("lets a reset take the link with it, and only that", async () => {
    const core = coreModel();
    core.onReset = () => {
      throw StationError.of("TARGET_LINK_LOST", { detail: "reset" });
    };
    await requestSystemReset(core.memory);
    expect(core.log).toEqual(["AIRCR=5fa0004"]);
    core.onReset = () => {
      throw StationError.of("PROBE_LOST", {});
    };
    await expect(requestSystemReset(core.memory)).rejects.toMatchObject({ code: "PROBE_LOST" });
  });
});

describe("callFunction", () => {
  it("sets registers, return address and breakpoint, and answers R0", async () => {
    const core = coreModel();
    let seen: number[] = [];
    core.onRun = () => {
      seen = [...core.registers];
      core.registers[0] = 0xee000092;
      core.registers[15] = 0x24000000;
      return true;
    };
    expect(await callFunction(core.memory, fakeClock(), call)).toBe(0xee000092);
    expect(seen.slice(0, 2)).toEqual([7, 8]);
    expect(seen.slice(13, 17)).toEqual([0x24002000, 0x24000001, 0x1ff0a000, 0x01000000]);
    expect(core.words.get(0x24000000)).toBe(0xbe00be00);
    // Masking of interrupts changes only while the core is halted, and is off again at the end.
    expect(core.log).toEqual(["DHCSR=a05f0003", "DHCSR=a05f000b", "DHCSR=a05f0009", "DHCSR=a05f0003"]);
  });

  it("halts the core again when the function does not return", async () => {
    const core = coreModel();
    const clock = fakeClock();
    await expect(callFunction(core.memory, clock, call)).rejects.toMatchObject({ code: "CALL_NOT_RETURNED" });
    expect(core.halted).toBe(true);
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(100);
  });

  it("does not take a stop somewhere else for a return", async () => {
    const core = coreModel();
    core.onRun = () => {
      core.registers[15] = 0x08000100;
      return true;
    };
    await expect(callFunction(core.memory, fakeClock(), call)).rejects.toThrow(/stopped at 0x08000100/);
  });

  it("refuses more arguments than registers", async () => {
    const many = { ...call, arguments: [1, 2, 3, 4, 5] };
    await expect(callFunction(coreModel().memory, fakeClock(), many)).rejects.toThrow(RangeError);
  });
});
