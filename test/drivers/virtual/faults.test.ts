import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { decodeFaultScript } from "../../../drivers/virtual/faults/decode.ts";
import { fromWords } from "../../../src/bytes/bytes.ts";
import { openRaw, optsrPrg, type RawProbe, rawProbe, writeOptions } from "./raw-probe.ts";

let raw: RawProbe;
afterEach(() => raw?.bench.close());

async function withFaults(...faults: object[]): Promise<void> {
  raw = await openRaw("virtual:h753", {
    faults: decodeFaultScript(JSON.stringify({ schema: 1, faults }), "test"),
  });
}

const readmem = "F2 07 00 00 00 24 10 00";

describe("transport faults", () => {
  it("stall: on a reply, and the probe works on", async () => {
    await withFaults({ at: { command: "READMEM_32", occurrence: 2 }, kind: "stall" });
    await raw.enter();
    await raw.command(readmem, 16);
    await expect(raw.command(readmem, 16)).rejects.toMatchObject({ code: "USB_STALL" });
    expect((await raw.command(readmem, 16)).length).toBe(16);
  });

  it("timeout: the reply is lost and the time has passed", async () => {
    await withFaults({ at: { transfer: 2 }, kind: "timeout" });
    await expect(raw.command("F5", 2)).rejects.toMatchObject({ code: "USB_TIMEOUT" });
    expect(raw.bench.modelledMs()).toBeGreaterThanOrEqual(1000);
    expect(await raw.status("F5")).toBe(1);
  });

  it("late-reply: what comes next is out of step until it is drained", async () => {
    await withFaults({ at: { command: "GET_VERSION" }, kind: "late-reply" });
    await expect(raw.command("F1", 6)).rejects.toMatchObject({ code: "USB_TIMEOUT" });
    expect(await raw.command("F5", 6)).toEqual(Uint8Array.of(0x30, 0, 0x83, 4, 0x4f, 0x37));
    expect((await raw.port.receive(2, 10))[0]).toBe(1);
    expect(await raw.status("F5")).toBe(1);
  });

  it("short-reply and babble", async () => {
    await withFaults(
      { at: { command: "GET_VERSION" }, kind: "short-reply" },
      { at: { command: "GET_VERSION_EX" }, kind: "babble" },
    );
    expect((await raw.command("F1", 6)).length).toBe(3);
    await expect(raw.command("FB", 12)).rejects.toMatchObject({ code: "USB_OVERFLOW" });
  });

  it("bit-flip: in what is read and in what is written", async () => {
    await withFaults(
      { at: { command: "WRITEMEM_32" }, kind: "bit-flip", offset: 4, bit: 0 },
      { at: { command: "READMEM_32", occurrence: 2 }, kind: "bit-flip", offset: 0, bit: 7 },
    );
    await raw.enter();
    await raw.write(0x24000000, fromWords([0, 0]));
    expect((await raw.read(0x24000000, 8)).data).toEqual(fromWords([0, 1]));
    expect((await raw.read(0x24000000, 8)).data).toEqual(fromWords([0x80, 1]));
  });

  it.each([
    ["before", false],
    ["middle", false],
    ["after", true],
  ])("disconnect %s a data transfer", async (when, written) => {
    await withFaults({ at: { state: "staged", transfer: 2 }, kind: "disconnect", when, returnsAfterMs: 500 });
    await raw.enter();
    await raw.write(0x24000000, fromWords([1]));
    raw.bench.enterState("staged");
    await expect(raw.write(0x24000000, fromWords([2]))).rejects.toMatchObject({ code: "PROBE_LOST" });
    await expect(raw.command("F5", 2)).rejects.toMatchObject({ code: "PROBE_LOST" });
    await raw.port.close();
    await expect(raw.bench.opener.open()).rejects.toMatchObject({ code: "PROBE_NOT_FOUND" });
    await raw.bench.clock.sleep(500);
    raw = rawProbe(raw.bench, await raw.bench.opener.open());
    expect(await raw.status("F5")).toBe(1);
    await raw.enter();
    expect(await raw.readWord(0x24000000)).toBe(written ? 2 : 1);
  });

  it("re-enumerate: gone, and at once back in its first mode", async () => {
    await withFaults({ at: { transfer: 7 }, kind: "re-enumerate" });
    await raw.enter();
    await expect(raw.command("F5", 2)).rejects.toMatchObject({ code: "PROBE_LOST" });
    await raw.port.close();
    raw = rawProbe(raw.bench, await raw.bench.opener.open());
    expect(await raw.status("F5")).toBe(1);
  });

  it("busy and permission keep it from being opened", async () => {
    await expect(withFaults({ kind: "permission" })).rejects.toMatchObject({ code: "USB_PERMISSION" });
    await expect(withFaults({ kind: "busy", times: 1 })).rejects.toMatchObject({ code: "PROBE_BUSY" });
    await withFaults();
    await expect(raw.bench.opener.open()).rejects.toMatchObject({ code: "PROBE_BUSY" });
  });
});

describe("faults of probe and target", () => {
  it("status and wait: the command answers so and does nothing", async () => {
    await withFaults(
      { at: { command: "WRITEMEM_32" }, kind: "wait", times: 2 },
      { at: { command: "READDEBUGREG" }, kind: "status", code: 0x13 },
    );
    await raw.enter();
    expect((await raw.write(0x24000000, fromWords([7]))).status).toBe(0x10);
    expect((await raw.write(0x24000000, fromWords([7]))).status).toBe(0x10);
    expect(await raw.status("F2 36 00 00 00 24 00", 8)).toBe(0x13);
    expect(await raw.readWord(0x24000000)).not.toBe(7);
    expect((await raw.write(0x24000000, fromWords([7]))).status).toBe(0x80);
    expect(await raw.readWord(0x24000000)).toBe(7);
  });

  it("fault-at", async () => {
    await withFaults({ kind: "fault-at", address: "0x24000008", times: 1 });
    await raw.enter();
    expect(await raw.read(0x24000000, 16)).toMatchObject({ status: 0x11, at: 0x24000008 });
    expect((await raw.read(0x24000000, 16)).status).toBe(0x80);
  });

  it("power-loss and power-restore by the host's state", async () => {
    await withFaults(
      { at: { state: "staged" }, kind: "power-loss" },
      { at: { state: "staged", occurrence: 2 }, kind: "power-restore" },
    );
    await raw.enter();
    raw.bench.enterState("staged");
    expect(await raw.status("F2 36 00 00 00 24 00", 8)).toBe(0x09);
    raw.bench.enterState("staged");
    await raw.enter();
    expect((await raw.read(0x24000000, 4)).status).toBe(0x80);
  });

  it("unpowered and no-answer from the start", async () => {
    await withFaults({ kind: "unpowered" });
    expect((await raw.command("F7", 8))[4]).toBe(0);
    expect(await raw.status("F2 30 A3")).toBe(0x09);
    await raw.bench.close();
    await withFaults({ kind: "no-answer" });
    expect((await raw.command("F7", 8))[4]).not.toBe(0);
    expect(await raw.status("F2 30 A3")).toBe(0x09);
  });

  it("nrst-stuck: the pin cannot be driven", async () => {
    await withFaults({ kind: "nrst-stuck", level: "high" });
    await raw.enter();
    expect(await raw.status("F2 3C 00")).toBe(0x80);
    expect(raw.bench.chip.core.heldInReset).toBe(false);
    await raw.bench.close();
    await withFaults({ kind: "nrst-stuck", level: "low" });
    await raw.enter();
    expect((await raw.read(0x24000000, 4)).status).toBe(0x11);
  });

  it("clock-too-fast: a lower clock helps", async () => {
    await withFaults({ kind: "clock-too-fast", kilohertz: 4000 });
    await raw.command("F2 61 00 00 C0 5D 00 00", 8);
    await raw.command("F2 30 A3", 2);
    expect(await raw.status("F2 4B 00")).toBe(0x13);
    await raw.command("F2 61 00 00 E4 0C 00 00", 8);
    expect(await raw.status("F2 4B 00")).toBe(0x80);
  });
});

describe("a bench that is mended", () => {
  it("has no fault left, supply, NRST high and its probe back", async () => {
    await withFaults(
      { kind: "nrst-stuck", level: "low" },
      { kind: "clock-too-fast", kilohertz: 5 },
      { kind: "fault-at", address: "0x24000000" },
      { at: { transfer: 1 }, kind: "power-loss" },
      { at: { transfer: 2 }, kind: "disconnect" },
      { at: { transfer: 9 }, kind: "stall" },
    );
    await expect(raw.command("F5", 2)).rejects.toMatchObject({ code: "PROBE_LOST" });
    await raw.port.close();
    await expect(raw.bench.opener.open()).rejects.toMatchObject({ code: "PROBE_NOT_FOUND" });
    raw.bench.mend();
    raw = rawProbe(raw.bench, await raw.bench.opener.open());
    await raw.enter();
    expect((await raw.read(0x24000000, 16)).status).toBe(0x80);
    expect(raw.bench.chip.powered).toBe(true);
    expect(raw.bench.chip.core.heldInReset).toBe(false);
  });
});

describe("faults of RSS", () => {
  async function startRss(): Promise<void> {
    await raw.enter();
    await raw.write(0x24020a00, new Uint8Array(8));
    await writeOptions(raw, { [optsrPrg]: 0x17feaaf0 });
    await raw.writeWord(0xe000ed0c, 0x05fa0004);
    await raw.bench.clock.sleep(10_000);
  }

  it("hang-rss: the port never opens again", async () => {
    await withFaults({ kind: "hang-rss" });
    await startRss();
    await raw.bench.clock.sleep(1e6);
    expect(await raw.status("F2 30 A3")).toBe(0x09);
  });

  it("power-loss while it runs, and when it has finished", async () => {
    await withFaults({ at: { rss: "running", afterMs: 100 }, kind: "power-loss" });
    await startRss();
    expect((await raw.command("F7", 8))[4]).not.toBe(0);
    expect(await raw.status("F2 30 A3")).toBe(0x09);
    expect((await raw.command("F7", 8))[4]).toBe(0);
    expect(raw.bench.chip.rss.running).toBe(false);
    await raw.bench.close();
    await withFaults({ at: { rss: "finished" }, kind: "power-loss" });
    await startRss();
    expect(await raw.status("F2 30 A3")).toBe(0x09);
    expect(raw.bench.chip.powered).toBe(false);
    expect((raw.bench.chip.option("optsr") >>> 26) & 1).toBe(0);
  });
});

describe("fault script", () => {
  const decode = (script: unknown) => decodeFaultScript(JSON.stringify(script), "f.json");
  const one = (fault: object) => ({ schema: 1, faults: [fault] });

  it.each([
    [{ schema: 2, faults: [] }, "$.schema"],
    [{ schema: 1 }, "$.faults"],
    [{ schema: 1, faults: [], extra: 1 }, "$.extra"],
    [one({ at: { transfer: 1 }, kind: "explode" }), "$.faults[0].kind"],
    [one({ kind: "stall" }), "$.faults[0].at"],
    [one({ at: { transfer: 0 }, kind: "stall" }), "$.faults[0].at.transfer"],
    [one({ at: { command: "READMEM_33" }, kind: "stall" }), "$.faults[0].at.command"],
    [one({ at: { rss: "sleeping" }, kind: "stall" }), "$.faults[0].at.rss"],
    [one({ at: { transfer: 1, rss: "running" }, kind: "stall" }), "$.faults[0].at.transfer"],
    [one({ at: {}, kind: "stall" }), "$.faults[0].at"],
    [one({ at: { transfer: 1 }, kind: "bit-flip", offset: 0, bit: 8 }), "$.faults[0].bit"],
    [one({ at: { transfer: 1 }, kind: "disconnect", when: "never" }), "$.faults[0].when"],
    [one({ at: { transfer: 1 }, kind: "stall", code: 1 }), "$.faults[0].code"],
    ["text", "$"],
  ])("names the path of what is wrong in %j", (script, path) => {
    expect(() => decode(script)).toThrow(
      expect.objectContaining({
        code: "FAULT_SCRIPT_INVALID",
        parameters: expect.objectContaining({ path }),
      }),
    );
  });

  it("comes from the selector's file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "faults-"));
    const file = join(folder, "faults.json");
    await expect(openRaw(`virtual:h753,fault=${file}`)).rejects.toMatchObject({ code: "FILE_UNREADABLE" });
    writeFileSync(file, "{");
    await expect(openRaw(`virtual:h753,fault=${file}`)).rejects.toMatchObject({
      code: "FAULT_SCRIPT_INVALID",
    });
    writeFileSync(file, JSON.stringify(one({ kind: "no-answer" })));
    raw = await openRaw(`virtual:h753,fault=${file}`);
    expect(await raw.status("F2 30 A3")).toBe(0x09);
    rmSync(folder, { recursive: true });
  });
});
