import { describe, expect, it } from "vitest";
import { openStlink } from "../../../drivers/stlink/probe.ts";
import { toHex } from "../../../src/bytes/hex.ts";
import { manualClock } from "./support/manual-clock.ts";
import { enter, leave, openV2, openV3 } from "./support/openings.ts";
import { scriptedProbe } from "./support/scripted-port.ts";

const pattern = Uint8Array.from({ length: 512 }, (_, i) => i & 0xff);
const patternHex = toHex(pattern);

const voltage = `
  > F7
  < ED 05 00 00 CA 08 00 00
`;
const clockV3 = `
  > F2 63 01
  < 40 00 00 00 00 00 00 00
  > F2 62 00
  < 80 00 00 00 E4 0C 00 00 07 00 00 00 C0 5D 00 00  40 1F 00 00 E4 0C 00 00 E8 03 00 00 C8 00 00 00  32 00 00 00 05 00 00 00 00 00 00 00 00 00 00 00  00 00 00 00
  > F2 61 00 00 C0 5D 00 00
  < 80 00 00 00 C0 5D 00 00
`;
const dpInit = `
  > F2 45 FF FF 00 00
  < 80 00 00 00 77 24 E1 0B
  > F2 46 FF FF 00 00 1E 00 00 00
  < 80 00
  > F2 46 FF FF 04 00 00 00 00 50
  < 80 00
  > F2 45 FF FF 04 00
  < 80 00 00 00 00 00 00 F0
`;
const ap0 = `
  > F2 4B 00 00
  < 80 00
  > F2 45 00 00 FC 00
  < 80 00 00 00 05 00 77 14
`;
const statusOk = `
  > F2 3E
  < 80 00 00 00 00 00 00 00 00 00 00 00
`;
const cpuId = `
  > F2 07 00 ED 00 E0 04 00 00 00 00 00
  < 14 D2 0F 41
  ${statusOk}
`;
const write512 = `
  > F2 08 00 00 00 20 00 02 00 00 00 00
  >> ${patternHex}
  ${statusOk}
`;
const variants = `
  > F2 08 00 00 00 30 00 02 01 00 00 AB   # secure, AP1
  >> ${patternHex}
  ${statusOk}
  > F2 07 00 00 00 30 40 00 01 00 00 43   # non-secure, AP1, 64 bytes
  < ${patternHex.slice(0, 128)}
  ${statusOk}
  > F2 36 00 ED 00 E0 00
  < 80 00 00 00 14 D2 0F 41
  > F2 35 F0 ED 00 E0 03 00 5F A0 00
  < 80 00
`;
const misc = `
  > F2 53
  < CB 04
  > F2 51 05 00 00 00
  >> 05 03 01 02 03 00 00 00  00 00 00 00  00 ED 00 E0  F0 ED 00 E0  03 00 5F A0  F0 ED 00 E0
  > F2 52
  < 00 00 00 00  14 D2 0F 41  00 00 00 00  00 00 00 00  03 00 03 00  80 00 00 00  80 00 00 00  80 00 00 00  80 00 00 00  80 00 00 00
`;
const fault = `
  > F2 07 00 00 10 20 10 00 00 00 00 00
  < 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
  > F2 3E
  < 11 00 00 00 00 00 10 20 00 00 00 00
  > F2 46 FF FF 00 00 1E 00 00 00
  < 80 00
`;
const wait = `
  > F2 07 00 ED 00 E0 04 00 00 00 00 00
  < 00 00 00 00
  > F2 3E
  < 10 00 00 00 00 00 00 00 00 00 00 00
  ${cpuId}
`;
const close = `
  > F2 4C 00
  < 80 00
  ${leave}
`;

describe("golden trace, byte for byte", () => {
  it("on a V3", async () => {
    const scripted = scriptedProbe(
      0x374f,
      ...[openV3, voltage, clockV3, enter, dpInit, ap0, cpuId, write512, variants, misc, fault, wait, close],
    );
    const clock = manualClock();
    const probe = await openStlink(scripted.opener, clock);
    expect(probe.identity).toEqual({
      ...scripted.opener.attachment,
      product: "STLINK-V3",
      firmware: "V3J15M6B5S1",
      real: false,
    });
    expect(await probe.readTargetMillivolts()).toBe(3560);
    expect(await probe.setClock(24000)).toBe(24000);
    const port = await probe.enterSwd();
    expect(scripted.transfers()).toBeLessThanOrEqual(26);

    expect(await port.readDp(0x00)).toBe(0x0be12477);
    await port.writeDp(0x00, 0x1e);
    await port.writeDp(0x04, 0x50000000);
    expect(await port.readDp(0x04)).toBe(0xf0000000);
    await port.openAp(0);
    expect(await port.readAp(0, 0xfc)).toBe(0x14770005);

    const memory = port.memory(0);
    expect(toHex(await memory.read(0xe000ed00, 4))).toBe("14d20f41");
    await memory.write(0x20000000, pattern);
    await port.memory(1, 0xab000000).write(0x30000000, pattern);
    expect(await port.memory(1, 0x43000010).read(0x30000000, 64)).toEqual(pattern.subarray(0, 64));
    expect(await memory.readWord(0xe000ed00)).toBe(0x410fd214);
    await memory.writeWord(0xe000edf0, 0xa05f0003);
    expect(
      await memory.batch([
        { kind: "read", address: 0xe000ed00 },
        { kind: "write", address: 0xe000edf0, value: 0xa05f0003 },
        { kind: "read", address: 0xe000edf0 },
      ]),
    ).toEqual([0x410fd214, 0x00030003]);
    await expect(memory.read(0x20100000, 16)).rejects.toMatchObject({
      code: "TARGET_FAULT",
      parameters: { address: "0x20100000" },
    });
    expect(toHex(await memory.read(0xe000ed00, 4))).toBe("14d20f41");
    expect(clock.pauses).toEqual([1]);

    await port.closeAp(0);
    await probe.close();
    await probe.close();
    scripted.done();
    expect(scripted.closes()).toBeGreaterThan(0);
  });

  it("on a V2 found in DFU mode", async () => {
    const scripted = scriptedProbe(
      0x3748,
      `
      > F5
      < 00 00
      > F1 80
      < 2B 47 83 04 48 37
      > F3 07
      > F5
      < 01 00
      ${voltage}
      > F2 43 00 00
      < 80 00
      `,
      ...[enter, dpInit, ap0, cpuId, write512, variants, fault, wait, close],
    );
    const probe = await openStlink(scripted.opener, manualClock());
    expect(probe.identity.firmware).toBe("V2J45S7");
    expect(probe.identity.product).toBe("ST-LINK/V2");
    expect(await probe.readTargetMillivolts()).toBe(3560);
    expect(await probe.setClock(4000)).toBe(4000);
    const port = await probe.enterSwd();
    expect(scripted.transfers()).toBeLessThanOrEqual(26);
    await port.readDp(0x00);
    await port.writeDp(0x00, 0x1e);
    await port.writeDp(0x04, 0x50000000);
    await port.readDp(0x04);
    await port.openAp(0);
    await port.readAp(0, 0xfc);
    const memory = port.memory(0);
    await memory.read(0xe000ed00, 4);
    await memory.write(0x20000000, pattern);
    await port.memory(1, 0xab000000).write(0x30000000, pattern);
    await port.memory(1, 0x43000000).read(0x30000000, 64);
    await memory.readWord(0xe000ed00);
    await memory.writeWord(0xe000edf0, 0xa05f0003);
    await expect(memory.read(0x20100000, 16)).rejects.toMatchObject({ code: "TARGET_FAULT" });
    await memory.read(0xe000ed00, 4);
    await port.closeAp(0);
    await probe.close();
    scripted.done();
  });

  it("costs an idle V2 no more than this before SWD is entered", async () => {
    const scripted = scriptedProbe(0x3748, openV2, voltage, "> F2 43 01 00\n< 80 00", enter);
    const probe = await openStlink(scripted.opener, manualClock());
    await probe.readTargetMillivolts();
    expect(await probe.setClock(2000)).toBe(1800);
    await probe.enterSwd();
    scripted.done();
    expect(scripted.transfers()).toBe(14);
  });
});
