import { configurationDescriptor, deviceDescriptor } from "./descriptors.ts";
import type { UsbDeviceModel } from "./device-model.ts";

const hubClass = [9, 0, 1] as const;

/** The root hub every Linux bus has. It is there to be listed; nothing can be done with it. */
export function rootHub(): UsbDeviceModel {
  return {
    speed: "high",
    deviceDescriptor: deviceDescriptor({
      classCode: hubClass,
      vendorId: 0x1d6b,
      productId: 0x0002,
      release: 0x0600,
      strings: [3, 2, 1],
    }),
    configurationDescriptor: configurationDescriptor(
      [
        {
          number: 0,
          classCode: [9, 0, 0],
          string: 0,
          endpoints: [{ address: 0x81, type: "interrupt", packetBytes: 4 }],
        },
      ],
      0,
    ),
    strings: new Map([
      [1, "0000:00:14.0"],
      [2, "xHCI Host Controller"],
      [3, "Linux xhci-hcd"],
    ]),
    kernelDrivers: new Map([[0, "hub"]]),
    claim: async () => undefined,
    release: async () => {},
    bulkOut: () => () => {},
    bulkIn: () => () => {},
    control: () => undefined,
    reset: async () => undefined,
  };
}
