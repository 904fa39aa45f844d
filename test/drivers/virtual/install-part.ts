import { expect } from "vitest";
import { fromWords } from "../../../src/bytes/bytes.ts";
import { optsrCur, optsrPrg, type RawProbe, word, writeOptions } from "./raw-probe.ts";
import {
  type AreaSpec,
  area,
  developmentLicense,
  exampleOptions,
  imageHeader,
  optionContent,
  type PackageOptions,
} from "./sfi-builder.ts";

export const armed = 0x17feaaf0; // SECURITY, RSS1, ST_RAM_SIZE 3, RDP level 0
export const securityOnly = 0x13feaaf0;
export const tokenAddress = 0x081ff000;
export const firmware = Uint8Array.from({ length: 1000 }, (_, i) => (i * 31 + 5) & 0xff);
export const second = Uint8Array.from({ length: 96 }, (_, i) => 200 - i);
export const pause = { type: "P", address: tokenAddress, content: new Uint8Array(32) };
export const resume = { type: "R", address: tokenAddress, content: new Uint8Array(32) };
export const configuration = (rdp = 0xaa): AreaSpec => ({
  type: "C",
  content: optionContent(exampleOptions(rdp)),
});

export interface PartChange {
  readonly license?: Uint8Array;
  readonly header?: Uint8Array;
  readonly wrapper?: readonly number[];
  readonly areas?: Uint8Array;
  readonly options?: PackageOptions;
}

/** Writes one part where the contract wants it and asks for RSS by a reset. */
export async function startPart(
  raw: RawProbe,
  specs: readonly AreaSpec[],
  total: number,
  change: PartChange = {},
): Promise<void> {
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
export async function finishPart(raw: RawProbe): Promise<{ status: number; value: number; optsr: number }> {
  expect(await raw.status("F2 30 A3")).toBe(0x09);
  for (let tries = 0; (await raw.status("F2 30 A3")) !== 0x80; tries++) {
    if (tries > 200) throw new Error("RSS never ends");
    await raw.bench.clock.sleep(100);
  }
  await raw.enter();
  const { data } = await raw.read(0x24020a00, 8);
  return { status: word(data, 0), value: word(data, 4), optsr: await raw.readWord(optsrCur) };
}

/** Starts a part and waits for its end. */
export async function installPart(
  raw: RawProbe,
  specs: readonly AreaSpec[],
  total: number,
  change: PartChange = {},
) {
  await startPart(raw, specs, total, change);
  return finishPart(raw);
}

/** A package of one part: firmware at the start of flash and option bytes. */
export const single: readonly AreaSpec[] = [
  { type: "F", address: 0x08000000, content: firmware },
  configuration(),
];
