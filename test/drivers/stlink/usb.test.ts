import { describe, expect, it } from "vitest";
import { debugEndpoints, stlinkProduct, stlinkProducts } from "../../../drivers/stlink/ids.ts";
import { usbError } from "../../../drivers/stlink/usb-errors.ts";
import { type ClaimedDevice, usbBulkPort } from "../../../drivers/stlink/usb-port.ts";

/** An error as the `usb` package throws it. */
function usbFailure(errno: number): Error {
  return Object.assign(new Error(`errno ${errno}`), { errno });
}

describe("libusb errors", () => {
  const context = { stage: "transfer", probe: "usb@1-2", transfer: "IN 6 bytes", timeoutMs: 6000 } as const;
  it.each([
    [1, "USB_IO"],
    [2, "USB_TIMEOUT"],
    [3, "USB_IO"],
    [4, "USB_STALL"],
    [5, "PROBE_LOST"],
    [6, "USB_OVERFLOW"],
    [-1, "USB_IO"],
    [-3, "USB_PERMISSION"],
    [-4, "PROBE_LOST"],
    [-5, "PROBE_LOST"],
    [-6, "PROBE_BUSY"],
    [-7, "USB_TIMEOUT"],
    [-8, "USB_OVERFLOW"],
    [-9, "USB_STALL"],
    [-12, "USB_IO"],
    [-77, "USB_IO"],
  ])("errno %i is %s", (errno, code) => {
    expect(usbError(usbFailure(errno), context)).toMatchObject({ code, cause: { errno } });
  });

  it("take a refused claim for a busy probe, as macOS means it", () => {
    expect(usbError(usbFailure(-3), { ...context, stage: "claim" }).code).toBe("PROBE_BUSY");
    expect(usbError(usbFailure(-3), { ...context, stage: "open" }).code).toBe("USB_PERMISSION");
  });

  it("keep what is no libusb error readable", () => {
    expect(usbError(new Error("Interface not found"), context).message).toContain("Interface not found");
    expect(usbError("text", context).message).toContain("text");
  });
});

describe("products", () => {
  it("are named once each", () => {
    expect(new Set(stlinkProducts.map(({ productId }) => productId)).size).toBe(stlinkProducts.length);
  });

  it("tell probes, loaders and V1 apart, and take unknown 37xx for newer probes", () => {
    expect(stlinkProduct(0x0483, 0x374f)?.role).toBe("probe");
    expect(stlinkProduct(0x0483, 0x374d)?.role).toBe("loader");
    expect(stlinkProduct(0x0483, 0x3755)?.role).toBe("loader");
    expect(stlinkProduct(0x0483, 0x3744)?.role).toBe("v1");
    expect(stlinkProduct(0x0483, 0x3760)).toMatchObject({ role: "probe", generation: undefined });
    expect(stlinkProduct(0x0483, 0x5740)).toBeUndefined();
    expect(stlinkProduct(0x1366, 0x374f)).toBeUndefined();
  });
});

describe("debug endpoints", () => {
  const bulk = (bEndpointAddress: number) => ({ bEndpointAddress, bmAttributes: 2 });
  it.each([
    ["V2", [0x81, 0x02, 0x83], { outAddress: 0x02, inAddress: 0x81 }],
    ["V3", [0x82, 0x01, 0x81], { outAddress: 0x01, inAddress: 0x81 }],
    ["a clone without trace", [0x02, 0x81], { outAddress: 0x02, inAddress: 0x81 }],
    ["no pair", [0x81], undefined],
  ])("of %s", (_name, addresses, expected) => {
    expect(debugEndpoints(addresses.map(bulk))).toEqual(expected);
  });

  it("are bulk", () => {
    expect(debugEndpoints([{ bEndpointAddress: 0x81, bmAttributes: 3 }, bulk(0x02)])).toBeUndefined();
  });
});

/** A claimed device whose transfers end as `answer` says: with bytes, an errno, or only when they are cancelled. */
function device(answer: (address: number, buffer: Uint8Array) => number | { errno: number } | "never") {
  const log: string[] = [];
  const claimed: ClaimedDevice = {
    endpoints: { outAddress: 0x01, inAddress: 0x81 },
    start: (address) => (buffer, ended) => {
      const outcome = answer(address, buffer);
      if (outcome === "never") {
        return () => {
          log.push("cancel");
          setImmediate(() => ended(usbFailure(3), 0));
        };
      }
      setImmediate(() => {
        if (typeof outcome === "number") ended(undefined, outcome);
        else ended(usbFailure(outcome.errno), 0);
      });
      return () => {};
    },
    clearHalt: async (address) => void log.push(`clear ${address.toString(16)}`),
    release: async () => void log.push("release"),
    close: () => void log.push("close"),
  };
  return { claimed, log };
}

describe("bulk port over libusb", () => {
  it("sends everything, and receives what came", async () => {
    const sent: number[] = [];
    const { claimed } = device((address, buffer) => {
      if (address === 0x01) sent.push(...buffer);
      else buffer.set([7, 8]);
      return address === 0x01 ? buffer.length : 2;
    });
    const port = usbBulkPort(claimed, "usb@1-2");
    await port.send(Uint8Array.of(1, 2, 3), 1000);
    expect(sent).toEqual([1, 2, 3]);
    expect(await port.receive(64, 1000)).toEqual(Uint8Array.of(7, 8));
  });

  it("does not take part of a command for all of it", async () => {
    const { claimed } = device(() => 8);
    await expect(usbBulkPort(claimed, "usb@1-2").send(new Uint8Array(16), 1000)).rejects.toMatchObject({
      code: "USB_IO",
    });
  });

  it("cancels a transfer that does not end, and calls it a time-out", async () => {
    const { claimed, log } = device(() => "never");
    await expect(usbBulkPort(claimed, "usb@1-2").receive(6, 1)).rejects.toMatchObject({
      code: "USB_TIMEOUT",
      parameters: { timeoutMs: 1, transfer: "IN 6 bytes" },
    });
    expect(log).toEqual(["cancel"]);
  });

  it("has cleared both endpoints when it reports a stall", async () => {
    const { claimed, log } = device(() => ({ errno: 4 }));
    await expect(usbBulkPort(claimed, "usb@1-2").receive(6, 1000)).rejects.toMatchObject({
      code: "USB_STALL",
    });
    expect(log).toEqual(["clear 1", "clear 81"]);
  });

  it("cancels, awaits, releases and closes, once", async () => {
    const { claimed, log } = device(() => "never");
    const port = usbBulkPort(claimed, "usb@1-2");
    const pending = expect(port.receive(6, 60_000)).rejects.toMatchObject({ code: "USB_IO" });
    await port.close();
    await port.close();
    await pending;
    expect(log).toEqual(["cancel", "release", "close"]);
    await expect(port.send(new Uint8Array(16), 1000)).rejects.toMatchObject({ code: "PROBE_LOST" });
  });

  it("closes a device that was pulled out", async () => {
    const { claimed, log } = device(() => 0);
    const gone: ClaimedDevice = { ...claimed, release: () => Promise.reject(usbFailure(-4)) };
    await usbBulkPort(gone, "usb@1-2").close();
    expect(log).toEqual(["close"]);
  });
});

describe("libusb itself", () => {
  it("lists the bus without a probe being needed", async () => {
    const { listUsbProbes } = await import("../../../drivers/stlink/libusb.ts");
    const probes = await listUsbProbes();
    expect(probes.every(({ kind, vendorId }) => kind === "usb" && vendorId === 0x0483)).toBe(true);
  });

  it("says that a probe is gone which is not on the bus", async () => {
    const { libusbOpener } = await import("../../../drivers/stlink/libusb.ts");
    const attachment = {
      kind: "usb",
      vendorId: 0x0483,
      productId: 0x374f,
      serial: "",
      path: "250-1",
    } as const;
    const opener = libusbOpener({ ...attachment, selector: "usb@250-1" });
    await expect(opener.open()).rejects.toMatchObject({ code: "PROBE_LOST" });
    await expect(opener.open({ reset: true })).rejects.toMatchObject({ code: "PROBE_LOST" });
  });
});
