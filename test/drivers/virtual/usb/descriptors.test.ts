import { describe, expect, it } from "vitest";
import { personalities } from "../../../../drivers/virtual/stlink/personalities.ts";
import {
  interfaceMap,
  readDeviceDescriptor,
  stringDescriptor,
} from "../../../../drivers/virtual/usb/descriptors.ts";
import { describeStlink } from "../../../../drivers/virtual/usb/stlink-descriptors.ts";
import { ByteReader } from "../../../../src/bytes/reader.ts";

const serial = "57FF72067265575742132067";

describe("descriptors of a probe", () => {
  it("V2: one interface, commands out on 02, 39 bytes as in the public dump", () => {
    const v2 = describeStlink(personalities.v2, serial, false);
    expect(v2.configurationDescriptor).toHaveLength(39);
    expect([...interfaceMap(v2.configurationDescriptor).interfaceOfEndpoint]).toEqual([
      [0x81, 0],
      [0x02, 0],
      [0x83, 0],
    ]);
    expect(readDeviceDescriptor(v2.deviceDescriptor).classCode).toEqual([0, 0, 0]);
    expect(v2.kernelDrivers.size).toBe(0);
    expect(v2.speed).toBe("full");
  });

  it.each([
    ["v2-1", 4, "full"],
    ["v3e", 4, "high"],
    ["v3", 5, "high"],
  ] as const)("%s: composite with %d interfaces at %s speed", (name, interfaces, speed) => {
    const probe = describeStlink(personalities[name], serial, false);
    const map = interfaceMap(probe.configurationDescriptor);
    expect(map.interfaces.size).toBe(interfaces);
    expect([0x81, 0x01, 0x82].map((endpoint) => map.interfaceOfEndpoint.get(endpoint))).toEqual([0, 0, 0]);
    expect(map.interfaceOfEndpoint.get(0x06)).toBe(name === "v3" ? 4 : undefined);
    expect(readDeviceDescriptor(probe.deviceDescriptor)).toMatchObject({
      classCode: [0xef, 2, 1],
      vendorId: 0x0483,
      productId: personalities[name].productId,
    });
    expect(probe.speed).toBe(speed);
    // Only interfaces that are there have a driver, and never the debug interface.
    for (const number of probe.kernelDrivers.keys()) expect(map.interfaces.has(number)).toBe(true);
    expect(probe.kernelDrivers.has(0)).toBe(false);
  });

  it("the configuration's total length is its length", () => {
    for (const personality of Object.values(personalities)) {
      const { configurationDescriptor } = describeStlink(personality, serial, false);
      const reader = new ByteReader(configurationDescriptor);
      reader.skip(2);
      expect(reader.u16()).toBe(configurationDescriptor.length);
    }
  });

  it("serial number as text, or as twelve raw bytes", () => {
    const text = describeStlink(personalities.v2, serial, false).strings.get(3);
    expect(text).toBe(serial);
    expect(stringDescriptor(text)).toHaveLength(50);
    const raw = stringDescriptor(describeStlink(personalities.v2, serial, true).strings.get(3));
    expect(raw).toHaveLength(26);
    expect([...raw.subarray(0, 6)]).toEqual([26, 3, 0x57, 0, 0xff, 0]);
  });
});
