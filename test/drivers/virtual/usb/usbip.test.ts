import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { openUsbIpBench, type UsbIpBench } from "../../../../drivers/virtual/usb/usbip-bench.ts";
import { temporaryFolder } from "../../../support/sfi.ts";
import { hasProgram } from "./support/usb-bench.ts";
import { type UsbIpClient, usbIpClient } from "./support/usbip-client.ts";

const v3 = "virtual:h753,serial=0000000000000000000000AA";
const debugOut = 1;
const debugIn = 1;
const command = (...bytes: number[]) => Buffer.from(Array.from({ length: 16 }, (_, i) => bytes[i] ?? 0));
const getMode = command(0xf5);
const getVersion = command(0xf1);
const readCoreId = command(0xf2, 0x22);
const getDeviceDescriptor = (sizeBytes: number) => [0x80, 6, 0, 1, 0, 0, sizeBytes, 0];
const clearHaltIn = [0x02, 1, 0, 0, 0x81, 0, 0, 0];
const setConfiguration1 = [0x00, 9, 1, 0, 0, 0, 0, 0];
const stalled = -32;
const overflowed = -75;
const unlinked = -104;

async function bench(...selectors: string[]): Promise<UsbIpBench> {
  const failures: unknown[] = [];
  const opened = await openUsbIpBench(selectors, 0, (thrown) => failures.push(thrown));
  onTestFinished(async () => {
    await opened.close();
    expect(failures).toEqual([]);
  });
  return opened;
}

async function attached(...selectors: string[]): Promise<UsbIpClient> {
  const { port } = await bench(...(selectors.length > 0 ? selectors : [v3]));
  const client = await usbIpClient(port);
  expect(await client.attach("1-1")).toBe(0);
  return client;
}

/** Sends a command and reads its reply. */
async function exchange(client: UsbIpClient, sequence: number, bytes: Buffer, replyBytes: number) {
  client.submit(sequence, debugOut, bytes);
  expect(await client.answer()).toMatchObject({ sequence, status: 0, actualBytes: bytes.length });
  client.submit(sequence + 1, debugIn, replyBytes);
  return client.answer(true);
}

describe("probes over USB/IP", () => {
  it("attaches a probe once at a time, and again afterwards", async () => {
    const { port } = await bench(v3, "virtual:h743,probe=v2-1");
    const first = await usbIpClient(port);
    expect(await first.attach("1-2")).toBe(0);
    expect(await (await usbIpClient(port)).attach("1-2")).toBe(2);
    expect(await (await usbIpClient(port)).attach("1-3")).toBe(4);
    first.submit(1, debugIn, 2);
    first.close();
    await first.ended;
    // The server learns of the end in its own time.
    for (let status = 2; status !== 0; ) status = await (await usbIpClient(port)).attach("1-2");
  });

  it("refuses to attach a probe that is not there", async () => {
    const fault = join(temporaryFolder(), "fault.json");
    writeFileSync(fault, JSON.stringify({ schema: 1, faults: [{ kind: "busy" }] }));
    const { port } = await bench(`${v3},fault=${fault}`);
    expect(await (await usbIpClient(port)).attach("1-1")).toBe(2);
  });

  it("answers the kernel's own requests", async () => {
    const client = await attached();
    client.submit(1, 0, 18, getDeviceDescriptor(18));
    expect(await client.answer(true)).toMatchObject({
      status: 0,
      data: "12010002ef02014083044f37000101020301",
    });
    client.submit(2, 0, 8, getDeviceDescriptor(8));
    expect((await client.answer(true)).data).toBe("12010002ef020140");
    client.submit(3, 0, Buffer.alloc(0), setConfiguration1);
    expect(await client.answer()).toMatchObject({ kind: "submit", status: 0, actualBytes: 0 });
    const deviceQualifier = [0x80, 6, 0, 6, 0, 0, 10, 0];
    client.submit(4, 0, 10, deviceQualifier);
    expect(await client.answer()).toMatchObject({ status: stalled, actualBytes: 0 });
  });

  it("carries commands and replies, also to reads that were begun before", async () => {
    const client = await attached();
    expect(await exchange(client, 1, getVersion, 6)).toMatchObject({ status: 0, data: "300083044f37" });
    client.submit(3, debugIn, 2);
    client.submit(4, debugOut, getMode);
    const answers = [await client.answer(), await client.answer(true)];
    expect(answers.map(({ sequence, data }) => `${sequence} ${data}`)).toEqual(["4 ", "3 0100"]);
  });

  it("takes back a transfer under way, and says when it had ended before", async () => {
    const client = await attached();
    client.submit(1, debugIn, 2);
    client.unlink(2, 1);
    expect(await client.answer()).toMatchObject({ kind: "unlink", sequence: 2, status: unlinked });
    expect(await exchange(client, 3, getMode, 2)).toMatchObject({ sequence: 4, data: "0100" });
    client.unlink(5, 4);
    expect(await client.answer()).toMatchObject({ kind: "unlink", sequence: 5, status: 0 });
  });

  it("keeps an endpoint halted until it is cleared", async () => {
    const client = await attached();
    expect(await exchange(client, 1, readCoreId, 4)).toMatchObject({ status: stalled });
    expect(await exchange(client, 3, getMode, 2)).toMatchObject({ status: stalled });
    client.submit(5, 0, Buffer.alloc(0), clearHaltIn);
    await client.answer();
    client.submit(6, debugIn, 2);
    expect(await client.answer(true)).toMatchObject({ status: 0, data: "0100" });
  });

  it("reports a reply that is longer than its buffer", async () => {
    const client = await attached();
    expect(await exchange(client, 1, getVersion, 2)).toMatchObject({ status: overflowed, actualBytes: 0 });
  });

  it("resets the probe when the kernel has reset the port", async () => {
    const client = await attached();
    client.submit(1, debugOut, getVersion); // the reply is not fetched and must not come later
    await client.answer();
    client.submit(2, 0, 64, getDeviceDescriptor(64));
    expect((await client.answer(true)).actualBytes).toBe(18);
    expect(await exchange(client, 3, getMode, 2)).toMatchObject({ status: 0, data: "0100" });
  });

  it.each([
    ["out", 1],
    ["in", 2],
  ])("ends the connection when the probe leaves the bus in a transfer %s", async (_, transfer) => {
    const fault = join(temporaryFolder(), "fault.json");
    const faults = [{ at: { transfer }, kind: "disconnect", when: "middle" }];
    writeFileSync(fault, JSON.stringify({ schema: 1, faults }));
    const client = await attached(`${v3},fault=${fault}`);
    client.submit(1, debugOut, getMode);
    client.submit(2, debugIn, 2);
    await client.ended;
  });

  it("ends connections that speak something else", async () => {
    const { port } = await bench(v3);
    const stranger = await usbIpClient(port);
    stranger.send(Buffer.from("GET / HTTP/1.1\r\n\r\n"));
    await stranger.ended;
    const client = await usbIpClient(port);
    await client.attach("1-1");
    client.send(Buffer.alloc(48, 0xff));
    await client.ended;
  });

  it("ends the connection over a transfer that no kernel would begin", async () => {
    const client = await attached();
    client.submit(1, debugIn, 0x7fffffff);
    await client.ended;
  });

  it("says so when its port is taken", async () => {
    const { port } = await bench(v3);
    await expect(openUsbIpBench([v3], port, () => {})).rejects.toMatchObject({
      code: "USAGE_INVALID",
      message: expect.stringContaining("EADDRINUSE"),
    });
  });
});

describe.skipIf(!hasProgram("usbip"))("usbip (needs usbip)", () => {
  it("lists the probes with their interfaces", async () => {
    const { port } = await bench(v3, "virtual:h743,probe=v2");
    const { stdout } = await execa("usbip", ["--tcp-port", String(port), "list", "--remote", "127.0.0.1"]);
    expect(stdout).toMatch(/1-1: .*\(0483:374f\)/);
    expect(stdout).toMatch(/1-2: .*\(0483:3748\)/);
    expect(stdout.match(/Vendor Specific Class/g)).toHaveLength(3);
    expect(stdout.match(/Mass Storage/g)).toHaveLength(1);
  });
});
