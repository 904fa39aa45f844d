import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { traceOfCapture } from "../../../drivers/trace/capture/convert.ts";
import { stlinkTraffic } from "../../../drivers/trace/capture/stlink-traffic.ts";
import { listing } from "../../../drivers/trace/decode/listing.ts";
import type { Trace } from "../../../drivers/trace/read.ts";
import { toHex } from "../../../src/bytes/hex.ts";
import { isStationError } from "../../../src/errors/station-error.ts";
import { temporaryFolder } from "../../support/sfi.ts";
import { inspect, recordOnBench, replayWithClock, traceOf } from "./support/inspecting.ts";
import { busWriter, type CaptureOptions, captureFile } from "./support/usbmon-writer.ts";

const everyForm: readonly CaptureOptions[] = (["pcap", "pcapng"] as const).flatMap((format) =>
  ([189, 220] as const).flatMap((linkType) =>
    [true, false].map((littleEndian) => ({ format, linkType, littleEndian })),
  ),
);
const stlink = { device: 7, out: 0x01, in: 0x81 };

/** The transfers of a trace as they look on a bus where other devices talk too. */
function onBus(trace: Trace) {
  const bus = busWriter();
  for (const { op, data, size } of trace.records) {
    noise(bus);
    if (op === "send") bus.out(stlink.device, stlink.out, data!);
    if (op === "receive") bus.in(stlink.device, stlink.in, size!, data!);
  }
  return bus;
}

/** A mass-storage stick, a mouse, a serial port, control transfers of the probe itself. */
function noise(bus: ReturnType<typeof busWriter>): void {
  const wrapper = new Uint8Array(31);
  wrapper.set([0x55, 0x53, 0x42, 0x43, 1, 2, 3, 4, 0, 2, 0, 0, 0x80, 0, 10, 0x28]);
  bus.out(3, 0x02, wrapper, 0xffff_8881_0000_1000n);
  bus.in(3, 0x81, 512, new Uint8Array(512), 0xffff_8881_0000_1040n);
  bus.raw({ id: 9n, type: "C", transfer: 1, endpoint: 0x81, device: 4, data: Uint8Array.of(0, 1, 0, 0) });
  bus.out(5, 0x02, new TextEncoder().encode("0123456789abcdef"), 0xffff_8881_0000_2000n);
  bus.in(stlink.device, 0x82, 64, new Uint8Array(0), 0xffff_8881_0000_3000n);
  const setup = Uint8Array.of(0x80, 6, 0, 1, 0, 0, 18, 0);
  bus.raw({ id: 10n, type: "S", transfer: 2, endpoint: 0x80, device: stlink.device, length: 18, setup });
}

const command = (...bytes: number[]) => Uint8Array.from({ length: 16 }, (_, i) => bytes[i] ?? 0);
const version = Uint8Array.of(0x30, 0x00, 0x83, 0x04, 0x4f, 0x37);

describe("a usbmon capture", () => {
  it.each(everyForm)("%o: the probe is found among other devices, and its transfers replay", async (form) => {
    const { result, text } = await recordOnBench(inspect);
    const recorded = await traceOf(text);
    const bytes = captureFile(onBus(recorded).packets, form);
    const [traffic, ...others] = stlinkTraffic(bytes, "bus.pcap");
    expect(others).toEqual([]);
    expect(traffic).toMatchObject({ place: "1.7", outEndpoint: 0x01, inEndpoint: 0x81, cutPackets: [] });
    const trace = traceOfCapture(traffic!, "bus.pcap");
    expect(trace.header.attachment).toEqual({
      kind: "usb",
      selector: "usbmon:1.7",
      vendorId: 0x0483,
      productId: 0x374f,
      serial: "",
    });
    expect(trace.records.map(({ op, data, size }) => ({ op, data, size }))).toEqual(
      recorded.records.map(({ op, data, size }) => ({ op, data, size })),
    );
    const { opener, clock } = replayWithClock(trace);
    const again = (await inspect(opener, clock)) as { identity: object };
    opener.finish();
    expect(again).toMatchObject({
      ...(result as object),
      identity: { ...(result as { identity: object }).identity, serial: "" },
      endMs: expect.any(Number),
    });
  });

  it("joins phases that were split into several URBs, and reads queued receives in their order", () => {
    const data = Uint8Array.from({ length: 6144 }, (_, i) => (i * 7) & 0xff);
    const bus = busWriter();
    bus.out(7, 1, command(0xf1, 0x80));
    bus.in(7, 0x81, 6, version);
    bus.out(7, 1, command(0xf2, 0x08, 0, 0, 0, 0x24, 0x00, 0x18));
    bus.out(7, 1, data.subarray(0, 4096), 1n);
    bus.out(7, 1, data.subarray(4096), 2n);
    // Both halves of the reply are asked for before the command that they answer is sent.
    bus.raw({ id: 20n, type: "S", endpoint: 0x81, device: 7, length: 4096 });
    bus.raw({ id: 21n, type: "S", endpoint: 0x81, device: 7, length: 2048 });
    bus.out(7, 1, command(0xf2, 0x07, 0, 0, 0, 0x24, 0x00, 0x18));
    bus.raw({ id: 20n, type: "C", endpoint: 0x81, device: 7, data: data.subarray(0, 4096) });
    bus.raw({ id: 21n, type: "C", endpoint: 0x81, device: 7, data: data.subarray(4096) });
    const [traffic] = stlinkTraffic(captureFile(bus.packets), "bus.pcap");
    const { records } = traceOfCapture(traffic!, "bus.pcap");
    expect(records.map(({ n, op, size, data: bytes }) => [n, op, size, bytes?.length])).toEqual([
      [1, "open", undefined, undefined],
      [2, "send", undefined, 16],
      [3, "receive", 6, 6],
      [4, "send", undefined, 16],
      [5, "send", undefined, 6144],
      [6, "send", undefined, 16],
      [7, "receive", 6144, 6144],
      [8, "close", undefined, undefined],
    ]);
    expect(records[4]!.data).toEqual(data);
    expect(records[6]!.data).toEqual(data);
  });

  it("tells withdrawn, stalled, lost and refused requests apart", () => {
    const bus = busWriter();
    bus.out(7, 1, command(0xf1, 0x80));
    bus.in(7, 0x81, 6, version);
    for (const [status, waitMs] of [
      [-2, 6000],
      [-104, 10],
      [-32, 0],
      [-75, 0],
      [-71, 0],
      [-108, 0],
    ] as const) {
      bus.out(7, 1, command(0xf5));
      bus.failedIn(7, 0x81, 2, status, waitMs);
    }
    bus.raw({ id: 30n, type: "S", endpoint: 1, device: 7, data: command(0xf5) });
    bus.raw({ id: 30n, type: "E", endpoint: 1, device: 7, length: 0, status: -19 });
    bus.raw({ id: 31n, type: "S", endpoint: 1, device: 7, data: command(0xf5) });
    bus.raw({ id: 31n, type: "C", endpoint: 1, device: 7, length: 8 });
    const [traffic] = stlinkTraffic(captureFile(bus.packets), "bus.pcap");
    const { records } = traceOfCapture(traffic!, "bus.pcap");
    const failures = records.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
    expect(failures.map(({ code }) => code)).toEqual([
      "USB_TIMEOUT",
      "USB_TIMEOUT",
      "USB_STALL",
      "USB_OVERFLOW",
      "USB_IO",
      "PROBE_LOST",
      "PROBE_LOST",
      "USB_IO",
    ]);
    expect(failures[0]!.parameters).toMatchObject({ transfer: "IN 2 bytes", timeoutMs: 6000 });
    expect(failures.at(-1)!.parameters).toMatchObject({ detail: "8 bytes were taken" });
  });

  it("that begins and ends in the middle of a transfer gives what is whole", () => {
    const bus = busWriter();
    bus.raw({ id: 1n, type: "C", endpoint: 1, device: 7, length: 16 });
    bus.raw({ id: 2n, type: "C", endpoint: 0x81, device: 7, data: Uint8Array.of(0x80, 0) });
    bus.out(7, 1, command(0xf1, 0x80));
    bus.in(7, 0x81, 6, version);
    bus.raw({ id: 3n, type: "S", endpoint: 1, device: 7, data: command(0xf5) });
    bus.raw({ id: 4n, type: "S", endpoint: 0x81, device: 7, length: 2 });
    const [traffic] = stlinkTraffic(captureFile(bus.packets), "bus.pcap");
    expect([...listing(traffic!.records)].map(({ command: name }) => name)).toEqual([
      "stray IN",
      "GET_VERSION",
      "GET_CURRENT_MODE",
    ]);
  });

  it("lists two probes apart, and leaves the bridge's endpoint alone", () => {
    const bus = busWriter();
    for (const device of [7, 8]) {
      bus.out(device, 0x06, command(0xfb, 0x80), 5n);
      bus.in(device, 0x86, 12, new Uint8Array(12), 6n);
      bus.out(device, 0x06, command(0xfc, 0x03), 5n);
      bus.in(device, 0x86, 12, new Uint8Array(12), 6n);
      bus.out(device, device === 7 ? 1 : 2, command(0xf1, 0x80));
      bus.in(device, 0x81, 6, version);
    }
    const found = stlinkTraffic(captureFile(bus.packets), "bus.pcap");
    expect(found.map(({ place, outEndpoint, inEndpoint }) => [place, outEndpoint, inEndpoint])).toEqual([
      ["1.7", 1, 0x81],
      ["1.8", 2, 0x81],
    ]);
  });

  it("shows what a short snap length left, and refuses to make a trace of it", () => {
    const bus = busWriter();
    bus.out(7, 1, command(0xf1, 0x80));
    bus.in(7, 0x81, 6, version);
    bus.out(7, 1, command(0xf2, 0x08, 0, 0, 0, 0x24, 0x80));
    bus.out(7, 1, new Uint8Array(128).fill(0x5a));
    const [traffic] = stlinkTraffic(captureFile(bus.packets, { snapLength: 96 }), "bus.pcap");
    expect([...listing(traffic!.records)].at(-1)).toMatchObject({
      command: "WRITEMEM_32",
      arguments: { address: "0x24000000", size: "128" },
      hiddenBytes: 96,
    });
    expect(() => traceOfCapture(traffic!, "bus.pcap")).toThrow(
      expect.objectContaining({
        code: "CAPTURE_INVALID",
        parameters: expect.objectContaining({ packet: 7 }),
      }),
    );
  });

  it("without an ST-LINK, of another kind or without a version reply is refused by name", () => {
    const bus = busWriter();
    noise(bus);
    const refused = (job: () => unknown) => {
      expect(job).toThrow(expect.objectContaining({ code: "CAPTURE_INVALID" }));
    };
    refused(() => stlinkTraffic(captureFile(bus.packets), "bus.pcap"));
    refused(() => stlinkTraffic(new TextEncoder().encode("not a capture"), "bus.pcap"));
    const other = captureFile(bus.packets);
    other[20] = 249; // USBPcap
    expect(() => stlinkTraffic(other, "bus.pcap")).toThrow(/link type 249/);
    const mute = busWriter();
    mute.out(7, 1, command(0xf5));
    mute.in(7, 0x81, 2, Uint8Array.of(1, 0));
    const [traffic] = stlinkTraffic(captureFile(mute.packets), "bus.pcap");
    refused(() => traceOfCapture(traffic!, "bus.pcap"));
  });

  it.each(everyForm)("%o: damaged or cut off anywhere, it is read or refused by name", (form) => {
    const bus = busWriter();
    bus.out(7, 1, command(0xf1, 0x80));
    bus.in(7, 0x81, 6, version);
    noise(bus);
    const good = captureFile(bus.packets, form);
    const verdict = (bytes: Uint8Array) => {
      try {
        for (const { records } of stlinkTraffic(bytes, "bus.pcap")) [...listing(records)];
        return "read";
      } catch (error) {
        return isStationError(error, "CAPTURE_INVALID") ? "refused" : String(error);
      }
    };
    expect(verdict(good)).toBe("read");
    fc.assert(
      fc.property(
        fc.nat({ max: good.length - 1 }),
        fc.uint8Array({ minLength: 1, maxLength: 8 }),
        (at, patch) => {
          const damaged = Uint8Array.from(good);
          damaged.set(patch.subarray(0, good.length - at), at);
          expect(["read", "refused"]).toContain(verdict(damaged));
        },
      ),
      { numRuns: 300 },
    );
    for (let length = 0; length < good.length; length += 3) {
      expect(["read", "refused"], `${length} bytes`).toContain(verdict(good.subarray(0, length)));
    }
  });
});

const tshark = spawnSync("tshark", ["--version"]).status === 0;

describe.skipIf(!tshark)("tshark as a witness (needs tshark on the PATH)", () => {
  it.each(everyForm)(
    "%o: it reads the test's captures as the same endpoints, statuses and bytes",
    async (form) => {
      const bus = onBus(await traceOf((await recordOnBench(inspect)).text));
      bus.failedIn(stlink.device, stlink.in, 2, -32);
      const file = join(temporaryFolder(), "bus.pcap");
      writeFileSync(file, captureFile(bus.packets, form));
      const columns = [
        "usb.bus_id",
        "usb.device_address",
        "usb.endpoint_address",
        "usb.urb_type",
        "usb.urb_status",
      ];
      // Everything but the probe's bulk transfers goes to other dissectors, which show their bytes elsewhere.
      const filter = `usb.device_address == ${stlink.device} && usb.transfer_type == 3 && usb.endpoint_address != 0x82`;
      const words = [...columns, "usb.capdata"].flatMap((name) => ["-e", name]);
      const out = execFileSync("tshark", ["-r", file, "-Y", filter, "-T", "fields", ...words], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      const seen = out
        .trimEnd()
        .split("\n")
        .map((line) => line.split("\t"))
        .map(([busId, device, endpoint, type, status, bytes]) => ({
          bus: Number(busId),
          device: Number(device),
          endpoint: Number(endpoint),
          type: type!.replace(/'/g, ""),
          status: Number(status),
          bytes: (bytes ?? "").replace(/:/g, ""),
        }));
      const written = bus.packets
        .filter((packet) => packet.device === stlink.device && (packet.transfer ?? 3) === 3)
        .filter(({ endpoint }) => endpoint !== 0x82)
        .map(({ bus: busId = 1, device, endpoint, type, status, data }) => ({
          bus: busId,
          device,
          endpoint,
          type,
          status: status ?? (type === "S" ? -115 : 0),
          bytes: toHex(data ?? new Uint8Array(0)),
        }));
      expect(seen).toEqual(written);
    },
  );
});
