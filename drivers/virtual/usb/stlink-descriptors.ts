import { fromHex } from "../../../src/bytes/hex.ts";
import type { Personality } from "../stlink/personalities.ts";
import {
  type ClassCode,
  configurationDescriptor,
  deviceDescriptor,
  type EndpointFacts,
  type InterfaceFacts,
} from "./descriptors.ts";
import type { UsbDeviceModel } from "./device-model.ts";

/** Addresses of the debug function's endpoints: commands and data out, replies, trace. */
export interface DebugEndpoints {
  readonly out: number;
  readonly in: number;
  readonly trace: number;
}

/** Everything about an ST-LINK that is in its descriptors. */
export type StlinkDescription = Pick<
  UsbDeviceModel,
  "speed" | "deviceDescriptor" | "configurationDescriptor" | "strings" | "kernelDrivers"
> & { readonly endpoints: DebugEndpoints };

/** ST-LINK/V2 without mass storage and serial port (dump in stlink-org/stlink issue 7). */
const standAloneProductId = 0x3748;
/** STLINK-V3SET: the one with a bridge. */
const bridgeProductId = 0x374f;

const vendorSpecific: ClassCode = [0xff, 0xff, 0xff];
const compositeDevice: ClassCode = [0xef, 0x02, 0x01];
const massStorage: ClassCode = [0x08, 0x06, 0x50];
const serialControl: ClassCode = [0x02, 0x02, 0x01];
const serialData: ClassCode = [0x0a, 0x00, 0x00];

/** Indexes of the strings. */
const text = { manufacturer: 1, product: 2, serial: 3, debug: 4, storage: 5, control: 6, data: 7, bridge: 8 };

/** Functional descriptors of the serial port (USB CDC 1.1, 5.2.3): header, call management, ACM, union of 2 and 3. */
const serialFunction = fromHex("0524001001 0524010003 04240202 0524060203");

/**
 * Descriptors of a probe. Product ids, debug endpoints, packet sizes and the bridge's endpoints are those of real
 * probes (OpenOCD, pyOCD, probe-rs; ST's bridge API); the endpoint numbers of storage and serial port are made up.
 * @param serial 24 hexadecimal digits
 * @param rawSerial true: as probes with the first loader give it, one raw byte a character
 */
export function describeStlink(
  personality: Personality,
  serial: string,
  rawSerial: boolean,
): StlinkDescription {
  const { productId, packetBytes, major } = personality;
  const standAlone = productId === standAloneProductId;
  const endpoints = standAlone ? { out: 0x02, in: 0x81, trace: 0x83 } : { out: 0x01, in: 0x81, trace: 0x82 };
  const bulk = (address: number): EndpointFacts => ({ address, type: "bulk", packetBytes });
  const interfaces: InterfaceFacts[] = [
    {
      number: 0,
      classCode: vendorSpecific,
      string: text.debug,
      endpoints: [bulk(endpoints.in), bulk(endpoints.out), bulk(endpoints.trace)],
    },
  ];
  if (!standAlone) interfaces.push(...boardInterfaces(bulk));
  if (productId === bridgeProductId) {
    const both = [bulk(0x86), bulk(0x06)];
    interfaces.push({ number: 4, classCode: vendorSpecific, string: text.bridge, endpoints: both });
  }
  return {
    speed: major === 3 ? "high" : "full",
    deviceDescriptor: deviceDescriptor({
      classCode: standAlone ? [0, 0, 0] : compositeDevice,
      vendorId: 0x0483,
      productId,
      release: 0x0100,
      strings: [text.manufacturer, text.product, text.serial],
    }),
    configurationDescriptor: configurationDescriptor(interfaces, major === 3 ? 500 : 100),
    strings: new Map([
      [text.manufacturer, "STMicroelectronics"],
      [text.product, major === 3 ? "STLINK-V3" : "STM32 STLink"],
      [text.serial, rawSerial ? String.fromCharCode(...fromHex(serial)) : serial],
      [text.debug, "ST-Link Debug"],
      [text.storage, "ST-Link MSC"],
      [text.control, "ST-Link VCP Ctrl"],
      [text.data, "ST-Link VCP Data"],
      [text.bridge, "ST-Link Bridge"],
    ]),
    kernelDrivers: standAlone
      ? new Map()
      : new Map([
          [1, "usb-storage"],
          [2, "cdc_acm"],
          [3, "cdc_acm"],
        ]),
    endpoints,
  };
}

/** Mass storage and serial port of probes that sit on a board. */
function boardInterfaces(bulk: (address: number) => EndpointFacts): InterfaceFacts[] {
  return [
    { number: 1, classCode: massStorage, string: text.storage, endpoints: [bulk(0x85), bulk(0x05)] },
    {
      number: 2,
      classCode: serialControl,
      string: text.control,
      classDescriptors: serialFunction,
      endpoints: [{ address: 0x83, type: "interrupt", packetBytes: 8 }],
      associatedInterfaces: 2,
    },
    { number: 3, classCode: serialData, string: text.data, endpoints: [bulk(0x84), bulk(0x04)] },
  ];
}
