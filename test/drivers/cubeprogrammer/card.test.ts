import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { readCardInfo, readCounter, requestLicense } from "../../../drivers/cubeprogrammer/card.ts";
import { parseCardInfo } from "../../../drivers/cubeprogrammer/card-info.ts";
import { findTool } from "../../../drivers/cubeprogrammer/find.ts";
import { cardSource } from "../../../drivers/cubeprogrammer/source.ts";
import { isStationError, type StationError } from "../../../src/errors/station-error.ts";
import { sampleCertificate } from "../../support/license-samples.ts";
import { temporaryFolder } from "../../support/sfi.ts";
import { type Misbehavior, vendorStandIn } from "../../support/vendor-tool.ts";

const certificate = sampleCertificate();
const request = { certificate, packageDigest: "ab".repeat(32) };

async function errorOf(work: Promise<unknown>): Promise<StationError> {
  try {
    await work;
  } catch (error) {
    if (isStationError(error)) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

const sourceOf = (tool: ReturnType<typeof vendorStandIn>["tool"], firmwareId?: string) =>
  cardSource({ tool, slot: 1, firmwareId });

describe.skipIf(process.platform === "win32")("a card through STM32_Programmer_CLI", () => {
  it("gives a license for a certificate, once, without leaving anything behind", async () => {
    const { tool, calls, counter } = vendorStandIn({ counter: 12 });
    const before = leftovers();
    const license = await sourceOf(tool).issue(request);
    expect(license).toHaveLength(136);
    expect(counter()).toBe(11);
    const call = calls().find(([option]) => option === "-hsmgetlicensefromcertifbin")!;
    expect(call.slice(3)).toEqual(["slot=1", "protocol=static"]);
    expect(dirname(call[1]!)).not.toBe(tmpdir());
    expect(existsSync(dirname(call[1]!))).toBe(false);
    expect(leftovers()).toEqual(before);
  });

  it("tells state, counter and firmware id, colored or not, with a decimal comma", async () => {
    const expected = {
      counter: 2000,
      state: "OPERATIONAL_STATE",
      firmwareId: "FW_A",
      version: "2",
      type: "SFI",
    };
    for (const script of [{}, { color: true }, { counterText: "decimal-comma" }] as const) {
      const { tool } = vendorStandIn(script);
      expect(await readCardInfo({ tool, slot: 1 })).toEqual(expected);
    }
  });

  it("asks for what the overview leaves out", async () => {
    const { tool, calls } = vendorStandIn({ infoWithout: ["counter", "state", "firmwareId"] });
    expect(await readCardInfo({ tool, slot: 3 })).toMatchObject({ counter: 2000, firmwareId: "FW_A" });
    expect(calls()).toEqual(
      ["-hsmgetinfo", "-hsmgetcounter", "-hsmgetstatus", "-hsmgetfwid"].map((option) => [option, "slot=3"]),
    );
  });

  it("does not guess at a counter that could be two numbers", async () => {
    const { tool } = vendorStandIn({ counterText: "grouped" });
    expect((await errorOf(readCounter({ tool, slot: 1 }))).code).toBe("VENDOR_OUTPUT_UNCLEAR");
  });

  it.each([
    ["exit-0-without-file", "HSM_LICENSE_LOST", true],
    ["stale-file", "VENDOR_NO_LICENSE", false],
    ["short-file", "VENDOR_NO_LICENSE", false],
    ["fails", "VENDOR_TOOL_FAILED", false],
    ["fails-and-counts", "HSM_LICENSE_LOST", true],
    ["module-not-loaded", "VENDOR_MODULE_NOT_LOADED", false],
    ["not-started", "VENDOR_HSM_NOT_STARTED", false],
    ["session-lost", "VENDOR_HSM_SESSION_LOST", false],
    ["not-initialized", "VENDOR_HSM_NOT_INITIALIZED", false],
  ] as const satisfies readonly (readonly [Misbehavior, string, boolean])[])(
    "%s is %s",
    async (misbehavior, code, spent) => {
      const { tool } = vendorStandIn({ misbehavior });
      const error = await errorOf(sourceOf(tool).issue(request));
      expect([error.code, error.licenseSpent]).toEqual([code, spent]);
    },
  );

  it("a counter that fell although the tool failed is named with both values and the tool's reason", async () => {
    const { tool } = vendorStandIn({ counter: 7, misbehavior: "fails-and-counts" });
    const error = await errorOf(sourceOf(tool).issue(request));
    expect(error.parameters).toMatchObject({ before: 7, after: 6 });
    expect(error.message).toContain("HSM getting License Operation Failure");
    expect(error.toRecord().causes).toEqual(["VENDOR_TOOL_FAILED"]);
  });

  it("a success without a file is told apart by what it says", async () => {
    const { tool } = vendorStandIn({ misbehavior: "exit-0-without-file" });
    expect((await errorOf(requestLicense({ tool, slot: 1 }, certificate))).message).toContain(
      "no license file",
    );
  });

  it("keeps a license that was written although the tool complains about closing afterwards", async () => {
    const { tool } = vendorStandIn({ misbehavior: "complains-afterwards" });
    expect(await sourceOf(tool).issue(request)).toHaveLength(136);
  });

  it("a hang is ended with its children at the deadline", async () => {
    const { tool, childPid } = vendorStandIn({ misbehavior: "hangs-with-child" });
    const error = await errorOf(requestLicense({ tool, slot: 1, timeoutMs: 1500 }, certificate));
    expect(error.code).toBe("VENDOR_TOOL_HUNG");
    await expect.poll(() => alive(childPid()), { timeout: 10_000 }).toBe(false);
  });

  it("is not asked for anything when it could not be of use", async () => {
    const virtual = vendorStandIn();
    expect((await errorOf(sourceOf(virtual.tool).check(false))).code).toBe("LICENSE_GENUINE_ON_VIRTUAL");
    expect(virtual.calls()).toEqual([]);
    const cases = [
      [{ state: "OEM_STATE" }, undefined, "HSM_STATE_UNFIT"],
      [{ counter: 0 }, undefined, "HSM_EXHAUSTED"],
      [{ firmwareId: "FW_B" }, "FW_A", "HSM_FIRMWARE_ID_WRONG"],
    ] as const;
    for (const [script, wanted, code] of cases) {
      const { tool, calls } = vendorStandIn(script);
      expect((await errorOf(sourceOf(tool, wanted).check(true))).code).toBe(code);
      expect(calls().map(([option]) => option)).toEqual(["-hsmgetinfo"]);
    }
    await sourceOf(vendorStandIn().tool, "FW_A").check(true);
  });

  it("the station's own settings are not in its environment", async () => {
    process.env["SFI_LEDGER"] = "postgres://station:secret@host/ledger";
    try {
      const { tool, environment } = vendorStandIn();
      await readCardInfo({ tool, slot: 1 });
      expect(environment()["PATH"]).toBe(process.env["PATH"]);
      expect(JSON.stringify(environment())).not.toContain("secret@host");
    } finally {
      delete process.env["SFI_LEDGER"];
    }
  });

  it("is found on PATH, by its path and by its folder, or named as missing", () => {
    const { tool } = vendorStandIn();
    const env = { PATH: `relative:${tool.folder}`, HOME: temporaryFolder() };
    for (const given of [undefined, tool.file, tool.folder]) {
      expect(findTool("STM32_Programmer_CLI", given, env)).toEqual(tool);
    }
    expect(() => findTool("STM32_Programmer_CLI", undefined, { PATH: "", HOME: temporaryFolder() })).toThrow(
      /was not found: neither on PATH/,
    );
    expect(() => findTool("STM32_Programmer_CLI", join(tool.folder, "other"), {})).not.toThrow();
    expect(() => findTool("STM32_Programmer_CLI", temporaryFolder(), {})).toThrow(/looked at/);
  });
});

describe("parseCardInfo", () => {
  it("takes nothing from lines that are not about the card", () => {
    expect(parseCardInfo("Voltage     : 3,30V\nDevice ID   : 0x450\nST-LINK FW  : V3J15M6\n")).toEqual({});
  });

  it("goes by label, in any order and with any spacing", () => {
    const text =
      "HSM STATE:OEM STATE\n  HSM FW IDENTIFIER   :   my fw 1 \nCounter value = 17\nHSM Version : V1\n";
    expect(parseCardInfo(text)).toEqual({
      state: "OEM_STATE",
      firmwareId: "my fw 1",
      counter: 17,
      version: "1",
    });
  });
});

function leftovers(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith("sfi-license-"));
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
