import { afterEach, describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../../src/bytes/hex.ts";
import { openRaw, type RawProbe, word } from "./raw-probe.ts";

let raw: RawProbe;
afterEach(() => raw.bench.close());

async function expectReply(hex: string, reply: string): Promise<void> {
  const expected = fromHex(reply);
  expect(toHex(await raw.command(hex, expected.length))).toBe(toHex(expected));
}

describe("virtual probe, frame by frame", () => {
  it("answers the opening sequence of a V3SET", async () => {
    raw = await openRaw();
    await expectReply("F5", "01 00");
    await expectReply("F1 80", "30 00 83 04 4F 37");
    await expectReply("FB 80", "03 01 0F 06 05 00 00 00 83 04 4F 37");
    const voltage = await raw.command("F7", 8);
    expect(Math.round((2 * word(voltage, 4) * 1200) / word(voltage, 0))).toBe(3300);
    await expectReply("F2 63 01", "40 00 00 00 00 00 00 00");
    await expectReply(
      "F2 62 00",
      `80 00 00 00 E4 0C 00 00 07 00 00 00 C0 5D 00 00 40 1F 00 00 E4 0C 00 00 E8 03 00 00 C8 00 00 00
       32 00 00 00 05 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00`,
    );
    await expectReply("F2 61 00 00 C0 5D 00 00", "80 00 00 00 C0 5D 00 00");
    await expectReply("F2 61 00 00 01 00 00 00", "08 00 00 00 00 00 00 00");
  });

  it("enters SWD, reads ids and the debug port, opens AP0 and moves memory", async () => {
    raw = await openRaw();
    await expectReply("F2 30 A3", "80 00");
    await expectReply("F5", "02 00");
    await expectReply("F2 31", "80 00 00 00 77 24 A0 6B 00 00 00 00");
    await expectReply("F2 45 FF FF 00 00", "80 00 00 00 77 24 A0 6B");
    await expectReply("F2 46 FF FF 00 00 1E 00 00 00", "80 00");
    await expectReply("F2 46 FF FF 04 00 00 00 00 50", "80 00");
    await expectReply("F2 45 FF FF 04 00", "80 00 00 00 00 00 00 F0");
    await expectReply("F2 45 FF FF 24 00", "80 00 00 00 41 00 50 04");
    await expectReply("F2 4B 00 00", "80 00");
    await expectReply("F2 45 00 00 FC 00", "80 00 00 00 01 00 77 84");
    await expectReply("F2 07 00 ED 00 E0 04 00", "71 C2 1F 41");
    await expectReply("F2 3E", "80 00 00 00 00 00 00 00 00 00 00 00");
    const data = Uint8Array.from({ length: 512 }, (_, i) => i);
    expect(await raw.write(0x20000000, data)).toEqual({ status: 0x80, at: 0 });
    expect(toHex((await raw.read(0x20000000, 512)).data)).toBe(toHex(data));
    await expectReply("F2 36 00 ED 00 E0 00", "80 00 00 00 71 C2 1F 41");
    await expectReply("F2 4C 00", "80 00");
    await raw.command("F2 21");
    await expectReply("F5", "01 00");
  });

  it("leaves TAR behind a block, and at the refused access of one that failed", async () => {
    raw = await openRaw();
    await raw.enter();
    const tar = "F2 45 00 00 04 00";
    await raw.read(0x24000100, 64);
    await expectReply(tar, "80 00 00 00 40 01 00 24");
    await raw.write(0x240003f0, new Uint8Array(16));
    await expectReply(tar, "80 00 00 00 00 00 00 24"); // the increment wraps within 1 KiB
    expect(await raw.read(0x2407fffc, 8)).toMatchObject({ status: 0x11, at: 0x24080000 });
    await raw.command("F2 46 FF FF 00 00 04 00 00 00", 2); // ABORT: STKERRCLR
    await expectReply(tar, "80 00 00 00 00 00 08 24");
  });

  it("runs an RW_MISC batch", async () => {
    raw = await openRaw();
    await raw.enter();
    await raw.command("F2 51 05 00 00 00");
    await raw.port.send(
      fromHex("05 03 01 02 03 00 00 00 00 00 00 00 00 ED 00 E0 F0 ED 00 E0 03 00 5F A0 F0 ED 00 E0"),
      1000,
    );
    const reply = await raw.command("F2 52", 40);
    expect(word(reply, 4)).toBe(0x411fc271);
    expect(word(reply, 16) & 0x30003).toBe(0x30003);
    expect(toHex(reply.subarray(20))).toBe("80000000".repeat(5));
    expect(word(await raw.command("F2 53", 2).then((b) => Uint8Array.of(...b, 0, 0)), 0)).toBe(1227);
  });

  it("reports a fault with its address and garbage data, and works on", async () => {
    raw = await openRaw();
    await raw.enter();
    const fault = await raw.read(0x2001fff8, 16);
    expect(fault).toMatchObject({ status: 0x11, at: 0x20020000 });
    expect(fault.data.length).toBe(16);
    expect(word(await raw.command("F2 45 FF FF 04 00", 8), 4) & 0x20).toBe(0x20);
    await raw.command("F2 46 FF FF 00 00 1E 00 00 00", 2);
    expect(word(await raw.command("F2 45 FF FF 04 00", 8), 4) & 0x20).toBe(0);
    expect((await raw.read(0x20000000, 16)).status).toBe(0x80);
  });

  it("moves bytes, halfwords and FIFO words, and returns a single byte as two", async () => {
    raw = await openRaw();
    await raw.enter();
    expect((await raw.write(0x24000001, Uint8Array.of(0x11, 0x22, 0x33), 0x0d)).status).toBe(0x80);
    expect((await raw.read(0x24000002, 1, 0x0c)).data).toEqual(Uint8Array.of(0x22, 0));
    expect((await raw.write(0x24000004, Uint8Array.of(1, 2, 3, 4), 0x48)).status).toBe(0x80);
    expect((await raw.read(0x24000004, 4, 0x47)).data).toEqual(Uint8Array.of(1, 2, 3, 4));
    await raw.write(0x24000010, Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0), 0x50);
    expect((await raw.read(0x24000010, 8, 0x54)).data).toEqual(Uint8Array.of(2, 0, 0, 0, 2, 0, 0, 0));
  });

  it("refuses what firmware refuses", async () => {
    raw = await openRaw();
    await raw.enter();
    expect((await raw.read(0x24000002, 4)).status).toBe(0x0a);
    expect((await raw.read(0x24000000, 6148)).status).toBe(0x08);
    expect((await raw.read(0x24000000, 516, 0x0c)).status).toBe(0x08);
    expect(await raw.status("F2 4B 03")).toBe(0x1d);
    expect(await raw.status("F2 45 01 00 00 00", 8)).toBe(0x1d);
    expect(await raw.status("F2 45 01 00 FC 00", 8)).toBe(0x80);
    expect(await raw.status("F2 99")).toBe(0x42);
    expect(await raw.status("F2 33 00", 8)).toBe(0x81);
    expect(await raw.status("F2 4C 05")).toBe(0x1d);
  });

  it("throws on a command sent over a waiting reply, and stalls when not strict", async () => {
    raw = await openRaw();
    await raw.command("F5");
    await expect(raw.command("F1")).rejects.toThrow(RangeError);
    expect(raw.bench.violations()).toEqual(["a command while a reply has not been fetched"]);
    await raw.bench.close();
    raw = await openRaw("virtual:h753", { strict: false });
    await raw.command("F5");
    await expect(raw.command("F1")).rejects.toMatchObject({ code: "USB_STALL" });
    expect(await raw.status("F5")).toBe(1);
  });

  it("takes data of exactly the announced length, in one or more transfers", async () => {
    raw = await openRaw();
    await raw.enter();
    await raw.command("F2 08 00 00 00 24 08 00");
    await raw.port.send(Uint8Array.of(1, 2, 3, 4), 1000);
    await raw.port.send(Uint8Array.of(5, 6, 7, 8), 1000);
    expect((await raw.read(0x24000000, 8)).data).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    await raw.command("F2 08 00 00 00 24 08 00");
    await expect(raw.port.send(new Uint8Array(12), 1000)).rejects.toThrow(RangeError);
  });

  it("stalls commands for a target outside debug mode", async () => {
    raw = await openRaw();
    await raw.command("F2 22");
    await expect(raw.port.receive(4, 1000)).rejects.toMatchObject({ code: "USB_STALL" });
    expect(await raw.status("F5")).toBe(1);
    await raw.command("F2 08 00 00 00 24 08 00");
    await expect(raw.port.send(new Uint8Array(8), 1000)).rejects.toMatchObject({ code: "USB_STALL" });
    expect(await raw.status("F5")).toBe(1);
    expect(raw.bench.violations()).toEqual([]);
  });

  it("times out where nothing comes, overflows where more comes, waits for a short packet that never comes", async () => {
    raw = await openRaw();
    await expect(raw.port.receive(64, 250)).rejects.toMatchObject({ code: "USB_TIMEOUT" });
    expect(raw.bench.modelledMs()).toBeGreaterThanOrEqual(250);
    await raw.command("F1");
    await expect(raw.port.receive(2, 1000)).rejects.toMatchObject({ code: "USB_OVERFLOW" });
    await raw.enter();
    await raw.command("F2 07 00 00 00 24 00 02");
    await expect(raw.port.receive(1024, 1000)).rejects.toMatchObject({ code: "USB_TIMEOUT" });
  });
});

describe("personalities", () => {
  it("a V2 begins in DFU mode, tells its version in six bytes and takes divisors", async () => {
    raw = await openRaw("virtual:h753,probe=v2");
    await expectReply("F5", "00 00");
    await raw.command("F7");
    await expect(raw.port.receive(8, 1000)).rejects.toMatchObject({ code: "USB_STALL" });
    await raw.command("F3 07");
    await expectReply("F5", "01 00");
    await expectReply("F1", "2B 47 83 04 48 37");
    await expectReply("F2 43 00 00", "80 00");
    await expectReply("F2 43 04 00", "08 00");
    await expectReply("F2 61 00 00 C0 5D 00 00", "42 00");
    await raw.enter();
    expect((await raw.read(0x24000000, 65, 0x0c)).status).toBe(0x08);
  });

  it("tells V2J45M31, V2J17S4 and V3J7", async () => {
    raw = await openRaw("virtual:h753,probe=v2-1");
    await expectReply("F1", "2B 5F 83 04 4B 37");
    await raw.bench.close();
    raw = await openRaw("virtual:h753,probe=v2-j17");
    await expectReply("F1", "24 44 83 04 48 37");
    await expectReply("F2 43 01 00", "42 00");
    await raw.bench.close();
    raw = await openRaw("virtual:h753,probe=v3-j7");
    expect((await raw.command("FB", 12))[2]).toBe(7);
    await raw.enter();
    expect((await raw.read(0x24000000, 256, 0x0c)).status).toBe(0x08);
    expect((await raw.read(0x24000000, 255, 0x0c)).status).toBe(0x80);
  });

  it("V2J28 misreports CLOSE_AP and does not insist on INIT_AP", async () => {
    raw = await openRaw("virtual:h753,probe=v2-j28");
    await raw.command("F2 30 A3", 2);
    expect((await raw.read(0x24000000, 4)).status).toBe(0x80);
    await raw.command("F2 4B 00", 2);
    expect(await raw.status("F2 4C 00")).toBe(0x1d);
  });
});

describe("timing", () => {
  it("writes 512 KiB of RAM on a V3 at 24 MHz at 80 to 97 % of what 46 clocks a word allow", async () => {
    raw = await openRaw();
    await raw.command("F2 61 00 00 C0 5D 00 00", 8);
    await raw.enter();
    const block = new Uint8Array(6144);
    const begin = raw.bench.modelledMs();
    for (let at = 0; at < 0x80000; at += 6144) {
      const { status } = await raw.write(0x24000000 + at, block.subarray(0, Math.min(6144, 0x80000 - at)));
      expect(status).toBe(0x80);
    }
    const idealMs = ((0x80000 / 4) * 46) / 24000;
    const share = idealMs / (raw.bench.modelledMs() - begin);
    expect(share).toBeGreaterThan(0.8);
    expect(share).toBeLessThan(0.97);
  });

  it("costs a V2-1 a frame for every transfer", async () => {
    raw = await openRaw("virtual:h753,probe=v2-1");
    await raw.command("F5", 2);
    expect(raw.bench.modelledMs()).toBeCloseTo(2, 5);
    expect(raw.bench.transfers()).toEqual({ count: 2, bytesOut: 16, bytesIn: 2 });
  });
});
