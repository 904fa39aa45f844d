import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openStlink } from "../../../drivers/stlink/probe.ts";
import { type ListingEntry, listing } from "../../../drivers/trace/decode/listing.ts";
import type { TraceRecord } from "../../../drivers/trace/format.ts";
import { fromHex } from "../../../src/bytes/hex.ts";
import { projectRoot } from "../../support/sample-job.ts";
import { script } from "../stlink/support/scripted-port.ts";
import { inspect, recordOnBench, replayWithClock, traceOf } from "./support/inspecting.ts";

/** Synthetic: written by hand from public descriptions of the protocol, never on a wire. */
const goldenText = readFileSync(join(projectRoot, "test/fixtures/golden-v3.trace.ndjson"), "utf8");

/** A script of test/drivers/stlink as the records of a trace. */
function records(text: string): TraceRecord[] {
  return script(text).map((step, index): TraceRecord => {
    const place = { n: index + 1, t: index, phase: "start" };
    if (step.kind === "out") return { ...place, op: "send", data: step.bytes };
    if (step.kind === "in") return { ...place, op: "receive", size: step.bytes.length, data: step.bytes };
    const failure = { code: "USB_TIMEOUT", parameters: {} } as const;
    return { ...place, op: "receive", size: 64, failure };
  });
}

const show = (text: string): ListingEntry[] => [...listing(records(text))];

describe("listing", () => {
  it("of the golden trace: every transfer belongs to a known command", async () => {
    const trace = await traceOf(goldenText);
    const entries = [...listing(trace.records)];
    expect(entries.reduce((sum, { transfers }) => sum + transfers, 0)).toBe(trace.records.length);
    expect(entries.map(({ command }) => command).filter((name) => /stray|UNKNOWN/.test(name))).toEqual([]);
  });

  it("of an inspection: every command is known and none ends badly", async () => {
    const trace = await traceOf((await recordOnBench(inspect)).text);
    for (const { command, status = "OK", error } of listing(trace.records)) {
      expect(command).not.toMatch(/stray|UNKNOWN/);
      expect(["OK", "CONF_CHANGED"]).toContain(status);
      expect(error).toBeUndefined();
    }
  });

  it("names statuses, registers and their bits", () => {
    expect(
      show(`
        > F2 46 FF FF 00 00 1E
        < 80 00
        > F2 45 FF FF 04 00
        < 80 00 00 00 20 00 00 F0
        > F2 45 00 00 00 00
        < 1D 00 00 00 00 00 00 00
        > F2 36 F0 ED 00 E0 01
        < 80 00 00 00 03 00 03 02
        > F2 35 0C ED 00 E0 04 00 FA 05 00
        < 80 00
        > F2 33 0F
        < 80 00 00 00 01 02 00 08
      `).map(({ status, meaning }) => [status, ...meaning]),
    ).toEqual([
      ["OK", "DP write ABORT = 0x0000001E (ORUNERRCLR WDERRCLR STKERRCLR STKCMPCLR)"],
      [
        "OK",
        "DP read CTRL/STAT = 0xF0000020 (CSYSPWRUPACK CSYSPWRUPREQ CDBGPWRUPACK CDBGPWRUPREQ STICKYERR)",
      ],
      ["BAD_AP (0x1D)", "AP0 read CSW = 0x00000000"],
      ["OK", "AP1 read DHCSR (0xE000EDF0) = 0x02030003 (S_RESET_ST S_HALT S_REGRDY C_HALT C_DEBUGEN)"],
      ["OK", "AP0 write AIRCR (0xE000ED0C) = 0x05FA0004 (SYSRESETREQ)"],
      ["OK", "core read PC = 0x08000201"],
    ]);
  });

  it("warns of bytes that a failed access read", () => {
    const entries = show(`
      > F2 07 00 00 10 20 04
      < 00 00 00 00
      > F2 3E
      < 11 00 00 00 00 00 10 20 00 00 00 00
    `);
    expect(entries[1]).toMatchObject({
      status: "AP_FAULT (0x11)",
      reply: { faultAddress: "0x20100000" },
      meaning: ["the memory access before this failed; bytes it read mean nothing"],
    });
  });

  it("follows the operations of a batch to their values and failures", () => {
    const [out, back] = show(`
      > F2 51 05
      >> 05 03 01 02 03 00 00 00  02 00 00 00  00 ED 00 E0  00 00 00 24  78 56 34 12  04 00 00 24
      > F2 52
      < 00 00 00 00 14 D2 0F 41 00 00 00 00 00 00 00 00 00 00 00 00  80 00 00 00 80 00 00 00 80 00 00 00 80 00 00 00 11 00 00 00
    `);
    expect(out).toMatchObject({
      command: "RW_MISC_OUT",
      transfers: 2,
      meaning: ["AP2 write 0x24000000 = 0x12345678"],
    });
    expect(back).toMatchObject({
      command: "RW_MISC_IN",
      meaning: [
        "AP2 read CPUID (0xE000ED00) = 0x410FD214",
        "AP2 read 0x24000004 = 0x00000000",
        "operation 4 of RW_MISC: AP_FAULT",
      ],
    });
  });

  it("keeps commands apart from data that look like them, and from what belongs to none", () => {
    const looksLikeACommand = `F5 ${"00 ".repeat(15)}`;
    expect(
      show(`
        > F2 08 00 00 00 24 10
        >> ${looksLikeACommand}
        > F2 3E
        < 80 00 00 00 00 00 00 00 00 00 00 00
        drain
        >> 01 02 03
        < 99
        > F2 77
        < 42 00
        > F5
        drain
        > F1
        < 30 00
      `).map(({ command, error, reply }) => [command, error, Object.values(reply).join(" ")]),
    ).toEqual([
      ["WRITEMEM_32", undefined, ""],
      ["GETLASTRWSTATUS2", undefined, ""],
      ["stray IN", "USB_TIMEOUT", ""],
      ["stray OUT", undefined, "3 010203"],
      ["stray IN", undefined, "1 99"],
      ["UNKNOWN_F2_77", undefined, "2 4200"],
      ["GET_CURRENT_MODE", "USB_TIMEOUT", ""],
      ["GET_VERSION", undefined, "2 of 6 bytes"],
    ]);
  });

  it("loses no transfer, whatever they are", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ minLength: 14, maxLength: 14 }).map((rest) => Uint8Array.from([0xf2, ...rest, 0])),
      fc
        .tuple(fc.constantFrom(0x08, 0x51, 0x52, 0x07, 0x45), fc.nat({ max: 60 }))
        .map(([operation, size]) => {
          const frame = new Uint8Array(16);
          frame.set([0xf2, operation, size, 0, 0, 0, size]);
          return frame;
        }),
    );
    const transfer = fc.tuple(fc.boolean(), bytes);
    fc.assert(
      fc.property(fc.array(transfer, { maxLength: 30 }), (transfers) => {
        const list = transfers.map(
          ([out, data], i): TraceRecord => ({
            n: i + 1,
            t: i,
            phase: "",
            ...(out ? { op: "send", data } : { op: "receive", size: data.length, data }),
          }),
        );
        const entries = [...listing(list)];
        expect(entries.reduce((sum, { transfers: count }) => sum + count, 0)).toBe(list.length);
      }),
    );
  });
});

describe("the golden trace", () => {
  it("is what the driver sends today", async () => {
    const { opener, clock } = replayWithClock(await traceOf(goldenText));
    const pattern = Uint8Array.from({ length: 512 }, (_, i) => i & 0xff);
    const probe = await openStlink(opener, clock);
    expect(probe.identity).toMatchObject({ kind: "replay", real: false, firmware: "V3J15M6B5S1" });
    expect(await probe.readTargetMillivolts()).toBe(3560);
    await probe.setClock(24000);
    const port = await probe.enterSwd();
    await port.readDp(0x00);
    await port.writeDp(0x00, 0x1e);
    await port.writeDp(0x04, 0x50000000);
    await port.readDp(0x04);
    await port.openAp(0);
    await port.readAp(0, 0xfc);
    const memory = port.memory(0);
    expect(await memory.read(0xe000ed00, 4)).toEqual(fromHex("14d20f41"));
    await memory.write(0x20000000, pattern);
    await port.memory(1, 0xab000000).write(0x30000000, pattern);
    await port.memory(1, 0x43000010).read(0x30000000, 64);
    await memory.readWord(0xe000ed00);
    await memory.writeWord(0xe000edf0, 0xa05f0003);
    await memory.batch([
      { kind: "read", address: 0xe000ed00 },
      { kind: "write", address: 0xe000edf0, value: 0xa05f0003 },
      { kind: "read", address: 0xe000edf0 },
    ]);
    await expect(memory.read(0x20100000, 16)).rejects.toMatchObject({ code: "TARGET_FAULT" });
    await memory.read(0xe000ed00, 4);
    await port.closeAp(0);
    await probe.close();
    opener.finish();
  });
});
