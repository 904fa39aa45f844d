import { describe, expect, it } from "vitest";
import { openVirtualBench, parseVirtualSelector } from "../../../../drivers/virtual/bench.ts";
import type { Fault } from "../../../../drivers/virtual/faults/script.ts";
import { personalities } from "../../../../drivers/virtual/stlink/personalities.ts";
import type { TransferEnd } from "../../../../drivers/virtual/usb/device-model.ts";
import { describeStlink } from "../../../../drivers/virtual/usb/stlink-descriptors.ts";
import { StlinkUsbDevice } from "../../../../drivers/virtual/usb/stlink-device.ts";

const getMode = Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 0xf5 : 0));
const getVersion = Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? 0xf1 : 0));
const readCoreId = Uint8Array.from({ length: 16 }, (_, i) => [0xf2, 0x22][i] ?? 0);

async function device(...faults: Fault[]) {
  const bench = await openVirtualBench({ ...parseVirtualSelector("virtual:h753"), faults, strict: false });
  const failures: unknown[] = [];
  const model = new StlinkUsbDevice(describeStlink(personalities.v3, "00", false), bench.opener, (thrown) =>
    failures.push(thrown),
  );
  return { bench, model, failures };
}

const out = (model: StlinkUsbDevice, data: Uint8Array) =>
  new Promise<TransferEnd>((resolve) => model.bulkOut(0x01, data, resolve));
const read = (model: StlinkUsbDevice, sizeBytes: number) =>
  new Promise<TransferEnd>((resolve) => model.bulkIn(0x81, sizeBytes, resolve));

describe("a probe as a device on a USB bus", () => {
  it("opens with the claim and closes with the release", async () => {
    const { bench, model } = await device();
    expect(await model.claim(0)).toBeUndefined();
    await expect(bench.opener.open()).rejects.toMatchObject({ code: "PROBE_BUSY" });
    await model.release(0);
    await (await bench.opener.open()).close();
  });

  it.each([
    [{ kind: "busy", times: 1 }, "busy"],
    [{ kind: "permission" }, "permission"],
  ] as const)("refuses a claim for $kind", async (effect, refusal) => {
    const { model } = await device({ at: { kind: "start" }, effect });
    expect(await model.claim(0)).toBe(refusal);
  });

  it("answers commands in order, also reads that were begun before", async () => {
    const { model, failures } = await device();
    await model.claim(0);
    const early = read(model, 2);
    expect(await out(model, getMode)).toEqual({ kind: "done" });
    expect(await early).toEqual({ kind: "done", bytes: Uint8Array.of(1, 0) });
    const [, version] = await Promise.all([out(model, getVersion), read(model, 6)]);
    expect(version).toMatchObject({ kind: "done" });
    expect(failures).toEqual([]);
  });

  it("gives nothing to a read that was taken back", async () => {
    const { model } = await device();
    await model.claim(0);
    const ends: TransferEnd[] = [];
    model.bulkIn(0x81, 2, (end) => ends.push(end))();
    await out(model, getMode);
    expect(await read(model, 2)).toEqual({ kind: "done", bytes: Uint8Array.of(1, 0) });
    expect(ends).toEqual([]);
  });

  it("stalls a refused command and overflows a short buffer", async () => {
    const { model } = await device();
    await model.claim(0);
    await out(model, readCoreId);
    expect(await read(model, 4)).toEqual({ kind: "stall" });
    await out(model, getVersion);
    expect(await read(model, 2)).toEqual({ kind: "overflow" });
  });

  it("is gone when a fault takes the probe off the bus", async () => {
    const { model } = await device({
      at: { kind: "transfer", transfer: 1 },
      effect: { kind: "disconnect", when: "before", returnsAfterMs: 1e9 },
    });
    await model.claim(0);
    expect(await out(model, getMode)).toEqual({ kind: "gone" });
    expect(await read(model, 2)).toEqual({ kind: "gone" });
  });

  it("is a probe after power-up again after a reset", async () => {
    const { model } = await device();
    await model.claim(0);
    await out(model, getVersion); // the reply is not fetched and must not come later
    await model.release(0);
    expect(await model.reset()).toBeUndefined();
    await model.claim(0);
    await out(model, getMode);
    expect(await read(model, 2)).toEqual({ kind: "done", bytes: Uint8Array.of(1, 0) });
  });
});
