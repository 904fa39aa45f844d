import { createHash } from "node:crypto";
import { expect } from "vitest";
import { fromWords, toWords } from "../../../src/bytes/bytes.ts";
import { le32, openRaw, type RawProbe, word } from "./raw-probe.ts";
import { type AreaSpec, area, developmentLicense, imageHeader, type PackageOptions } from "./sfi-builder.ts";

/** A part with an RSSe as the contract of the bench has it. */
export interface RssePart {
  readonly chip: string;
  readonly family: string;
  readonly ap: number;
  readonly base: number;
  readonly window: number;
  readonly command: number;
}

/** A raw probe with the accesses of one access port. */
export interface PartProbe extends RawProbe {
  read32(address: number): Promise<number>;
  write32(address: number, value: number): Promise<void>;
  load(address: number, data: Uint8Array): Promise<void>;
  reattach(): Promise<void>;
}

export async function openPart({ chip, ap }: RssePart, extra = ""): Promise<PartProbe> {
  const raw = await openRaw(`virtual:${chip}${extra}`);
  const port = ap.toString(16).padStart(2, "0");
  const reattach = async () => {
    await raw.enter();
    expect(await raw.status(`F2 4B ${port}`)).toBe(0x80);
  };
  const load = async (address: number, data: Uint8Array) => {
    for (let at = 0; at < data.length; at += 4096) {
      const block = data.subarray(at, at + 4096);
      const padded = new Uint8Array((block.length + 3) & ~3);
      padded.set(block);
      const size = padded.length;
      const length = (size & 0xff).toString(16).padStart(2, "0") + (size >> 8).toString(16).padStart(2, "0");
      await raw.command(`F2 08 ${le32(address + at)} ${length} ${port}`);
      await raw.port.send(padded, 1000);
      expect(await raw.status("F2 3E", 12)).toBe(0x80);
    }
  };
  await reattach();
  return {
    ...raw,
    reattach,
    load,
    read32: (address) => raw.readWord(address, ap),
    write32: async (address, value) => {
      await raw.command(`F2 35 ${le32(address)} ${le32(value)} ${port}`, 2);
    },
  };
}

/** A development RSSe, made here from the bench's contract. */
export function developmentRsse(part: RssePart, version = [2, 0, 2]): Uint8Array {
  const file = Buffer.alloc(0x400);
  file.write("RSSEDEV1", 0, "ascii");
  file.write(part.family, 8, "ascii");
  file.writeUInt32LE(file.length, 16);
  file.writeUInt32LE(part.window, 20);
  file.set([version[2]!, version[1]!, version[0]!], 24);
  file.write("NOTST", 27, "ascii");
  for (let i = 0; i < 7; i++) {
    file.writeUInt32LE(part.window + 0x100 + 0x10 * i + 1, 0x40 + 4 * i);
    for (let at = 0; at < 0x10; at += 2) file.writeUInt16LE(0xbe00, 0x100 + 0x10 * i + at);
  }
  const digest = createHash("sha256").update(file.subarray(0, 32)).update(file.subarray(64)).digest();
  file.set(digest, 32);
  return file;
}

/** Calls a service of the RSSe in RAM. */
export async function callRsse(probe: PartProbe, part: RssePart, slot: number, r0 = 0): Promise<number> {
  const port = part.ap.toString(16).padStart(2, "0");
  const entry = await probe.read32(part.window + 0x40 + 4 * slot);
  await probe.write32(0xe000edf0, 0xa05f0003);
  await probe.write32(part.base, 0xbe00be00);
  const registers = { 0: r0, 13: part.base + 0x800, 14: part.base | 1, 15: entry & ~1, 16: 0x01000000 };
  for (const [number, value] of Object.entries(registers)) {
    const register = Number(number).toString(16).padStart(2, "0");
    expect(await probe.status(`F2 34 ${register} ${le32(value)} ${port}`)).toBe(0x80);
  }
  await probe.write32(0xe000edf0, 0xa05f0001);
  await probe.bench.clock.sleep(50);
  expect((await probe.read32(0xe000edf0)) & (1 << 17)).not.toBe(0);
  return word(await probe.command(`F2 33 00 ${port}`, 8), 4);
}

/** Writes one part to RAM and asks for the install; returns the completion words. */
export async function installByRsse(
  probe: PartProbe,
  part: RssePart,
  specs: readonly AreaSpec[],
  total: number,
  options: PackageOptions = {},
): Promise<{ status: number; value: number }> {
  const first = options.firstIndex ?? 1;
  const areas = Buffer.concat(specs.map((spec, i) => area(spec, first + i, total, options)));
  await probe.load(part.window, developmentRsse(part));
  await probe.load(part.base + 0x800, developmentLicense(probe.bench.chip.certificate));
  await probe.load(part.base + 0xa00, new Uint8Array(8));
  await probe.load(part.base + 0xc00, fromWords([specs.length, part.base + 0x101c, areas.length, 0]));
  await probe.load(part.base + 0x1000, imageHeader(total, options));
  await probe.load(part.base + 0x101c, areas);
  await probe.write32(part.command, 0xa5);
  await probe.write32(0xe000ed0c, 0x05fa0004);
  for (let tries = 0; (await probe.status("F2 30 A3")) !== 0x80; tries++) {
    if (tries > 200) throw new Error("the RSSe never ends");
    await probe.bench.clock.sleep(100);
  }
  await probe.reattach();
  const [status = 0, value = 0] = toWords(
    fromWords([await probe.read32(part.base + 0xa00), await probe.read32(part.base + 0xa04)]),
  );
  return { status, value };
}
