import { ByteReader } from "../../../src/bytes/reader.ts";
import { descriptorTypes, stringDescriptor } from "./descriptors.ts";
import type { SetupPacket, UsbDeviceModel } from "./device-model.ts";

/** Standard requests to a device (USB 2.0, table 9-4). */
const requests = { getStatus: 0, getDescriptor: 6, getConfiguration: 8 } as const;
const deviceToHostStandardDevice = 0x80;
const typeMask = 0x60;

/** Reads a setup packet: request type u8 @0, request u8 @1, value u16 @2, index u16 @4, length u16 @6. */
export function readSetup(bytes: Uint8Array): SetupPacket {
  const reader = new ByteReader(bytes);
  return {
    requestType: reader.u8(),
    request: reader.u8(),
    value: reader.u16(),
    index: reader.u16(),
    length: reader.u16(),
  };
}

/**
 * The device's answer to a control request on endpoint 0; undefined is a stall. What the host's kernel does by itself
 * (address, configuration, features) never gets here.
 */
export function answerControl(
  device: UsbDeviceModel,
  setup: SetupPacket,
  data: Uint8Array,
): Uint8Array | undefined {
  if ((setup.requestType & typeMask) !== 0) return device.control(setup, data);
  if (setup.requestType !== deviceToHostStandardDevice) return undefined;
  switch (setup.request) {
    case requests.getStatus:
      return Uint8Array.of(0, 0);
    case requests.getDescriptor:
      return descriptor(device, setup.value >> 8, setup.value & 0xff);
    case requests.getConfiguration:
      return Uint8Array.of(1);
    default:
      return undefined;
  }
}

function descriptor(device: UsbDeviceModel, type: number, index: number): Uint8Array | undefined {
  switch (type) {
    case descriptorTypes.device:
      return device.deviceDescriptor;
    case descriptorTypes.configuration:
      return index === 0 ? device.configurationDescriptor : undefined;
    case descriptorTypes.string: {
      if (index === 0) return stringDescriptor(undefined);
      const text = device.strings.get(index);
      return text === undefined ? undefined : stringDescriptor(text);
    }
    default:
      return undefined;
  }
}
