import { afterEach, describe, expect, it } from "vitest";
import { fromWords } from "../../../src/bytes/bytes.ts";
import {
  armed,
  configuration,
  firmware,
  installPart,
  pause,
  resume,
  second,
  securityOnly,
  single,
  startPart,
  tokenAddress,
} from "./install-part.ts";
import { openRaw, optsrCur, optsrPrg, type RawProbe, word, writeOptions } from "./raw-probe.ts";
import { developmentLicense } from "./sfi-builder.ts";

let raw: RawProbe;
afterEach(() => raw.bench.close());

async function fresh(): Promise<void> {
  raw = await openRaw();
  await raw.enter();
}

describe("install in one part", () => {
  it("programs the firmware, sets the option bytes and reports everything done", async () => {
    await fresh();
    const done = await installPart(raw, single, 2);
    expect(done).toMatchObject({ status: 0xee000092, value: 0 });
    expect((await raw.read(0x08000000, 1000)).data).toEqual(firmware);
    expect((await raw.read(0x080003e8, 24)).data.every((byte) => byte === 0xff)).toBe(true);
    expect(done.optsr).toBe(0x1026aad0);
    expect(await raw.readWord(0x52002028)).toBe(0x81000200);
    expect(await raw.readWord(0x52002040)).toBe(0x24000800);
    expect(await raw.readWord(0x52002048)).toBe(0x10000810);
  });

  it("keeps the debug port closed while it works, and breaks the link", async () => {
    await fresh();
    await startPart(raw, single, 2);
    expect(await raw.status("F2 36 00 0A 02 24 00", 8)).toBe(0x09);
    expect(await raw.status("F2 30 A3")).toBe(0x09);
    await raw.bench.clock.sleep(5000);
    expect(await raw.status("F2 36 00 0A 02 24 00", 8)).toBe(0x09);
    expect((await finishPartOpen()).status).toBe(0xee000092);
  });

  it("ends with RDP 1 when the option bytes say so: RAM can be read, flash cannot", async () => {
    await fresh();
    const done = await installPart(raw, [single[0]!, configuration(0xbb)], 2);
    expect(done).toMatchObject({ status: 0xee000092, value: 0 });
    expect((await raw.read(0x08000000, 4)).status).toBe(0x11);
  });

  it("ends with the debug port closed when the option bytes say RDP 2", async () => {
    await fresh();
    await startPart(raw, [single[0]!, configuration(0xcc)], 2);
    await raw.bench.clock.sleep(60_000);
    expect(await raw.status("F2 30 A3")).toBe(0x09);
    expect(raw.bench.chip.flashBytes.subarray(0, 1000)).toEqual(firmware);
  });

  it("overwrites its DTCM scratch and nothing of AXI SRAM but the completion words", async () => {
    await fresh();
    await raw.write(0x20000800, new Uint8Array(16));
    await raw.write(0x20005000, new Uint8Array(16));
    await raw.write(0x24010000, second);
    await installPart(raw, single, 2);
    expect(await raw.readWord(0x20000800)).not.toBe(0);
    expect(await raw.readWord(0x20005000)).toBe(0);
    expect((await raw.read(0x24010000, 96)).data).toEqual(second);
  });
});

/** As finishPart, when the port is open again already. */
async function finishPartOpen() {
  await raw.enter();
  const { data } = await raw.read(0x24020a00, 8);
  return { status: word(data, 0), value: word(data, 4) };
}

describe("install in several parts", () => {
  const partOne = [{ type: "F", address: 0x08000000, content: firmware }, pause];
  const partTwo = [resume, { type: "F", address: 0x08020000, content: second }, configuration()];

  it("pauses with a token in flash, resumes, and takes the token away at the end", async () => {
    await fresh();
    const first = await installPart(raw, partOne, 5);
    expect(first).toEqual({ status: 0xee000092, value: 0x80, optsr: armed });
    expect((await raw.read(tokenAddress, 32)).data.some((byte) => byte !== 0xff)).toBe(true);
    const last = await installPart(raw, partTwo, 5, { options: { firstIndex: 3 } });
    expect(last).toMatchObject({ status: 0xee000092, value: 0, optsr: 0x1026aad0 });
    expect((await raw.read(0x08020000, 96)).data).toEqual(second);
    expect((await raw.read(tokenAddress, 32)).data.every((byte) => byte === 0xff)).toBe(true);
  });

  it("keeps its place over a loss of power between the parts", async () => {
    await fresh();
    await installPart(raw, partOne, 5);
    raw.bench.chip.powerCycle();
    await raw.enter();
    expect(await raw.readWord(optsrCur)).toBe(armed);
    const last = await installPart(raw, partTwo, 5, { options: { firstIndex: 3 } });
    expect(last).toMatchObject({ status: 0xee000092, value: 0 });
  });

  it("does not erase the token's sector when firmware lies in it", async () => {
    await fresh();
    const here = { type: "F", address: 0x081e0000, content: second };
    await installPart(raw, [here, pause], 4);
    const last = await installPart(raw, [resume, configuration()], 4, { options: { firstIndex: 3 } });
    expect(last).toMatchObject({ status: 0xee000092, value: 0 });
    expect((await raw.read(0x081e0000, 96)).data).toEqual(second);
    expect((await raw.read(tokenAddress, 32)).data.every((byte) => byte === 0xff)).toBe(false);
  });

  it("takes three parts with one token place", async () => {
    await fresh();
    await installPart(raw, partOne, 7);
    const middle = [resume, { type: "F", address: 0x08020000, content: second }, pause];
    expect(await installPart(raw, middle, 7, { options: { firstIndex: 3 } })).toMatchObject({ value: 0x80 });
    const last = await installPart(raw, [resume, configuration()], 7, { options: { firstIndex: 6 } });
    expect(last).toMatchObject({ status: 0xee000092, value: 0 });
  });

  it.each([
    ["the first part twice", partOne, 1],
    ["a part out of turn", [resume, configuration()], 4],
  ])("refuses %s", async (_, specs, firstIndex) => {
    await fresh();
    await installPart(raw, partOne, 5);
    const again = await installPart(raw, specs, 5, { options: { firstIndex } });
    expect(again).toMatchObject({ status: 0, optsr: securityOnly });
    expect(again.value).not.toBe(0);
  });

  it("refuses the second part of another package", async () => {
    await fresh();
    await installPart(raw, partOne, 5);
    const other = await installPart(raw, partTwo, 5, {
      options: { firstIndex: 3, nonce: new Uint8Array(12) },
      license: developmentLicense(raw.bench.chip.certificate, { nonce: new Uint8Array(12) }),
    });
    expect(other).toMatchObject({ status: 0, value: 0xcc000008 });
  });
});

describe("when RSS runs", () => {
  it.each([
    ["SECURITY is 0", 0x17deaaf0, [0, 0]],
    ['"SFI process started" is 0', 0x13feaaf0, [0, 0]],
    ["ST_RAM_SIZE is not 3", 0x17f6aaf0, [0, 0]],
    ["RDP is not level 0", 0x17febbf0, [0, 0]],
    ["the completion words are not cleared", armed, [0xee000092, 0x80]],
  ])("not when %s", async (_, optsr, completion) => {
    await fresh();
    await raw.write(0x24020a00, fromWords(completion));
    await writeOptions(raw, { [optsrPrg]: optsr });
    await raw.writeWord(0xe000ed0c, 0x05fa0004);
    expect(raw.bench.chip.rss.running).toBe(false);
    expect(await raw.readWord(optsrCur)).toBe(optsr);
  });

  it("not on a part without the security extension", async () => {
    raw = await openRaw("virtual:h743");
    await raw.enter();
    await raw.write(0x24020a00, new Uint8Array(8));
    await writeOptions(raw, { [optsrPrg]: armed });
    await raw.writeWord(0xe000ed0c, 0x05fa0004);
    expect(raw.bench.chip.rss.running).toBe(false);
  });

  it("a loss of power in the middle leaves firmware half written and no answer in RAM", async () => {
    await fresh();
    const large = { type: "F", address: 0x08000000, content: new Uint8Array(64 * 1024).fill(0x33) };
    await startPart(raw, [large, configuration()], 2);
    await raw.bench.clock.sleep(550);
    await raw.status("F5");
    expect(raw.bench.chip.rss.running).toBe(true);
    raw.bench.chip.powerCycle();
    expect(raw.bench.chip.rss.running).toBe(false);
    const written = raw.bench.chip.flashBytes.subarray(0, 64 * 1024).filter((byte) => byte === 0x33).length;
    expect(written).toBeGreaterThan(0);
    expect(written).toBeLessThan(64 * 1024);
    await raw.enter();
    expect(await raw.readWord(optsrCur)).toBe(armed);
  });
});
