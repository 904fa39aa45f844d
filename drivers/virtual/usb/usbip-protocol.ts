import { asciiBytes, asciiText, concatBytes } from "../../../src/bytes/bytes.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";
import { descriptorTypes, readDeviceDescriptor } from "./descriptors.ts";
import type { UsbDeviceModel } from "./device-model.ts";
import { speedNumbers } from "./usbfs-abi.ts";

/*
 * Messages of USB/IP, version 1.1.1 (Linux, Documentation/usb/usbip_protocol.rst). All integers are big-endian, but the
 * setup packet within a submission, which is as on the wire.
 */

const version = 0x0111;

/** Requests before a device is attached. */
export const operations = { deviceList: 0x8005, import: 0x8003 } as const;
/** Their answers. */
const replies = { deviceList: 0x0005, import: 0x0003 } as const;
/** Size of a request's head, and of the bus id that follows an import's. */
export const operationBytes = 8;
export const busIdBytes = 32;
const pathBytes = 256;
const deviceRecordBytes = pathBytes + busIdBytes + 24;

/** Status of an answer (tools/usb/usbip, usbip_common.h). */
export const operationStatus = {
  ok: 0,
  notAvailable: 1,
  deviceBusy: 2,
  noDevice: 4,
} as const;
export type OperationStatus = (typeof operationStatus)[keyof typeof operationStatus];

/** Where an exported device is. */
export interface UsbIpPlace {
  /** `<bus>-<port>`: its name in the protocol. */
  readonly busId: string;
  readonly busNumber: number;
  readonly deviceNumber: number;
}

/** The operation a request's head asks for: version u16 @0, operation u16 @2, status u32 @4. */
export function readOperation(head: Uint8Array): number {
  const reader = new ByteReader(head);
  reader.skip(2);
  return reader.u16be();
}

/** Reads the bus id of an import. */
export function readBusId(bytes: Uint8Array): string {
  return asciiText(bytes).replace(/\0.*$/s, "");
}

/** Answer to a device list: count u32 @8, then each device with its interfaces. */
export function deviceListReply(devices: Iterable<readonly [UsbIpPlace, UsbDeviceModel]>): Uint8Array {
  const records = [...devices].map(([place, model]) =>
    concatBytes(deviceRecord(place, model), interfaceRecords(model.configurationDescriptor)),
  );
  return concatBytes(
    replyHead(replies.deviceList, operationStatus.ok),
    new ByteWriter(4).u32be(records.length).finish(),
    ...records,
  );
}

/** Answer to an import that is granted. From then on submissions go over the connection. */
export function importReply(place: UsbIpPlace, model: UsbDeviceModel): Uint8Array {
  return concatBytes(replyHead(replies.import, operationStatus.ok), deviceRecord(place, model));
}

/** Answer to an import that is not. */
export function importRefusal(status: OperationStatus): Uint8Array {
  return replyHead(replies.import, status);
}

function replyHead(reply: number, status: OperationStatus): Uint8Array {
  return new ByteWriter(operationBytes).u16be(version).u16be(reply).u32be(status).finish();
}

/**
 * struct usbip_usb_device: path @0, bus id @256, bus, device and speed u32 @288, vendor, product and release u16 @300,
 * class, subclass, protocol @306, configuration value @309, number of configurations and interfaces @310.
 */
function deviceRecord(place: UsbIpPlace, model: UsbDeviceModel): Uint8Array {
  const { classCode, vendorId, productId, release } = readDeviceDescriptor(model.deviceDescriptor);
  const writer = new ByteWriter(deviceRecordBytes)
    .bytes(padded(`/sys/devices/virtual/usb/${place.busId}`, pathBytes))
    .bytes(padded(place.busId, busIdBytes))
    .u32be(place.busNumber)
    .u32be(place.deviceNumber)
    .u32be(speedNumbers[model.speed])
    .u16be(vendorId)
    .u16be(productId)
    .u16be(release);
  for (const byte of classCode) writer.u8(byte);
  return writer
    .u8(1)
    .u8(1)
    .u8(model.configurationDescriptor[4] ?? 0)
    .finish();
}

/** struct usbip_usb_interface for each interface: class, subclass, protocol, 0. */
function interfaceRecords(configuration: Uint8Array): Uint8Array {
  const records: Uint8Array[] = [];
  for (const reader = new ByteReader(configuration); reader.remainingBytes > 0; ) {
    const descriptor = reader.bytes(reader.u8() - 1);
    if (descriptor[0] === descriptorTypes.interface)
      records.push(concatBytes(descriptor.subarray(4, 7), Uint8Array.of(0)));
  }
  return concatBytes(...records);
}

function padded(text: string, sizeBytes: number): Uint8Array {
  return new ByteWriter(sizeBytes).bytes(asciiBytes(text)).finish();
}

/** Size of the head of everything that is said once a device is attached. */
export const commandBytes = 48;
const commands = { submit: 1, unlink: 2 } as const;
const commandReplies = { submit: 3, unlink: 4 } as const;
const directionIn = 1;

/** A transfer to begin. */
export interface SubmitCommand {
  readonly kind: "submit";
  /** Its number, by which it is answered or taken back. */
  readonly sequence: number;
  readonly isIn: boolean;
  /** Without the direction bit. */
  readonly endpoint: number;
  /** Size of the host's buffer; for a transfer out also of the data that follows. */
  readonly bufferBytes: number;
  /** Eight bytes; only a control transfer's mean anything. */
  readonly setup: Uint8Array;
}

/** A transfer to take back. */
export interface UnlinkCommand {
  readonly kind: "unlink";
  readonly sequence: number;
  /** Number of the transfer. */
  readonly victim: number;
}

/**
 * Reads the head of a command: command u32 @0, sequence @4, device @8, direction @12, endpoint @16; of a submission
 * flags @20, buffer size @24, start frame @28, packets @32, interval @36, setup @40; of an unlink victim @20.
 * @returns undefined when it is no command
 */
export function readCommand(head: Uint8Array): SubmitCommand | UnlinkCommand | undefined {
  const reader = new ByteReader(head);
  const command = reader.u32be();
  const sequence = reader.u32be();
  reader.skip(4);
  const isIn = reader.u32be() === directionIn;
  const endpoint = reader.u32be();
  switch (command) {
    case commands.submit: {
      reader.skip(4);
      const bufferBytes = reader.u32be();
      reader.skip(12);
      return { kind: "submit", sequence, isIn, endpoint, bufferBytes, setup: reader.bytes(8) };
    }
    case commands.unlink:
      return { kind: "unlink", sequence, victim: reader.u32be() };
    default:
      return undefined;
  }
}

/** How a submitted transfer ended. */
export interface Submitted {
  /** 0 or a negated error number. */
  readonly status: number;
  /** Bytes transferred, in either direction. */
  readonly actualBytes: number;
  /** What came in. */
  readonly bytes?: Uint8Array | undefined;
}

/** Answer to a submission: status i32 @20, actual length @24, data @48. */
export function submitReply(sequence: number, { status, actualBytes, bytes }: Submitted): Uint8Array {
  const head = commandReply(commandReplies.submit, sequence)
    .u32be(status >>> 0)
    .u32be(actualBytes);
  return concatBytes(head.finish(), bytes ?? new Uint8Array(0));
}

/** Answer to an unlink: status i32 @20; 0 says that the transfer had ended before. */
export function unlinkReply(sequence: number, status: number): Uint8Array {
  return commandReply(commandReplies.unlink, sequence)
    .u32be(status >>> 0)
    .finish();
}

/** Device, direction and endpoint stay 0 in answers. */
function commandReply(reply: number, sequence: number): ByteWriter {
  return new ByteWriter(commandBytes).u32be(reply).u32be(sequence).skip(12);
}
