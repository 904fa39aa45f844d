import { describe, expect, it } from "vitest";
import { capabilitiesOf, firmwareFloor } from "../../../drivers/stlink/capabilities.ts";
import { getExtendedVersion, getVersion } from "../../../drivers/stlink/frames.ts";
import { fromHex } from "../../../src/bytes/hex.ts";
import { attachment } from "./support/attachments.ts";

/** Capabilities from the bytes of the version replies. */
function capabilities(productId: number, version: string, extended?: string) {
  return capabilitiesOf(
    getVersion().unpack(fromHex(version)),
    extended === undefined ? undefined : getExtendedVersion().unpack(fromHex(extended)),
    attachment(productId),
  );
}

/** A V2 version reply. */
function v2(jtag: number, third: number): string {
  const word = (2 << 12) | (jtag << 6) | third;
  return `${word.toString(16)} 8304 4837`;
}

/** A V3 extended version reply. */
function v3(major: number, jtag: number): string {
  return `0${major} 01 ${jtag.toString(16).padStart(2, "0")} 06 05 00 00 00 8304 4F37`;
}
const v3Word = "3000 8304 4F37";

describe("capabilities", () => {
  it("name the firmware the way users do", () => {
    expect(capabilities(0x3748, v2(45, 7)).firmware).toBe("V2J45S7");
    expect(capabilities(0x374b, v2(45, 31)).firmware).toBe("V2J45M31");
    expect(capabilities(0x374f, v3Word, v3(3, 15)).firmware).toBe("V3J15M6B5S1");
    expect(capabilities(0x374e, v3Word, "03 00 0F 06 00 00 00 00 8304 4E37").firmware).toBe("V3J15M6");
    expect(capabilities(0x3757, "4000 8304 5737", "04 00 04 02 01 03 00 00 8304 5737").firmware).toBe(
      "V4J4M2B1P3",
    );
  });

  it.each([
    ["V2J36", 0x3748, v2(36, 7), undefined],
    ["V2J28 (captured)", 0x3748, "27 07 83 04 48 37", undefined],
    ["V3J9", 0x374f, v3Word, v3(3, 9)],
    ["V3 without its extended version", 0x374f, v3Word, undefined],
  ])("refuse %s", (_name, productId, version, extended) => {
    expect(() => capabilities(productId, version, extended)).toThrow(
      expect.objectContaining({ code: "PROBE_FIRMWARE_OLD" }),
    );
  });

  it("accept the floor itself, and major 4, which counts anew", () => {
    expect(firmwareFloor).toEqual({ v2: 37, v3: 10 });
    expect(capabilities(0x3748, v2(37, 7)).features.has("accessPortMustBeOpen")).toBe(true);
    expect(capabilities(0x374f, v3Word, v3(3, 10)).features.has("rwMisc")).toBe(true);
    expect(capabilities(0x3757, "4000 8304 5737", v3(4, 1)).features.has("rwMisc")).toBe(true);
  });

  it.each([
    [22, 7],
    [25, 8],
    [40, 12],
  ])("refuse a V2-1 that says M%iS%i: it programs STM8 only", (m, s) => {
    expect(() => capabilities(0x374b, v2(m, s))).toThrow(
      expect.objectContaining({ code: "PROBE_UNSUPPORTED" }),
    );
  });

  it("do not take a stand-alone V2J40S7 for an STM8 board", () => {
    expect(capabilities(0x3748, v2(40, 7)).product).toBe("ST-LINK/V2");
  });

  it("give each generation its clock command and its limits", () => {
    const two = capabilities(0x374b, v2(45, 31));
    const three = capabilities(0x374f, v3Word, v3(3, 15));
    expect([two.features.has("swdDivisor"), two.features.has("swdFrequency")]).toEqual([true, false]);
    expect([three.features.has("swdDivisor"), three.features.has("swdFrequency")]).toEqual([false, true]);
    expect(two.limits).toEqual({
      wordsBytes: 6144,
      byteReadBytes: 64,
      byteWriteBytes: 64,
      miscOperations: 64,
    });
    expect(three.limits).toEqual({
      wordsBytes: 6144,
      byteReadBytes: 128,
      byteWriteBytes: 512,
      miscOperations: 1227,
    });
  });

  it("work out an unknown product id from its version", () => {
    expect(capabilities(0x3760, v3Word, v3(3, 15)).product).toBe("ST-LINK (3760)");
  });
});

describe("version replies", () => {
  it.each(["0000 8304 4F37", "1000 8304 4437", "5000 8304 4F37", "3000 5555 4F37", "8000 0000 0000"])(
    "%s is none",
    (bytes) => {
      expect(() => getVersion().unpack(fromHex(bytes))).toThrow(
        expect.objectContaining({ code: "PROBE_PROTOCOL" }),
      );
    },
  );
});
