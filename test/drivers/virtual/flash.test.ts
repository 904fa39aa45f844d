import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { filledBytes, fromWords } from "../../../src/bytes/bytes.ts";
import { openRaw, optsrCur, optsrPrg, type RawProbe, unlockBank, writeOptions } from "./raw-probe.ts";

const base = 0x52002000;
const cr1 = base + 0x0c;
const sr1 = base + 0x10;
const ccr1 = base + 0x14;
const wrpErr = 1 << 17;
const pgsErr = 1 << 18;
const strbErr = 1 << 19;
const incErr = 1 << 21;
const pg = 0x32;
const word = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i);
let raw: RawProbe;

beforeEach(async () => {
  raw = await openRaw();
  await raw.enter();
});
afterEach(() => raw.bench.close());

async function waitIdle(bank: 1 | 2 = 1): Promise<number> {
  for (let tries = 0; tries < 1000; tries++) {
    const sr = await raw.readWord(sr1 + (bank - 1) * 0x100);
    if ((sr & 7) === 0) return sr;
    await raw.bench.clock.sleep(20);
  }
  throw new Error("flash stays busy");
}

async function eraseSector(sector: number): Promise<number> {
  await raw.writeWord(cr1, 0x34 | (sector << 8));
  await raw.writeWord(cr1, 0xb4 | (sector << 8));
  return waitIdle();
}

describe("keys", () => {
  it("opens with both keys in order and locks again by LOCK", async () => {
    expect((await raw.readWord(cr1)) & 1).toBe(1);
    await raw.writeWord(cr1, pg);
    expect((await raw.readWord(cr1)) & 2).toBe(0);
    await unlockBank(raw, 1);
    expect((await raw.readWord(cr1)) & 1).toBe(0);
    expect((await raw.readWord(cr1 + 0x100)) & 1).toBe(1);
    await raw.writeWord(cr1, 1);
    expect((await raw.readWord(cr1)) & 1).toBe(1);
  });

  it("a wrong key locks until reset", async () => {
    await raw.writeWord(base + 4, 0x45670123);
    await raw.writeWord(base + 4, 0xdeadbeef);
    await unlockBank(raw, 1);
    expect((await raw.readWord(cr1)) & 1).toBe(1);
    await raw.writeWord(0xe000ed0c, 0x05fa0004);
    await unlockBank(raw, 1);
    expect((await raw.readWord(cr1)) & 1).toBe(0);
  });
});

describe("programming", () => {
  beforeEach(async () => {
    await unlockBank(raw, 1);
    await raw.writeWord(cr1, pg);
  });

  it("programs whole flash words from blocks", async () => {
    const image = Uint8Array.from({ length: 6144 }, (_, i) => i * 13);
    expect((await raw.write(0x08000000, image)).status).toBe(0x80);
    expect((await waitIdle()) & (wrpErr | pgsErr | strbErr | incErr)).toBe(0);
    expect((await raw.read(0x08000000, 6144)).data).toEqual(image);
  });

  it("gathers a flash word from single words; nothing is programmed before the last", async () => {
    for (let i = 0; i < 7; i++) await raw.writeWord(0x08000020 + 4 * i, 0x1000 + i);
    expect((await raw.readWord(sr1)) & 2).toBe(2);
    expect(await raw.readWord(0x08000020)).toBe(0xffffffff);
    await raw.writeWord(0x0800003c, 0x1007);
    await waitIdle();
    expect(await raw.readWord(0x08000020)).toBe(0x1000);
    expect((await raw.readWord(sr1)) & 2).toBe(0);
  });

  it("FW programs a partly filled word", async () => {
    await raw.writeWord(0x08000000, 0x11223344);
    await raw.writeWord(cr1, pg | 0x40);
    await waitIdle();
    expect(await raw.readWord(0x08000000)).toBe(0x11223344);
    expect(await raw.readWord(0x08000004)).toBe(0xffffffff);
  });

  it("flags a second flash word before the first is whole, the same place twice, and PG not set", async () => {
    await raw.writeWord(0x08000000, 1);
    await raw.writeWord(0x08000020, 1);
    expect((await raw.readWord(sr1)) & incErr).toBe(incErr);
    await raw.writeWord(0x08000040, 1);
    expect((await raw.readWord(sr1)) & pgsErr).toBe(pgsErr);
    await raw.writeWord(ccr1, 0xffffffff);
    await raw.writeWord(0x08000000, 1);
    await raw.writeWord(0x08000000, 2);
    expect((await raw.readWord(sr1)) & strbErr).toBe(strbErr);
    await raw.writeWord(ccr1, 0xffffffff);
    await raw.writeWord(cr1, 0x30);
    await raw.writeWord(0x08000000, 1);
    expect((await raw.readWord(sr1)) & pgsErr).toBe(pgsErr);
  });

  it("a word programmed twice with other data reads as an ECC fault until it is erased", async () => {
    await raw.write(0x08000000, word);
    await raw.write(0x08000000, word);
    await waitIdle();
    expect((await raw.read(0x08000000, 32)).data).toEqual(word);
    await raw.write(0x08000000, filledBytes(32, 0x0f));
    await waitIdle();
    expect(await raw.read(0x08000000, 32)).toMatchObject({ status: 0x11, at: 0x08000000 });
    expect((await raw.readWord(sr1)) & (1 << 26)).toBe(1 << 26);
    await eraseSector(0);
    expect((await raw.read(0x08000000, 32)).data).toEqual(filledBytes(32, 0xff));
  });

  it("is refused in a write-protected sector and cannot be erased there", async () => {
    await writeOptions(raw, { [base + 0x3c]: 0xfe });
    await raw.write(0x08000000, word);
    expect((await raw.readWord(sr1)) & wrpErr).toBe(wrpErr);
    await raw.writeWord(ccr1, 0xffffffff);
    expect((await eraseSector(0)) & wrpErr).toBe(wrpErr);
    await raw.writeWord(ccr1, 0xffffffff);
    expect((await eraseSector(1)) & wrpErr).toBe(0);
    expect(await raw.readWord(0x08000000)).toBe(0xffffffff);
  });
});

describe("erasing", () => {
  it("takes modelled time, leaves other sectors alone, and the debug port waits meanwhile", async () => {
    await unlockBank(raw, 1);
    await raw.writeWord(cr1, pg);
    await raw.write(0x08000000, word);
    await raw.write(0x08020000, word);
    await waitIdle();
    await raw.writeWord(cr1, 0x34);
    await raw.writeWord(cr1, 0xb4);
    expect((await raw.readWord(sr1)) & 5).toBe(5);
    expect((await raw.read(0x08000000, 32)).status).toBe(0x10);
    const begin = raw.bench.modelledMs();
    await waitIdle();
    expect(raw.bench.modelledMs() - begin).toBeGreaterThan(500);
    expect(await raw.readWord(0x08000000)).toBe(0xffffffff);
    expect((await raw.read(0x08020000, 32)).data).toEqual(word);
  });

  it("erases a bank by BER and both by MER", async () => {
    await unlockBank(raw, 1);
    await unlockBank(raw, 2);
    for (const address of [0x080e0000, 0x08100000]) {
      await raw.writeWord(cr1 + (address >= 0x08100000 ? 0x100 : 0), pg);
      await raw.write(address, word);
    }
    await waitIdle();
    await raw.writeWord(cr1, 0xb8);
    await waitIdle();
    expect(await raw.readWord(0x080e0000)).toBe(0xffffffff);
    expect((await raw.read(0x08100000, 32)).data).toEqual(word);
    await raw.writeWord(base + 8, 0x08192a3b);
    await raw.writeWord(base + 8, 0x4c5d6e7f);
    await raw.writeWord(base + 0x18, 0x10);
    await waitIdle(2);
    expect(await raw.readWord(0x08100000)).toBe(0xffffffff);
  });

  it("a loss of power leaves a sector half erased", async () => {
    await unlockBank(raw, 1);
    await raw.writeWord(cr1, pg);
    await raw.write(0x08000000, word);
    await raw.write(0x0801ffe0, word);
    await waitIdle();
    await raw.writeWord(cr1, 0xb4);
    raw.bench.chip.powerCycle();
    await raw.enter();
    expect(await raw.readWord(0x08000000)).toBe(0xffffffff);
    expect((await raw.read(0x0801ffe0, 32)).data).toEqual(word);
  });
});

describe("option bytes", () => {
  it("start as the part left the factory and change through the sequence only", async () => {
    expect(await raw.readWord(optsrCur)).toBe(0x13deaaf0);
    expect(await raw.readWord(base + 0x40)).toBe(0x1ff00800);
    await raw.writeWord(optsrPrg, 0x13feaaf0);
    expect(await raw.readWord(optsrPrg)).toBe(0x13deaaf0);
    expect(await writeOptions(raw, { [optsrPrg]: 0x13feaaf0 })).toBe(0x13feaaf0);
    const block = await raw.read(optsrCur, 308);
    expect(block.data.subarray(0, 8)).toEqual(fromWords([0x13feaaf0, 0x13feaaf0]));
  });

  it("a part without security extension ignores SECURITY", async () => {
    const plain = await openRaw("virtual:h743");
    await plain.enter();
    expect((await writeOptions(plain, { [optsrPrg]: 0x17feaaf0 })) & 0x04200000).toBe(0);
    await plain.bench.close();
  });

  it("refuses to clear SECURITY and to shrink PCROP without regression", async () => {
    await writeOptions(raw, { [optsrPrg]: 0x13feaaf0, [base + 0x2c]: 0x80200010 });
    expect((await writeOptions(raw, { [optsrPrg]: 0x13deaaf0 })) >>> 30).toBe(1);
    await raw.writeWord(base + 0x24, 1 << 30);
    await raw.writeWord(optsrPrg, 0x13feaaf0);
    expect((await writeOptions(raw, { [base + 0x2c]: 0x80180010 })) >>> 30).toBe(1);
    await raw.writeWord(base + 0x24, 1 << 30);
    expect(await raw.readWord(base + 0x28)).toBe(0x80200010);
    expect((await writeOptions(raw, { [base + 0x2c]: 0x80300010 })) >>> 30).toBe(0);
    expect(await raw.readWord(base + 0x28)).toBe(0x80300010);
  });

  it("PCROP hides what it covers from a debugger", async () => {
    await writeOptions(raw, { [base + 0x2c]: 0x80200010 });
    expect((await raw.read(0x08001000, 4)).status).toBe(0x11);
    expect((await raw.readWord(sr1)) & (1 << 23)).toBe(1 << 23);
    expect((await raw.read(0x08000ffc, 4)).status).toBe(0x80);
    expect((await raw.read(0x08002100, 4)).status).toBe(0x80);
  });

  it("SWAP_BANK exchanges the banks at the next reset", async () => {
    await unlockBank(raw, 2);
    await raw.writeWord(cr1 + 0x100, pg);
    await raw.write(0x08100000, word);
    await waitIdle(2);
    await writeOptions(raw, { [optsrPrg]: 0x93deaaf0 });
    expect(await raw.readWord(0x08000000)).toBe(0xffffffff);
    await raw.writeWord(0xe000ed0c, 0x05fa0004);
    expect((await raw.read(0x08000000, 32)).data).toEqual(word);
  });
});

describe("read-out protection", () => {
  beforeEach(async () => {
    await unlockBank(raw, 1);
    await raw.writeWord(cr1, pg);
    await raw.write(0x08000000, word);
    await waitIdle();
    await writeOptions(raw, { [optsrPrg]: 0x13febbf0 });
  });

  it("level 1 closes the flash to a debugger, not the RAM", async () => {
    expect((await raw.read(0x08000000, 4)).status).toBe(0x11);
    expect((await raw.write(0x24000000, word)).status).toBe(0x80);
    await raw.write(0x08000020, word);
    expect((await raw.readWord(sr1)) & wrpErr).toBe(wrpErr);
  });

  it("level 1 to 0 erases both banks and may clear SECURITY", async () => {
    expect(await writeOptions(raw, { [optsrPrg]: 0x13deaaf0 })).toBe(0x13deaaf0);
    expect(await raw.readWord(0x08000000)).toBe(0xffffffff);
  });

  it("a regression keeps a PCROP area whose DMEP is 0, and takes it away with DMEP 1", async () => {
    await writeOptions(raw, { [base + 0x2c]: 0x00010000 });
    expect((await writeOptions(raw, { [optsrPrg]: 0x13feaaf0, [base + 0x2c]: 0x000000ff })) >>> 30).toBe(1);
    await raw.writeWord(base + 0x24, 1 << 30);
    expect(await writeOptions(raw, { [optsrPrg]: 0x13feaaf0, [base + 0x2c]: 0x800000ff })).toBe(0x13feaaf0);
    expect(await raw.readWord(0x08000000)).toBe(0xffffffff);
  });

  it("level 2 is for ever and ends debugging with the next reset", async () => {
    await writeOptions(raw, { [optsrPrg]: 0x13feccf0 });
    expect((await writeOptions(raw, { [optsrPrg]: 0x13feaaf0 })) >>> 30).toBe(1);
    await raw.writeWord(0xe000ed0c, 0x05fa0004);
    expect(await raw.status("F2 36 00 00 00 24 00", 8)).toBe(0x09);
    expect(await raw.status("F2 30 A3")).toBe(0x09);
    raw.bench.chip.powerCycle();
    expect(await raw.status("F2 30 A3")).toBe(0x09);
  });
});
