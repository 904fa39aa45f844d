import { describe, expect, it } from "vitest";
import { selectProbe, type UsbAttachment, usbPath, withSelectors } from "../../../drivers/stlink/select.ts";

function found(path: string, serial: string, productId = 0x374f): Omit<UsbAttachment, "selector"> {
  return { kind: "usb", vendorId: 0x0483, productId, serial, path };
}
const a = found("1-2", "0035003B3338510A34353935");
const b = found("1-3.4", "57FF72067265575742132067", 0x3748);
const clones = [found("2-1", "CLONE"), found("2-2", "CLONE"), found("2-3", "")];
const loader = found("3-1", "", 0x374d);

describe("selectors", () => {
  it("are serial numbers where those tell probes apart, else places on the bus", () => {
    expect(withSelectors([a, b, ...clones]).map((probe) => probe.selector)).toEqual([
      "usb:0035003B3338510A34353935",
      "usb:57FF72067265575742132067",
      "usb@2-1",
      "usb@2-2",
      "usb@2-3",
    ]);
  });

  it("write ports with dots", () => {
    expect(usbPath(1, [3, 4, 1])).toBe("1-3.4.1");
  });

  it("each select their own probe", () => {
    const probes = withSelectors([a, b, ...clones]);
    for (const probe of probes) expect(selectProbe(probes, probe.selector)).toBe(probe);
  });
});

describe("selectProbe", () => {
  const both = withSelectors([a, b]);

  it("takes the only probe, passing over loaders", () => {
    expect(selectProbe(withSelectors([a, loader]), undefined).path).toBe("1-2");
    expect(selectProbe(withSelectors([loader]), undefined).path).toBe("3-1");
  });

  it("takes any spelling of a serial number, and a place for a probe that has one", () => {
    expect(selectProbe(both, "usb:W%FFr%06reWWB%13%20g").path).toBe("1-3.4");
    expect(selectProbe(both, "usb:0035003b3338510a34353935").path).toBe("1-2");
    expect(selectProbe(both, "usb@1-3.4").path).toBe("1-3.4");
  });

  it("lists the probes when there are several", () => {
    expect(() => selectProbe(both, undefined)).toThrow(
      expect.objectContaining({
        code: "PROBE_AMBIGUOUS",
        parameters: { count: 2, selectors: "usb:0035003B3338510A34353935, usb:57FF72067265575742132067" },
      }),
    );
    expect(() => selectProbe(withSelectors(clones), "usb:CLONE")).toThrow(
      expect.objectContaining({
        code: "PROBE_AMBIGUOUS",
        parameters: { count: 2, selectors: "usb@2-1, usb@2-2" },
      }),
    );
  });

  it.each([undefined, "usb:0035003B3338510A34353936", "usb@1-2.1"])("finds nothing for %s", (selector) => {
    expect(() => selectProbe(selector === undefined ? [] : both, selector)).toThrow(
      expect.objectContaining({ code: "PROBE_NOT_FOUND" }),
    );
  });

  it.each(["", "usb:", "usb@", "usb@1", "usb@1-", "usb@1-2..3", "0035003B3338510A34353935", "USB:1"])(
    "does not understand %j",
    (selector) => {
      expect(() => selectProbe(both, selector)).toThrow(
        expect.objectContaining({ code: "SELECTOR_INVALID" }),
      );
    },
  );

  it("names what keeps a probe closed when it may be the one that is meant", () => {
    const closed = { ...found("1-9", ""), selector: "usb@1-9", obstacle: "USB_PERMISSION" as const };
    expect(() => selectProbe([closed], "usb:0123456789ABCDEF01234567")).toThrow(
      expect.objectContaining({ code: "USB_PERMISSION" }),
    );
  });
});
