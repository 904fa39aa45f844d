import { describe, expect, it } from "vitest";
import { connectDebug } from "../../../src/dap/connect.ts";
import { describeIdr, scanAps } from "../../../src/dap/scan-aps.ts";
import { StationError } from "../../../src/errors/station-error.ts";
import { type CoreModel, coreModel } from "./core-model.ts";
import { fakeClock } from "./fake-clock.ts";
import { linkLost, noAnswer, type ProbeModel, probeModel } from "./probe-model.ts";

function bench(): { core: CoreModel; probe: ProbeModel } {
  const core = coreModel();
  return { core, probe: probeModel(core.memory) };
}
const options = { clockKilohertz: 4000, ap: 0 } as const;
const poweredUp = ["readDp 0", "writeDp 0 1e", "writeDp 4 50000000", "readDp 4", "openAp 0"];

describe("connectDebug", () => {
  it("normal: clock before entry, debug port, access port, halt", async () => {
    const { core, probe } = bench();
    const session = await connectDebug(probe, fakeClock(), { ...options, mode: "normal" });
    expect(probe.log).toEqual(["clock 4000", "enter", ...poweredUp]);
    expect(core.log).toEqual(["DHCSR=a05f0003"]);
    expect(session.dpidr).toBe(0x6ba02477);
    expect(session.actualKilohertz).toBe(4000);
  });

  it("normal with halt off, and hot-plug, leave the core alone", async () => {
    for (const mode of ["normal", "hot-plug"] as const) {
      const { core, probe } = bench();
      await connectDebug(probe, fakeClock(), { ...options, mode, halt: mode === "hot-plug" });
      expect(core.log).toEqual([]);
      expect(probe.log.filter((line) => line.startsWith("nrst"))).toEqual([]);
    }
  });

  it("under reset: NRST low around the entry, catch armed before it is let go", async () => {
    const { core, probe } = bench();
    probe.setNrst = async (level) => {
      probe.log.push(`nrst ${level}`);
      core.log.push(`nrst ${level}`);
      if (level === "high") core.halted = true;
    };
    // S_RESET_ST as the model's memory does not have it
    const read = core.memory.readWord;
    core.memory.readWord = async (address) => (await read(address)) | (address === 0xe000edf0 ? 1 << 25 : 0);
    await connectDebug(probe, fakeClock(), { ...options, mode: "under-reset" });
    expect(probe.log).toEqual([
      "clock 4000",
      "nrst low",
      "enter keepNrst",
      "nrst low",
      ...poweredUp,
      "nrst high",
    ]);
    expect(core.log.slice(2)).toEqual(["DHCSR=a05f0003", "DEMCR=1000001", "nrst high", "DEMCR=1000000"]);
  });

  it("under reset without a wired NRST resets through the core", async () => {
    const { core, probe } = bench();
    await connectDebug(probe, fakeClock(), { ...options, mode: "under-reset" });
    expect(core.log).toContain("AIRCR=5fa0004");
    expect(core.halted).toBe(true);
    expect(core.log.at(-1)).toBe("DEMCR=1000000");
  });

  it("under reset enters with NRST high where the debug port is dead under reset", async () => {
    const { core, probe } = bench();
    probe.enterFailures.push(noAnswer());
    await connectDebug(probe, fakeClock(), { ...options, mode: "under-reset" });
    expect(probe.log.slice(0, 5)).toEqual(["clock 4000", "nrst low", "enter keepNrst", "nrst high", "enter"]);
    expect(core.log).toContain("AIRCR=5fa0004");
  });

  it("refuses a debug port that no ST-LINK can drive, and one without power", async () => {
    const adiV6 = bench();
    adiV6.probe.dpidr = 0x4c013477;
    await expect(
      connectDebug(adiV6.probe, fakeClock(), { ...options, mode: "hot-plug" }),
    ).rejects.toMatchObject({ code: "PROBE_UNSUPPORTED" });
    const unpowered = bench();
    unpowered.probe.ctrlStat = 0x70000000;
    await expect(
      connectDebug(unpowered.probe, fakeClock(), { ...options, mode: "hot-plug" }),
    ).rejects.toMatchObject({ code: "TARGET_NO_ANSWER" });
  });
});

describe("reattach", () => {
  it("asks until the target is back", async () => {
    const { probe } = bench();
    const clock = fakeClock();
    const session = await connectDebug(probe, clock, { ...options, mode: "hot-plug" });
    probe.log.length = 0;
    probe.enterFailures.push(noAnswer(), noAnswer());
    await session.reattach({ timeoutMs: 1000 });
    expect(probe.log).toEqual(["enter", "enter", "enter", ...poweredUp]);
    expect(clock.sleptMs).toEqual([100, 100]);
  });

  it("gives up at the deadline", async () => {
    const { probe } = bench();
    const clock = fakeClock();
    const session = await connectDebug(probe, clock, { ...options, mode: "hot-plug" });
    probe.enterFailures.push(...Array.from({ length: 100 }, noAnswer));
    await expect(session.reattach({ timeoutMs: 450, intervalMs: 200 })).rejects.toMatchObject({
      code: "TARGET_NO_ANSWER",
    });
    expect(clock.monotonicMs()).toBe(450);
  });

  it("halves the clock after two broken transfers in a row, but not for silence", async () => {
    const { probe } = bench();
    const session = await connectDebug(probe, fakeClock(), { ...options, mode: "hot-plug" });
    probe.enterFailures.push(noAnswer(), noAnswer(), noAnswer());
    await session.reattach({ timeoutMs: 5000 });
    expect(session.actualKilohertz).toBe(4000);
    probe.dpFailures.push(linkLost(), linkLost(), linkLost());
    await session.reattach({ timeoutMs: 5000 });
    expect(session.actualKilohertz).toBe(2000);
    expect(probe.log).toContain("clock 2000");
  });

  it("passes failures of the probe on, and an interrupt", async () => {
    const { probe } = bench();
    const session = await connectDebug(probe, fakeClock(), { ...options, mode: "hot-plug" });
    probe.enterFailures.push(StationError.of("PROBE_LOST", {}));
    await expect(session.reattach({ timeoutMs: 5000 })).rejects.toMatchObject({ code: "PROBE_LOST" });
    const controller = new AbortController();
    controller.abort(new Error("stop"));
    await expect(session.reattach({ timeoutMs: 5000, signal: controller.signal })).rejects.toThrow("stop");
  });
});

describe("scanAps", () => {
  it("looks at all nine access ports and names their bus", async () => {
    const { probe } = bench();
    probe.idrs.set(0, 0x84770001).set(2, 0x54770002).set(8, 0x14770005);
    const session = await connectDebug(probe, fakeClock(), { ...options, mode: "hot-plug" });
    expect(await scanAps(session.port)).toEqual([
      { ap: 0, idr: 0x84770001, kind: "AHB3 MEM-AP" },
      { ap: 2, idr: 0x54770002, kind: "APB2/3 MEM-AP" },
      { ap: 8, idr: 0x14770005, kind: "AHB5 MEM-AP" },
    ]);
    expect(describeIdr(0x00000010)).toBe("other");
  });
});
