import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openStlink } from "../../../drivers/stlink/probe.ts";
import type { DebugPort, MemoryOperation } from "../../../src/ports/index.ts";
import { manualClock } from "./support/manual-clock.ts";
import { type ModelOptions, type ModelProbe, modelProbe, modelV2 } from "./support/model-probe.ts";

async function connect(
  options: ModelOptions,
): Promise<{ model: ModelProbe; port: DebugPort; pauses: number[] }> {
  const model = modelProbe(options);
  const clock = manualClock();
  const port = await (await openStlink(model.opener, clock)).enterSwd();
  model.transfers = 0;
  return { model, port, pauses: clock.pauses };
}

const personalities = [
  { name: "V3", options: {} },
  { name: "V2", options: modelV2 },
] as const;
const ram = 0x24000000;
const anyCsw = fc.option(fc.constantFrom(0x43000000, 0xab000000), { nil: undefined });
const anyStart = fc.integer({ min: ram, max: ram + 5 });
const anySize = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 14000 }));

describe.each(personalities)("memory through a $name", ({ options }) => {
  it("reads exactly what is there, and touches nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(anyStart, anySize, anyCsw, async (address, sizeBytes, csw) => {
        const { model, port } = await connect(options);
        for (let i = -8; i < sizeBytes + 8; i++) model.memory.set(address + i, (address + 7 * i) & 0xff);
        const bytes = await port.memory(2, csw).read(address, sizeBytes);
        expect(bytes).toEqual(Uint8Array.from({ length: sizeBytes }, (_, i) => (address + 7 * i) & 0xff));
        expect(model.touched.map((touch) => touch.address)).toEqual(
          Array.from({ length: sizeBytes }, (_, i) => address + i),
        );
        expect(model.seen.every((access) => access.ap === 2 && access.csw === (csw ?? 0))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("writes exactly what it was given, every byte once and in order", async () => {
    await fc.assert(
      fc.asyncProperty(anyStart, anySize, anyCsw, async (address, sizeBytes, csw) => {
        const { model, port } = await connect(options);
        const data = Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 31 + 5) & 0xff);
        await port.memory(0, csw).write(address, data);
        expect(model.touched.every((touch) => touch.kind === "write")).toBe(true);
        expect([...model.memory.values()]).toEqual([...data]);
        expect(model.touched.map((touch) => touch.address)).toEqual(
          Array.from({ length: sizeBytes }, (_, i) => address + i),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("reads back single words and halfwords it wrote", async () => {
    const { model, port } = await connect(options);
    for (const csw of [undefined, 0x43000000]) {
      const memory = port.memory(1, csw);
      await memory.writeWord(ram, 0xfedcba98);
      await memory.writeHalfword(ram + 6, 0x8001);
      expect(await memory.readWord(ram)).toBe(0xfedcba98);
      expect(await memory.readHalfword(ram + 6)).toBe(0x8001);
      expect(model.memory.get(ram + 3)).toBe(0xfe);
      expect(model.memory.get(ram + 4)).toBeUndefined();
    }
  });

  it("carries out a batch in order, in any size, whatever waits come in between", async () => {
    const operation = fc.record({
      kind: fc.constantFrom("read", "write"),
      address: fc.integer({ min: 0, max: 5 }).map((index) => ram + 4 * index),
      value: fc.integer({ min: 0, max: 0xffffffff }),
    });
    const waits = fc.array(fc.constantFrom(0x80, 0x80, 0x80, 0x10, 0x14), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { maxLength: 150 }),
        waits,
        anyCsw,
        async (operations, statuses, csw) => {
          const { model, port } = await connect(options);
          const expected: number[] = [];
          const shadow = new Map<number, number>();
          for (const { kind, address, value } of operations) {
            if (kind === "write") shadow.set(address, value);
            else expected.push(shadow.get(address) ?? 0);
          }
          model.statuses.push(...statuses.filter((status, i) => status === 0x80 || statuses[i - 1] === 0x80));
          expect(await port.memory(0, csw).batch(operations as MemoryOperation[])).toEqual(expected);
          const writes = operations.filter(({ kind }) => kind === "write").map(({ address }) => address);
          const written = model.touched.filter((touch) => touch.kind === "write" && touch.address % 4 === 0);
          expect(written.map((touch) => touch.address)).toEqual(writes);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("cost in USB transfers", () => {
  it("is four for every full block", async () => {
    const { model, port } = await connect({});
    await port.memory(0).read(ram, 3 * 6144);
    expect(model.transfers).toBe(12);
    await port.memory(0).write(ram, new Uint8Array(2 * 6144));
    expect(model.transfers).toBe(20);
  });

  it("is two for a word with the probe's own attributes and four with chosen ones", async () => {
    const { model, port } = await connect({});
    await port.memory(0).readWord(ram);
    await port.memory(0).writeWord(ram, 1);
    expect(model.transfers).toBe(4);
    await port.memory(0, 0x43000000).readWord(ram);
    expect(model.transfers).toBe(8);
  });

  it("is nothing for nothing", async () => {
    const { model, port } = await connect({});
    expect(await port.memory(0).read(ram, 0)).toEqual(new Uint8Array(0));
    await port.memory(0).write(ram, new Uint8Array(0));
    expect(await port.memory(0).batch([])).toEqual([]);
    expect(model.transfers).toBe(0);
  });

  it("is four for a batch, after the probe was asked once how much it takes", async () => {
    const { model, port } = await connect({});
    const reads = Array.from({ length: 200 }, (_, i) => ({ kind: "read", address: ram + 4 * i }) as const);
    await port.memory(0).batch(reads);
    expect(model.transfers).toBe(6);
    await port.memory(1).batch(reads);
    expect(model.transfers).toBe(10);
  });
});

describe("faults and waits", () => {
  it("sends the whole write again after a wait", async () => {
    const { model, port, pauses } = await connect({});
    model.statuses.push(0x10, 0x14);
    await port.memory(0).write(ram, Uint8Array.of(1, 2, 3, 4));
    expect(model.seen).toHaveLength(3);
    expect(model.memory.get(ram + 3)).toBe(4);
    expect(pauses).toEqual([1, 2]);
  });

  it("gives up after eight retries", async () => {
    const { model, port, pauses } = await connect({});
    model.statuses.push(...Array<number>(9).fill(0x10));
    await expect(port.memory(0).read(ram, 4)).rejects.toMatchObject({ code: "TARGET_BUSY" });
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 128]);
  });

  it("takes one fault right after a wait for a wait", async () => {
    const { model, port } = await connect({});
    model.statuses.push(0x10, 0x11);
    expect(await port.memory(0).read(ram, 4)).toEqual(new Uint8Array(4));
    model.statuses.push(0x10, 0x11, 0x11);
    await expect(port.memory(0).read(ram, 4)).rejects.toMatchObject({ code: "TARGET_FAULT" });
  });

  it("names the block's address, and goes on working", async () => {
    const { model, port } = await connect({});
    model.statuses.push(0x80, 0x11);
    await expect(port.memory(0).read(ram, 10000)).rejects.toMatchObject({
      code: "TARGET_FAULT",
      parameters: { address: "0x24001800" },
    });
    await port.memory(0).writeWord(ram, 5);
    expect(await port.memory(0).readWord(ram)).toBe(5);
  });

  it("names the failing operation of a batch and leaves out those behind it", async () => {
    const { model, port } = await connect({});
    model.statuses.push(0x80, 0x11);
    const operations = [0, 4, 8].map((at) => ({ kind: "write", address: ram + at, value: at }) as const);
    await expect(port.memory(0).batch(operations)).rejects.toMatchObject({
      code: "TARGET_FAULT",
      parameters: { address: "0x24000004" },
    });
    expect(model.memory.has(ram + 8)).toBe(false);
  });
});

describe("programmer errors", () => {
  it("are refused before anything is sent", async () => {
    const { model, port } = await connect({});
    const memory = port.memory(0);
    await expect(memory.readWord(ram + 2)).rejects.toBeInstanceOf(RangeError);
    await expect(memory.writeHalfword(ram + 1, 0)).rejects.toBeInstanceOf(RangeError);
    await expect(memory.read(0xfffffffe, 4)).rejects.toBeInstanceOf(RangeError);
    await expect(memory.batch([{ kind: "read", address: 1 }])).rejects.toBeInstanceOf(RangeError);
    await expect(port.writeDp(0x08, 0)).rejects.toBeInstanceOf(RangeError);
    expect(model.transfers).toBe(0);
  });
});
