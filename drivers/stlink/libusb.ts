import { existsSync } from "node:fs";
import { type Device, getDeviceList, usb } from "usb";
import { isStationError, StationError } from "../../src/errors/station-error.ts";
import type { BulkOpener, BulkPort } from "../../src/ports/index.ts";
import { debugEndpoints, stlinkProduct } from "./ids.ts";
import { type UsbAttachment, usbPath, withSelectors } from "./select.ts";
import { canonicalSerial } from "./serial.ts";
import { isNotFound, usbError } from "./usb-errors.ts";
import { type StartTransfer, usbBulkPort, watchTransfer } from "./usb-port.ts";

const debugInterface = 0;
const controlTimeoutMs = 1000;
const stringBytes = 255;
const englishUs = 0x0409;
const settleAfterResetMs = 1000;
const returnAfterResetMs = 5000;
const lookAgainMs = 250;

/**
 * The ST-LINKs on the USB bus, loaders and V1 included. Opens only devices with ST's vendor id and a probe's product id,
 * and only to read their serial numbers; one that cannot be opened is listed with serial "" and the reason.
 */
export async function listUsbProbes(): Promise<UsbAttachment[]> {
  usb.unrefHotplugEvents(); // a listing must not keep the process alive
  const found: Omit<UsbAttachment, "selector">[] = [];
  for (const device of getDeviceList()) {
    const { idVendor: vendorId, idProduct: productId, iSerialNumber } = device.deviceDescriptor;
    if (stlinkProduct(vendorId, productId) === undefined) continue;
    const path = pathOf(device);
    const common = { kind: "usb", vendorId, productId, path, emulated: isEmulated(path) } as const;
    try {
      found.push({ ...common, serial: await readSerial(device, iSerialNumber) });
    } catch (thrown) {
      const context = { stage: "open", probe: common.path, transfer: "serial number" } as const;
      const obstacle = usbError(thrown, { ...context, timeoutMs: controlTimeoutMs }).code;
      found.push({ ...common, serial: "", obstacle });
    }
  }
  return withSelectors(found);
}

/** Opens, and after a reset opens again, the probe at the attachment's place on the bus. */
export function libusbOpener(attachment: UsbAttachment): BulkOpener {
  return {
    attachment,
    open: async ({ reset = false } = {}) => {
      if (!reset) return openPort(find(attachment), attachment.selector);
      await resetDevice(find(attachment), attachment.selector);
      return openPort(await findAgain(attachment), attachment.selector);
    },
  };
}

function pathOf(device: Device): string {
  // Platforms without port numbers leave the address, which lasts until the probe is plugged in again.
  return usbPath(device.busNumber, device.portNumbers ?? [device.deviceAddress]);
}

/**
 * True for a virtual probe of `sfi virtual run`, which says so in a sysfs attribute that no kernel has. On a real /sys
 * nobody can add one, so a real probe can never be taken for a virtual one.
 */
function isEmulated(path: string): boolean {
  return existsSync(`/sys/bus/usb/devices/${path}/sfi_virtual_probe`);
}

/** @throws PROBE_LOST */
function find({ path, vendorId }: UsbAttachment): Device {
  const device = getDeviceList().find(
    (candidate) => pathOf(candidate) === path && candidate.deviceDescriptor.idVendor === vendorId,
  );
  if (device === undefined) throw StationError.of("PROBE_LOST", {});
  return device;
}

/** A reset probe is gone for a moment. @throws PROBE_LOST when it stays away */
async function findAgain(attachment: UsbAttachment): Promise<Device> {
  await delay(settleAfterResetMs);
  for (let waitedMs = settleAfterResetMs; ; waitedMs += lookAgainMs) {
    try {
      return find(attachment);
    } catch (thrown) {
      if (!isStationError(thrown, "PROBE_LOST") || waitedMs >= returnAfterResetMs) throw thrown;
    }
    await delay(lookAgainMs);
  }
}

async function resetDevice(device: Device, probe: string): Promise<void> {
  try {
    device.open();
    await called((done) => device.reset(done));
  } catch (thrown) {
    // "Not found" says that the device came back as a new one, which is what findAgain waits for.
    if (!isNotFound(thrown))
      throw usbError(thrown, { stage: "open", probe, transfer: "reset", timeoutMs: 0 });
  } finally {
    if (device.interfaces !== undefined) device.close();
  }
}

function openPort(device: Device, probe: string): BulkPort {
  const context = { probe, transfer: "open", timeoutMs: 0 };
  try {
    device.open();
  } catch (thrown) {
    throw usbError(thrown, { ...context, stage: "open" });
  }
  try {
    const debug = device.interface(debugInterface);
    const endpoints = debugEndpoints(debug.descriptor.endpoints);
    if (endpoints === undefined) {
      const detail = "interface 0 has no pair of bulk endpoints";
      throw StationError.of("PROBE_UNSUPPORTED", { probe, detail });
    }
    debug.claim();
    const claimed = {
      endpoints,
      start: (address: number) => starter(device, address, usb.LIBUSB_TRANSFER_TYPE_BULK),
      clearHalt: (address: number) => called((done) => debug.endpoint(address)?.clearHalt(done) ?? done()),
      release: () => called((done) => debug.release(done)),
      close: () => device.close(),
    };
    return usbBulkPort(claimed, probe);
  } catch (thrown) {
    device.close();
    throw usbError(thrown, { ...context, stage: "claim" });
  }
}

function starter(device: Device, address: number, type: number): StartTransfer {
  return (bytes, ended) => {
    // The package takes Node's buffers only; this is a view on the same memory.
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const transfer = new usb.Transfer(device, address, type, 0, (error, _buffer, actualBytes) =>
      ended(error, actualBytes),
    );
    transfer.submit(buffer);
    return () => transfer.cancel();
  };
}

/** The serial number, with the device open for just that; a device this process holds open stays open. */
async function readSerial(device: Device, index: number): Promise<string> {
  if (index === 0) return "";
  const wasOpen = device.interfaces !== undefined;
  if (!wasOpen) device.open();
  try {
    const languages = await readString(device, 0, 0);
    const [, , low, high] = languages;
    const language = low === undefined || high === undefined ? englishUs : low | (high << 8);
    return canonicalSerial(await readString(device, index, language));
  } finally {
    if (!wasOpen) device.close();
  }
}

/** A raw string descriptor: the package's own decoder is for text, and a V2's serial number need not be any. */
async function readString(device: Device, index: number, language: number): Promise<Uint8Array> {
  const setupBytes = usb.LIBUSB_CONTROL_SETUP_SIZE;
  const bytes = new Uint8Array(setupBytes + stringBytes);
  const setup = new DataView(bytes.buffer);
  setup.setUint8(0, usb.LIBUSB_ENDPOINT_IN); // bmRequestType
  setup.setUint8(1, usb.LIBUSB_REQUEST_GET_DESCRIPTOR); // bRequest
  setup.setUint16(2, (usb.LIBUSB_DT_STRING << 8) | index, true); // wValue
  setup.setUint16(4, language, true); // wIndex
  setup.setUint16(6, stringBytes, true); // wLength
  const start = starter(device, 0, usb.LIBUSB_TRANSFER_TYPE_CONTROL);
  const context = { stage: "transfer", probe: pathOf(device), transfer: "string descriptor" } as const;
  const receivedBytes = await watchTransfer(start, bytes, { ...context, timeoutMs: controlTimeoutMs }).done;
  return bytes.subarray(setupBytes, setupBytes + receivedBytes);
}

function called(start: (done: (error?: Error) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error ? reject(error) : resolve()));
  });
}

function delay(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });
}
