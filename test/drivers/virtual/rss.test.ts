import { afterEach, describe, expect, it } from "vitest";
import { fromWords } from "../../../src/bytes/bytes.ts";
import { openRaw, optsrCur, optsrPrg, type RawProbe, word, writeOptions } from "./raw-probe.ts";
import {
  type AreaSpec,
  area,
  developmentLicense,
  exampleOptions,
  imageHeader,
  optionContent,
  type PackageOptions,
} from "./sfi-builder.ts";

const armed = 0x17feaaf0; // SECURITY, RSS1, ST_RAM_SIZE 3, RDP level 0
const securityOnly = 0x13feaaf0;
const tokenAddress = 0x081ff000;
const firmware = Uint8Array.from({ length: 1000 }, (_, i) => (i * 31 + 5) & 0xff);
const second = Uint8Array.from({ length: 96 }, (_, i) => 200 - i);
const pause = { type: "P", address: tokenAddress, content: new Uint8Array(32) };
const resume = { type: "R", address: tokenAddress, content: new Uint8Array(32) };
const configuration = (rdp = 0xaa): AreaSpec => ({ type: "C", content: optionContent(exampleOptions(rdp)) });

let raw: RawProbe;
afterEach(() => raw.bench.close());

interface PartChange {
  readonly license?: Uint8Array;
  readonly header?: Uint8Array;
  readonly wrapper?: readonly number[];
  readonly areas?: Uint8Array;
  readonly options?: PackageOptions;
}

/** Writes one part where the contract wants it and asks for RSS by a reset. */
async function startPart(specs: readonly AreaSpec[], total: number, change: PartChange = {}): Promise<void> {
  const first = change.options?.firstIndex ?? 1;
  const areas =
    change.areas ?? Buffer.concat(specs.map((spec, i) => area(spec, first + i, total, change.options)));
  const writes: [number, Uint8Array][] = [
    [0x24020800, change.license ?? developmentLicense(raw.bench.chip.certificate)],
    [0x24021000, change.header ?? imageHeader(total, change.options)],
    [0x24020c00, fromWords(change.wrapper ?? [specs.length, 0x2402101c, areas.length, 0])],
    [0x24020a00, new Uint8Array(8)],
  ];
  for (let at = 0; at < areas.length; at += 6000)
    writes.push([0x2402101c + at, areas.subarray(at, at + 6000)]);
  for (const [address, data] of writes) {
    const padded = new Uint8Array((data.length + 3) & ~3);
    padded.set(data);
    expect((await raw.write(address, padded)).status).toBe(0x80);
  }
  await writeOptions(raw, { [optsrPrg]: armed });
  await raw.writeWord(0xe000ed0c, 0x05fa0004);
}

/** Waits until the debug port answers again and reads the completion words. */
async function finishPart(): Promise<{ status: number; value: number; optsr: number }> {
  expect(await raw.status("F2 30 A3")).toBe(0x09);
  for (let tries = 0; (await raw.status("F2 30 A3")) !== 0x80; tries++) {
    if (tries > 200) throw new Error("RSS never ends");
    await raw.bench.clock.sleep(100);
  }
  await raw.enter();
  const { data } = await raw.read(0x24020a00, 8);
  return { status: word(data, 0), value: word(data, 4), optsr: await raw.readWord(optsrCur) };
}

async function installPart(specs: readonly AreaSpec[], total: number, change: PartChange = {}) {
  raw ??= await openRaw();
  await startPart(specs, total, change);
  return finishPart();
}

async function fresh(): Promise<void> {
  raw = await openRaw();
  await raw.enter();
}

const single = [{ type: "F", address: 0x08000000, content: firmware }, configuration()];

describe("install in one part", () => {
  it("programs the firmware, sets the option bytes and reports everything done", async () => {
    await fresh();
    const done = await installPart(single, 2);
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
    await startPart(single, 2);
    expect(await raw.status("F2 36 00 0A 02 24 00", 8)).toBe(0x09);
    expect(await raw.status("F2 30 A3")).toBe(0x09);
    await raw.bench.clock.sleep(5000);
    expect(await raw.status("F2 36 00 0A 02 24 00", 8)).toBe(0x09);
    expect((await finishPartOpen()).status).toBe(0xee000092);
  });

  it("ends with RDP 1 when the option bytes say so: RAM can be read, flash cannot", async () => {
    await fresh();
    const done = await installPart([single[0]!, configuration(0xbb)], 2);
    expect(done).toMatchObject({ status: 0xee000092, value: 0 });
    expect((await raw.read(0x08000000, 4)).status).toBe(0x11);
  });

  it("ends with the debug port closed when the option bytes say RDP 2", async () => {
    await fresh();
    await startPart([single[0]!, configuration(0xcc)], 2);
    await raw.bench.clock.sleep(60_000);
    expect(await raw.status("F2 30 A3")).toBe(0x09);
    expect(raw.bench.chip.flashBytes.subarray(0, 1000)).toEqual(firmware);
  });

  it("overwrites its DTCM scratch and nothing of AXI SRAM but the completion words", async () => {
    await fresh();
    await raw.write(0x20000800, new Uint8Array(16));
    await raw.write(0x20005000, new Uint8Array(16));
    await raw.write(0x24010000, second);
    await installPart(single, 2);
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
    const first = await installPart(partOne, 5);
    expect(first).toEqual({ status: 0xee000092, value: 0x80, optsr: armed });
    expect((await raw.read(tokenAddress, 32)).data.some((byte) => byte !== 0xff)).toBe(true);
    const last = await installPart(partTwo, 5, { options: { firstIndex: 3 } });
    expect(last).toMatchObject({ status: 0xee000092, value: 0, optsr: 0x1026aad0 });
    expect((await raw.read(0x08020000, 96)).data).toEqual(second);
    expect((await raw.read(tokenAddress, 32)).data.every((byte) => byte === 0xff)).toBe(true);
  });

  it("keeps its place over a loss of power between the parts", async () => {
    await fresh();
    await installPart(partOne, 5);
    raw.bench.chip.powerCycle();
    await raw.enter();
    expect(await raw.readWord(optsrCur)).toBe(armed);
    const last = await installPart(partTwo, 5, { options: { firstIndex: 3 } });
    expect(last).toMatchObject({ status: 0xee000092, value: 0 });
  });

  it("does not erase the token's sector when firmware lies in it", async () => {
    await fresh();
    const here = { type: "F", address: 0x081e0000, content: second };
    await installPart([here, pause], 4);
    const last = await installPart([resume, configuration()], 4, { options: { firstIndex: 3 } });
    expect(last).toMatchObject({ status: 0xee000092, value: 0 });
    expect((await raw.read(0x081e0000, 96)).data).toEqual(second);
    expect((await raw.read(tokenAddress, 32)).data.every((byte) => byte === 0xff)).toBe(false);
  });

  it("takes three parts with one token place", async () => {
    await fresh();
    await installPart(partOne, 7);
    const middle = [resume, { type: "F", address: 0x08020000, content: second }, pause];
    expect(await installPart(middle, 7, { options: { firstIndex: 3 } })).toMatchObject({ value: 0x80 });
    const last = await installPart([resume, configuration()], 7, { options: { firstIndex: 6 } });
    expect(last).toMatchObject({ status: 0xee000092, value: 0 });
  });

  it.each([
    ["the first part twice", partOne, 1],
    ["a part out of turn", [resume, configuration()], 4],
  ])("refuses %s", async (_, specs, firstIndex) => {
    await fresh();
    await installPart(partOne, 5);
    const again = await installPart(specs, 5, { options: { firstIndex } });
    expect(again).toMatchObject({ status: 0, optsr: securityOnly });
    expect(again.value).not.toBe(0);
  });

  it("refuses the second part of another package", async () => {
    await fresh();
    await installPart(partOne, 5);
    const other = await installPart(partTwo, 5, {
      options: { firstIndex: 3, nonce: new Uint8Array(12) },
      license: developmentLicense(raw.bench.chip.certificate, { nonce: new Uint8Array(12) }),
    });
    expect(other).toMatchObject({ status: 0, value: 0xcc000008 });
  });
});

describe("refusals", () => {
  const total = 2;
  const sound = () => Buffer.concat(single.map((spec, i) => area(spec, i + 1, total)));
  const withByte = (bytes: Uint8Array, at: number): Uint8Array =>
    bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));

  const cases: [string, number, (certificate: Uint8Array) => [readonly AreaSpec[], PartChange]][] = [
    [
      "a genuine license",
      0xcc000007,
      (c) => [single, { license: developmentLicense(c, { type: "\x02\0\0\0" }) }],
    ],
    ["a damaged license", 0xcc000007, (c) => [single, { license: withByte(developmentLicense(c), 100) }]],
    [
      "an ephemeral key off the curve",
      0xcc000007,
      (c) => [single, { license: developmentLicense(c, { ephemeral: Buffer.alloc(64, 3) }) }],
    ],
    [
      "a license for another firmware key",
      0xcc000007,
      (c) => [single, { license: developmentLicense(c, { key: new Uint8Array(16) }) }],
    ],
    [
      "a license that asks for a newer RSS",
      0xcc000009,
      (c) => [single, { license: developmentLicense(c, { minimumVersion: 0x00030000 }) }],
    ],
    ["another magic", 0xcc000002, () => [single, { options: { magic: "SFIMAGIK" } }]],
    ["protocol version 2", 0xcc000002, () => [single, { options: { protocolVersion: 2 } }]],
    ["a damaged header tag", 0xcc000007, () => [single, { header: withByte(imageHeader(total), 20) }]],
    ["a damaged area tag", 0xcc000007, () => [single, { areas: withByte(sound(), 20) }]],
    ["damaged area content", 0xcc000007, () => [single, { areas: withByte(sound(), 40) }]],
    ["a wrong total in the header", 0xcc000003, () => [single, { header: imageHeader(3) }]],
    ["areas from index 2", 0xcc000003, () => [single, { options: { firstIndex: 2 } }]],
    ["a type of another family", 0xcc000003, () => [[{ ...single[0]!, type: "E" }, single[1]!], {}]],
    [
      "different versions",
      0xcc000003,
      () => [
        single,
        {
          areas: Buffer.concat([
            area(single[0]!, 1, 2, { version: 1 }),
            area(single[1]!, 2, 2, { version: 2 }),
          ]),
        },
      ],
    ],
    ["no option bytes at the end", 0xcc000003, () => [[single[0]!, single[0]!], {}]],
    ["firmware outside flash", 0xcc000004, () => [[{ ...single[0]!, address: 0x08200000 }, single[1]!], {}]],
    [
      "firmware off a flash word",
      0xcc000004,
      () => [[{ ...single[0]!, address: 0x08000010 }, single[1]!], {}],
    ],
    ["a short C area", 0xcc000006, () => [[single[0]!, { type: "C", content: new Uint8Array(32) }], {}]],
    [
      "a wrapper with another count",
      0xcc000001,
      () => [single, { wrapper: [3, 0x2402101c, sound().length, 0] }],
    ],
    [
      "a wrapper with another place",
      0xcc000001,
      () => [single, { wrapper: [2, 0x24022000, sound().length, 0] }],
    ],
    [
      "a wrapper that cuts an area",
      0xcc000001,
      () => [single, { wrapper: [2, 0x2402101c, sound().length - 4, 0] }],
    ],
  ];

  it.each(cases)("%s", async (_, value, make) => {
    await fresh();
    const [specs, change] = make(raw.bench.chip.certificate);
    expect(await installPart(specs, total, change)).toEqual({ status: 0, value, optsr: securityOnly });
    expect(raw.bench.chip.rss.running).toBe(false);
  });

  it("a license of another chip", async () => {
    await fresh();
    const other = await openRaw("virtual:h753,uid=0102030405060708090a0b0c");
    const license = developmentLicense(other.bench.chip.certificate);
    await other.bench.close();
    expect(await installPart(single, 2, { license })).toMatchObject({ status: 0, value: 0xcc000007 });
  });

  it("checks each area before it programs it: a bad second area leaves the first in flash", async () => {
    await fresh();
    const areas = [
      area({ type: "F", address: 0x08000000, content: firmware }, 1, 3),
      withByte(area({ type: "F", address: 0x08020000, content: second }, 2, 3), 35),
      area(configuration(), 3, 3),
    ];
    const done = await installPart(
      [1, 2, 3].map(() => single[0]!),
      3,
      { areas: Buffer.concat(areas) },
    );
    expect(done).toMatchObject({ status: 0, value: 0xcc000007 });
    expect((await raw.read(0x08000000, 1000)).data).toEqual(firmware);
    expect(await raw.readWord(0x08020000)).toBe(0xffffffff);
  });

  it("flash that is not erased, and a write-protected sector", async () => {
    await fresh();
    await installPart(single, 2);
    await writeOptions(raw, { [optsrPrg]: securityOnly, [0x5200203c]: 0xff });
    expect(await installPart(single, 2)).toMatchObject({ status: 0, value: 0xcc000005 });
    await raw.bench.close();
    await fresh();
    await writeOptions(raw, { [0x5200203c]: 0xfe });
    expect(await installPart(single, 2)).toMatchObject({ status: 0, value: 0xcc000005 });
  });

  it("option bytes that clear SECURITY", async () => {
    await fresh();
    const words = exampleOptions();
    words[0] = 0x1006aad0;
    const done = await installPart([single[0]!, { type: "C", content: optionContent(words) }], 2);
    expect(done).toEqual({ status: 0, value: 0xcc000006, optsr: securityOnly });
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
    await startPart([large, configuration()], 2);
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
