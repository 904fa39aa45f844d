import { describe, expect, it } from "vitest";
import { openVirtualBench, parseVirtualSelector } from "../../../drivers/virtual/bench.ts";

describe("virtual selector", () => {
  it("takes chip and settings apart", () => {
    const text = "virtual:h753,uid=0102030405060708090A0b0c,state=a=b.bin,fault=f.json,probe=v2-1,link=model";
    expect(parseVirtualSelector(text)).toEqual({
      selector: text,
      chip: "h753",
      probe: "v2-1",
      uid: Uint8Array.from({ length: 12 }, (_, i) => i + 1),
      stateFile: "a=b.bin",
      faultFile: "f.json",
    });
    expect(parseVirtualSelector("virtual:0x450").chip).toBe("h753");
    expect(parseVirtualSelector("virtual:H743").chip).toBe("h743");
  });

  it.each([
    "virtual",
    "virtual:",
    "usb:123",
    "virtual:h753,state",
    "virtual:h753,state=",
    "virtual:h753,color=red",
    "virtual:h753,uid=12",
    "virtual:h753,probe=v9",
    "virtual:h753,link=wire",
    "virtual:h753,probe=v2,probe=v3",
  ])("refuses %s", (text) => {
    expect(() => parseVirtualSelector(text)).toThrow(expect.objectContaining({ code: "SELECTOR_INVALID" }));
  });

  it("names the chips there are", () => {
    expect(() => parseVirtualSelector("virtual:f103")).toThrow(/h753, h743/);
  });

  it("becomes the attachment", async () => {
    const selector = "virtual:h753,probe=v3e,serial=0123456789abcdef01234567";
    const bench = await openVirtualBench(parseVirtualSelector(selector));
    expect(bench.opener.attachment).toEqual({
      kind: "virtual",
      selector,
      vendorId: 0x0483,
      productId: 0x374e,
      serial: "0123456789ABCDEF01234567",
    });
    await bench.close();
    const other = await openVirtualBench(parseVirtualSelector("virtual:h743"));
    expect(other.opener.attachment.serial).toMatch(/^[0-9A-F]{24}$/);
    await other.close();
  });
});
