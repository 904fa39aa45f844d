import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { concatBytes } from "../../../src/bytes/bytes.ts";
import { interfaceMap, readDeviceDescriptor } from "./descriptors.ts";
import type { UsbDeviceModel } from "./device-model.ts";

/** Where a device is on the bus. Port 0 is the root hub itself. */
export interface UsbPlace {
  readonly bus: number;
  readonly device: number;
  readonly port: number;
}

const usbMajor = 189;
const controller = "devices/pci0000:00/0000:00:14.0";

/** Path of the device node below /dev. */
export function nodeName({ bus, device }: UsbPlace): string {
  return `bus/usb/${threeDigits(bus)}/${threeDigits(device)}`;
}

/** Name of the device in sysfs: `usb1`, `1-2`. */
export function sysfsName({ bus, port }: UsbPlace): string {
  return port === 0 ? `usb${bus}` : `${bus}-${port}`;
}

/**
 * Writes what Linux tells of a USB device in /sys (Documentation/ABI/testing/sysfs-bus-usb), as far as libusb, libudev
 * and lsusb read it.
 * @param root folder that stands for /
 */
export function writeSysfs(root: string, place: UsbPlace, model: UsbDeviceModel): void {
  const folder = deviceFolder(root, place);
  mkdirSync(folder, { recursive: true });
  for (const [name, value] of Object.entries(attributes(place, model))) {
    writeFileSync(join(folder, name), typeof value === "string" ? `${value}\n` : value);
  }
  symlinkSync(relative(folder, join(root, "sys/bus/usb")), join(folder, "subsystem"));
  for (const link of links(root, place)) {
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(relative(dirname(link), folder), link);
  }
  const node = udevNodeLink(root, place);
  mkdirSync(dirname(node), { recursive: true });
  symlinkSync(deviceNumber(place), node);
}

/** Takes it away again. */
export function removeSysfs(root: string, place: UsbPlace): void {
  for (const link of [...links(root, place), udevNodeLink(root, place)]) rmSync(link, { force: true });
  rmSync(deviceFolder(root, place), { recursive: true, force: true });
}

function attributes(place: UsbPlace, model: UsbDeviceModel): Record<string, string | Uint8Array> {
  const { deviceDescriptor, configurationDescriptor, strings } = model;
  const facts = readDeviceDescriptor(deviceDescriptor);
  const [classCode, subclass, protocol] = facts.classCode;
  const texts = { manufacturer: facts.manufacturer, product: facts.product, serial: facts.serial };
  return {
    uevent: uevent(place, facts),
    busnum: String(place.bus),
    devnum: String(place.device),
    devpath: String(place.port),
    dev: deviceNumber(place),
    speed: model.speed === "high" ? "480" : "12",
    version: " 2.00",
    idVendor: hex(facts.vendorId, 4),
    idProduct: hex(facts.productId, 4),
    bcdDevice: hex(facts.release, 4),
    bDeviceClass: hex(classCode, 2),
    bDeviceSubClass: hex(subclass, 2),
    bDeviceProtocol: hex(protocol, 2),
    bMaxPacketSize0: String(facts.packetBytes0),
    bNumConfigurations: "1",
    bConfigurationValue: "1",
    bNumInterfaces: String(interfaceMap(configurationDescriptor).interfaces.size).padStart(2),
    maxchild: place.port === 0 ? "15" : "0",
    authorized: "1",
    descriptors: concatBytes(deviceDescriptor, configurationDescriptor),
    // No kernel has this attribute, and nobody can add one to a real /sys: it tells the station that no silicon is here.
    ...(place.port === 0 ? {} : { sfi_virtual_probe: "1" }),
    ...Object.fromEntries(
      Object.entries(texts).flatMap(([name, index]) => {
        const text = strings.get(index);
        return text === undefined ? [] : [[name, text]];
      }),
    ),
  };
}

function uevent(place: UsbPlace, facts: ReturnType<typeof readDeviceDescriptor>): string {
  const { vendorId, productId, release, classCode } = facts;
  const properties = {
    MAJOR: usbMajor,
    MINOR: minor(place),
    DEVNAME: nodeName(place),
    DEVTYPE: "usb_device",
    DRIVER: "usb",
    PRODUCT: [vendorId, productId, release].map((value) => hex(value, 1)).join("/"),
    TYPE: classCode.join("/"),
    BUSNUM: threeDigits(place.bus),
    DEVNUM: threeDigits(place.device),
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n");
}

function deviceFolder(root: string, place: UsbPlace): string {
  const hub = join(root, "sys", controller, `usb${place.bus}`);
  return place.port === 0 ? hub : join(hub, sysfsName(place));
}

/** Names by which programs find the device's folder. */
function links(root: string, place: UsbPlace): string[] {
  return [
    join(root, "sys/bus/usb/devices", sysfsName(place)),
    join(root, "sys/dev/char", deviceNumber(place)),
  ];
}

/** From here the preload library takes a node's device number. */
function udevNodeLink(root: string, place: UsbPlace): string {
  return join(root, "dev/.node", nodeName(place).replaceAll("/", "_"));
}

function deviceNumber(place: UsbPlace): string {
  return `${usbMajor}:${minor(place)}`;
}

/** 128 devices a bus (Linux, drivers/usb/core). */
function minor({ bus, device }: UsbPlace): number {
  return (bus - 1) * 128 + device - 1;
}

function threeDigits(value: number): string {
  return String(value).padStart(3, "0");
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
