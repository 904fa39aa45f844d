import { afterEach, describe, expect, it } from "vitest";
import {
  configuration,
  firmware,
  installPart,
  type PartChange,
  second,
  securityOnly,
  single,
} from "./install-part.ts";
import { openRaw, optsrPrg, type RawProbe, writeOptions } from "./raw-probe.ts";
import {
  type AreaSpec,
  area,
  developmentLicense,
  exampleOptions,
  imageHeader,
  optionContent,
} from "./sfi-builder.ts";

let raw: RawProbe;
afterEach(() => raw.bench.close());

async function fresh(): Promise<void> {
  raw = await openRaw();
  await raw.enter();
}

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
    expect(await installPart(raw, specs, total, change)).toEqual({ status: 0, value, optsr: securityOnly });
    expect(raw.bench.chip.rss.running).toBe(false);
  });

  it("a license of another chip", async () => {
    await fresh();
    const other = await openRaw("virtual:h753,uid=0102030405060708090a0b0c");
    const license = developmentLicense(other.bench.chip.certificate);
    await other.bench.close();
    expect(await installPart(raw, single, 2, { license })).toMatchObject({ status: 0, value: 0xcc000007 });
  });

  it("checks each area before it programs it: a bad second area leaves the first in flash", async () => {
    await fresh();
    const areas = [
      area({ type: "F", address: 0x08000000, content: firmware }, 1, 3),
      withByte(area({ type: "F", address: 0x08020000, content: second }, 2, 3), 35),
      area(configuration(), 3, 3),
    ];
    const done = await installPart(
      raw,
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
    await installPart(raw, single, 2);
    await writeOptions(raw, { [optsrPrg]: securityOnly, [0x5200203c]: 0xff });
    expect(await installPart(raw, single, 2)).toMatchObject({ status: 0, value: 0xcc000005 });
    await raw.bench.close();
    await fresh();
    await writeOptions(raw, { [0x5200203c]: 0xfe });
    expect(await installPart(raw, single, 2)).toMatchObject({ status: 0, value: 0xcc000005 });
  });

  it("option bytes that clear SECURITY", async () => {
    await fresh();
    const words = exampleOptions();
    words[0] = 0x1006aad0;
    const done = await installPart(raw, [single[0]!, { type: "C", content: optionContent(words) }], 2);
    expect(done).toEqual({ status: 0, value: 0xcc000006, optsr: securityOnly });
  });
});
