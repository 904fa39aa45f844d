import { describe, expect, it } from "vitest";
import { openStlink } from "../../../drivers/stlink/probe.ts";
import { manualClock } from "./support/manual-clock.ts";
import { enter, openV3 } from "./support/openings.ts";
import { scriptedProbe } from "./support/scripted-port.ts";

const version = `
  > F1 80
  < 30 00 83 04 4F 37
`;
const extended = `
  > FB 80
  < 03 01 0F 06 05 00 00 00 83 04 4F 37
`;

async function opened(...parts: string[]) {
  const scripted = scriptedProbe(0x374f, ...parts);
  const clock = manualClock();
  return { scripted, clock, probe: await openStlink(scripted.opener, clock) };
}

describe("a pipe out of step", () => {
  it("is noticed at opening: a stale reply that passes for a mode", async () => {
    const { scripted } = await opened(
      `> F5
       < 02 00        # left over from an earlier program
       > F1 80
       < 01 00        # the mode, one reply late
       < 30 00 83 04 4F 37
       drain`,
      version,
      version, // the request that failed, repeated
      extended,
      "> F5\n< 01 00", // the mode, now that it can be believed
    );
    scripted.done();
  });

  it("is noticed at opening: a stale reply that is too long", async () => {
    const { scripted } = await opened(
      `> F5
       ! in USB_OVERFLOW
       < 01 00
       drain`,
      version,
      "> F5\n< 01 00",
      version,
      extended,
      "> F5\n< 01 00",
    );
    scripted.done();
  });

  it("is put right after a time-out, and a request to the probe alone is repeated", async () => {
    const { scripted, probe } = await opened(
      openV3,
      `> F7
       ! in USB_TIMEOUT
       drain
       > F1 80
       < ED 05 00 00 CA 08 00 00   # the late reply
       < 30 00 83 04 4F 37
       drain`,
      version,
      "> F7\n< ED 05 00 00 CA 08 00 00",
    );
    expect(await probe.readTargetMillivolts()).toBe(3560);
    scripted.done();
  });

  it("is put right after a short reply to a write, which is not repeated", async () => {
    const { scripted, probe } = await opened(
      openV3,
      enter,
      `> F2 35 00 00 00 24 01
       < 80
       drain`,
      version,
      `> F2 36 00 00 00 24
       < 80 00 00 00 01 00 00 00`,
    );
    const memory = (await probe.enterSwd()).memory(0);
    await expect(memory.writeWord(0x24000000, 1)).rejects.toMatchObject({
      code: "PROBE_PROTOCOL",
      message: expect.stringContaining("1 bytes instead of 2"),
    });
    expect(await memory.readWord(0x24000000)).toBe(1);
    scripted.done();
  });

  it("repeats the status request of a memory command, not the command", async () => {
    const { scripted, probe } = await opened(
      openV3,
      enter,
      `> F2 08 00 00 00 24 04
       >> 01 02 03 04
       > F2 3E
       ! in USB_TIMEOUT
       drain`,
      version,
      `> F2 3E
       < 80 00 00 00 00 00 00 00 00 00 00 00`,
    );
    await (await probe.enterSwd()).memory(0).write(0x24000000, Uint8Array.of(1, 2, 3, 4));
    scripted.done();
  });

  it("is reset and opened anew when the version stays away; the error is the original one", async () => {
    const { scripted, clock, probe } = await opened(
      openV3,
      enter,
      `> F2 36 00 00 00 24
       ! in USB_TIMEOUT
       drain
       > F1 80
       ! in USB_TIMEOUT
       reset`,
      version,
      "> F5\n< 01 00",
      enter,
    );
    const port = await probe.enterSwd();
    await expect(port.memory(0).readWord(0x24000000)).rejects.toMatchObject({ code: "USB_TIMEOUT" });
    expect(clock.pauses).toEqual([1000]);
    // The reset probe has forgotten the session: nothing of it may be used, nothing is sent.
    await expect(port.readDp(0)).rejects.toMatchObject({ code: "TARGET_LINK_LOST" });
    await probe.enterSwd();
    scripted.done();
  });

  it("does not ask a reset probe how a memory command of its former life went", async () => {
    const { scripted, probe } = await opened(
      openV3,
      enter,
      `> F2 07 00 00 00 24 04
       < 00 00 00 00
       > F2 3E
       ! in USB_TIMEOUT
       drain
       ! out USB_TIMEOUT
       reset`,
      version,
    );
    const memory = (await probe.enterSwd()).memory(0);
    await expect(memory.read(0x24000000, 4)).rejects.toMatchObject({ code: "USB_TIMEOUT" });
    scripted.done();
  });

  it("stays broken when the reset does not help, with both errors told", async () => {
    const { scripted, probe } = await opened(
      openV3,
      `> F7
       ! in USB_TIMEOUT
       drain
       > F1 80
       ! in USB_TIMEOUT
       reset
       > F1 80
       ! in USB_TIMEOUT`,
    );
    const first = probe.readTargetMillivolts();
    await expect(first).rejects.toMatchObject({ code: "USB_TIMEOUT" });
    await expect(probe.readTargetMillivolts()).rejects.toMatchObject({ code: "USB_TIMEOUT" });
    scripted.done();
  });
});

describe("a stall", () => {
  it("of a command that needs the target means that the link is gone", async () => {
    const { scripted, probe } = await opened(
      openV3,
      enter,
      `> F2 36 00 00 00 24
       ! in USB_STALL
       drain`,
      version,
    );
    const port = await probe.enterSwd();
    await expect(port.memory(0).readWord(0x24000000)).rejects.toMatchObject({
      code: "TARGET_LINK_LOST",
      cause: { code: "USB_STALL" },
    });
    scripted.done();
  });
});

describe("a probe that is gone", () => {
  it("is said to be gone at once", async () => {
    const { scripted, probe } = await opened(openV3, "! out PROBE_LOST");
    await expect(probe.readTargetMillivolts()).rejects.toMatchObject({ code: "PROBE_LOST" });
    scripted.done();
  });

  it("is said to be gone when it goes during recovery, with what came before", async () => {
    const { scripted, probe } = await opened(openV3, "> F7\n! in USB_TIMEOUT\n! in PROBE_LOST");
    await expect(probe.readTargetMillivolts()).rejects.toMatchObject({
      code: "PROBE_LOST",
      cause: { code: "USB_TIMEOUT" },
    });
    scripted.done();
  });
});

describe("callers at the same time", () => {
  it("take turns", async () => {
    const { scripted, probe } = await opened(
      openV3,
      enter,
      `> F2 36 00 00 00 24
       < 80 00 00 00 01 00 00 00
       > F2 07 04 00 00 24 04
       < 02 00 00 00
       > F2 3E
       < 80 00 00 00 00 00 00 00 00 00 00 00
       > F2 36 08 00 00 24
       < 80 00 00 00 03 00 00 00`,
    );
    const memory = (await probe.enterSwd()).memory(0);
    const answers = [memory.readWord(0x24000000), memory.read(0x24000004, 4), memory.readWord(0x24000008)];
    expect(await Promise.all(answers)).toEqual([1, Uint8Array.of(2, 0, 0, 0), 3]);
    scripted.done();
  });
});
