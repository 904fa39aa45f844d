import { describe, expect, it } from "vitest";
import { openStlink } from "../../../drivers/stlink/probe.ts";
import type { ErrorCode } from "../../../src/errors/catalogue.ts";
import { manualClock } from "./support/manual-clock.ts";
import { enter, leave, openV2, openV3 } from "./support/openings.ts";
import { scriptedProbe } from "./support/scripted-port.ts";

function open(productId: number, ...parts: string[]) {
  const scripted = scriptedProbe(productId, ...parts);
  return { scripted, opening: openStlink(scripted.opener, manualClock()) };
}

describe("opening", () => {
  const modes = [
    { mode: "debug", found: "02", leave: "F2 21" },
    { mode: "SWIM", found: "03", leave: "F4 01" },
  ];
  it.each(modes)("leaves $mode mode", async ({ found, leave: command }) => {
    const { scripted, opening } = open(
      0x374f,
      openV3.replace("< 01 00", `< ${found} 00`),
      `> ${command}
       > F5
       < 01 00`,
    );
    await opening;
    scripted.done();
  });

  const refused: { title: string; productId: number; trace: string; code: ErrorCode; text: string }[] = [
    { title: "an ST-LINK/V1", productId: 0x3744, trace: "", code: "PROBE_UNSUPPORTED", text: "V1" },
    { title: "a V3 loader", productId: 0x374d, trace: "", code: "PROBE_UNSUPPORTED", text: "update mode" },
    { title: "a V3PWR loader", productId: 0x3755, trace: "", code: "PROBE_UNSUPPORTED", text: "update mode" },
    {
      title: "something that is no ST-LINK",
      productId: 0x5740,
      trace: "",
      code: "PROBE_UNSUPPORTED",
      text: "no ST-LINK",
    },
    {
      title: "a V2 stuck in update mode",
      productId: 0x3748,
      trace: `${openV2.replace("< 01 00", "< 00 00")}
        > F3 07
        > F5
        < 00 00`,
      code: "PROBE_UNSUPPORTED",
      text: "update mode",
    },
    {
      title: "a V2 with J28 (a real capture)",
      productId: 0x3748,
      trace: openV2.replace("2B 47", "27 07"),
      code: "PROBE_FIRMWARE_OLD",
      text: "V2J28S7; at least V2J37",
    },
    {
      title: "a V3 with J9",
      productId: 0x374f,
      trace: openV3.replace("03 01 0F", "03 01 09"),
      code: "PROBE_FIRMWARE_OLD",
      text: "V3J9M6B5S1; at least V3J10",
    },
    {
      title: "a probe that does not leave its mode",
      productId: 0x374f,
      trace: `${openV3.replace("< 01 00", "< 02 00")}
        > F2 21
        > F5
        < 02 00`,
      code: "PROBE_PROTOCOL",
      text: "still in mode 2",
    },
  ];
  it.each(refused)("refuses $title", async ({ productId, trace, code, text }) => {
    const { scripted, opening } = open(productId, trace);
    const error = await opening.then(
      () => undefined,
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ code, message: expect.stringContaining(text) });
    scripted.done();
    expect(scripted.closes()).toBe(trace === "" ? 0 : 1);
  });
});

describe("entering SWD", () => {
  it.each(["05", "09", "12", "16"])(
    "reports no answer on status %s and looks at the mode before the next try",
    async (status) => {
      const { scripted, opening } = open(
        0x374f,
        openV3,
        `> F2 30 A3
       < ${status} 00
       > F5
       < 02 00
       > F2 21`,
        enter,
      );
      const probe = await opening;
      await expect(probe.enterSwd()).rejects.toMatchObject({ code: "TARGET_NO_ANSWER" });
      await probe.enterSwd();
      scripted.done();
    },
  );

  it("reports no answer when the probe stalls the ids", async () => {
    const { scripted, opening } = open(
      0x374f,
      openV3,
      `> F2 30 A3
       < 80 00
       > F5
       < 02 00
       > F2 31
       ! in USB_STALL
       drain
       > F1 80
       < 30 00 83 04 4F 37
       > F2 31
       ! in USB_STALL
       drain
       > F1 80
       < 30 00 83 04 4F 37`,
    );
    const probe = await opening;
    await expect(probe.enterSwd()).rejects.toMatchObject({ code: "TARGET_NO_ANSWER" });
    scripted.done();
  });

  it("reports no answer on an all-zero DPIDR", async () => {
    const { opening } = open(0x374f, openV3, enter.replace("77 24 E1 0B", "00 00 00 00"));
    await expect((await opening).enterSwd()).rejects.toMatchObject({ code: "TARGET_NO_ANSWER" });
  });

  it("leaves debug mode before it enters again, and ends the earlier session", async () => {
    const { scripted, opening } = open(0x374f, openV3, enter, leave, enter);
    const probe = await opening;
    const earlier = await probe.enterSwd();
    await probe.enterSwd();
    await expect(earlier.readDp(0)).rejects.toMatchObject({ code: "TARGET_LINK_LOST" });
    await expect(earlier.memory(0).readWord(0)).rejects.toMatchObject({ code: "TARGET_LINK_LOST" });
    scripted.done();
  });
});

const driveLow = `
  > F2 3C 00
  < 80 00
`;
const driveHigh = `
  > F2 3C 01
  < 80 00
`;
const enterHeld = enter.replace("> F5", `${driveLow}\n> F5`);

describe("NRST", () => {
  it("is held low through an entry, also where the pin is refused before it", async () => {
    const { scripted, opening } = open(
      0x3748,
      openV2,
      driveLow.replace("< 80", "< 42"),
      enterHeld,
      driveHigh,
    );
    const probe = await opening;
    await probe.setNrst("low");
    await probe.enterSwd({ keepNrst: true });
    await probe.setNrst("high");
    scripted.done();
  });

  it("is not trusted to be held when the probe refuses in debug mode", async () => {
    const { opening } = open(0x374f, openV3, enter, driveLow.replace("< 80", "< 42"));
    const probe = await opening;
    await probe.enterSwd();
    await expect(probe.setNrst("low")).rejects.toMatchObject({
      code: "PROBE_COMMAND_FAILED",
      parameters: { command: "DRIVE_NRST", status: "0x42", name: "UNKNOWN_CMD" },
    });
  });

  it("is held through a re-entry: a V3 enters without leaving", async () => {
    const { scripted, opening } = open(0x374f, openV3, enter, driveLow, enterHeld);
    const probe = await opening;
    await probe.enterSwd();
    await probe.setNrst("low");
    await probe.enterSwd({ keepNrst: true });
    scripted.done();
  });

  it("is driven again at once on a V2, which has to leave", async () => {
    const { scripted, opening } = open(0x3748, openV2, enter, driveLow, leave, driveLow, enterHeld);
    const probe = await opening;
    await probe.enterSwd();
    await probe.setNrst("low");
    await probe.enterSwd({ keepNrst: true });
    scripted.done();
  });

  it("is released by an ordinary entry", async () => {
    const { scripted, opening } = open(0x374f, openV3, driveLow, driveHigh, enter);
    const probe = await opening;
    await probe.setNrst("low");
    await probe.enterSwd();
    scripted.done();
  });

  it("is released by closing", async () => {
    const { scripted, opening } = open(0x374f, openV3, driveLow, driveHigh);
    const probe = await opening;
    await probe.setNrst("low");
    await probe.close();
    scripted.done();
  });
});

describe("closing", () => {
  it("does not touch a target that was never entered", async () => {
    const { scripted, opening } = open(0x374f, openV3);
    await (await opening).close();
    scripted.done();
    expect(scripted.closes()).toBe(1);
  });

  it.each(["PROBE_LOST", "USB_TIMEOUT"])("is not stopped by %s", async (code) => {
    const { scripted, opening } = open(0x374f, openV3, enter, `! out ${code}`);
    const probe = await opening;
    await probe.enterSwd();
    await probe.close();
    scripted.done();
    expect(scripted.closes()).toBe(1);
    await expect(probe.readTargetMillivolts()).rejects.toMatchObject({ code: "INTERNAL" });
  });
});

describe("voltage", () => {
  it("is unknown when the reference sample is zero", async () => {
    const { opening } = open(0x374f, openV3, "> F7\n< 00 00 00 00 CA 08 00 00");
    expect(await (await opening).readTargetMillivolts()).toBeUndefined();
  });
});

describe("access ports and registers", () => {
  it("name the access port that is not open", async () => {
    const { opening } = open(0x374f, openV3, enter, "> F2 45 02 00 00 00\n< 1D 00 00 00 00 00 00 00");
    const port = await (await opening).enterSwd();
    await expect(port.readAp(2, 0)).rejects.toMatchObject({
      code: "ACCESS_PORT_REFUSED",
      parameters: { ap: 2 },
    });
  });

  it("name the register that faults, after clearing sticky errors", async () => {
    const { scripted, opening } = open(
      0x374f,
      openV3,
      enter,
      `> F2 46 01 00 0C 00 78 56 34 12
       < 19 00
       > F2 46 FF FF 00 00 1E
       < 80 00`,
    );
    const port = await (await opening).enterSwd();
    await expect(port.writeAp(1, 0x0c, 0x12345678)).rejects.toMatchObject({
      code: "TARGET_FAULT",
      parameters: { address: "AP1 register 0x0C" },
    });
    scripted.done();
  });

  it("report a lost link when even clearing is not answered", async () => {
    const { opening } = open(
      0x374f,
      openV3,
      enter,
      `> F2 45 FF FF 04 00
       < 15 00 00 00 00 00 00 00
       > F2 46 FF FF 00 00 1E
       < 16 00`,
    );
    const port = await (await opening).enterSwd();
    await expect(port.readDp(4)).rejects.toMatchObject({ code: "TARGET_LINK_LOST" });
  });

  it.each(["05", "09", "12", "13", "16", "17"])("report status %s as a lost link", async (status) => {
    const { opening } = open(0x374f, openV3, enter, `> F2 36 00 ED 00 E0\n< ${status} 00 00 00 00 00 00 00`);
    const port = await (await opening).enterSwd();
    await expect(port.memory(0).readWord(0xe000ed00)).rejects.toMatchObject({ code: "TARGET_LINK_LOST" });
  });
});
