import { describe, expect, it } from "vitest";
import { openStlink } from "../../../drivers/stlink/probe.ts";
import { openVirtualBench, parseVirtualSelector } from "../../../drivers/virtual/bench.ts";

describe("the station's own driver on the virtual probe", () => {
  it.each(["v3", "v3e", "v2-1", "v2"])("moves RAM through a %s", async (probeName) => {
    const bench = await openVirtualBench(parseVirtualSelector(`virtual:h753,probe=${probeName}`));
    const probe = await openStlink(bench.opener, bench.clock);
    await probe.setClock(24_000);
    const port = await probe.enterSwd();
    await port.writeDp(0x00, 0x1e);
    await port.writeDp(0x04, 0x50000000);
    await port.openAp(0);
    const memory = port.memory(0);
    const data = Uint8Array.from({ length: 20_001 }, (_, i) => i * 7);
    await memory.write(0x24000001, data);
    expect(await memory.read(0x24000001, data.length)).toEqual(data);
    await expect(memory.read(0x24080000, 4)).rejects.toMatchObject({ code: "TARGET_FAULT" });
    expect(await memory.readWord(0x5c001000)).toBe(0x20036450);
    expect(bench.violations()).toEqual([]);
    await probe.close();
    await bench.close();
  });

  it.each(["v2-j17", "v2-j28", "v3-j7"])("refuses or warns about a %s", async (probeName) => {
    const bench = await openVirtualBench(parseVirtualSelector(`virtual:h753,probe=${probeName}`));
    await expect(openStlink(bench.opener, bench.clock)).rejects.toMatchObject({ code: "PROBE_FIRMWARE_OLD" });
    await bench.close();
  });
});
