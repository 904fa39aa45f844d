import { captureInvalid, type Packet } from "./container.ts";

/** Whether a packet tells of the submission of a USB request, of its end, or of its being refused. */
export type UsbmonKind = "submit" | "complete" | "refused";

/** One usbmon packet about a bulk endpoint. */
export interface UsbmonEvent {
  readonly packet: number;
  readonly kind: UsbmonKind;
  /** Names the request between submission and completion. */
  readonly urb: string;
  readonly bus: number;
  readonly device: number;
  /** Address with the direction in bit 7. */
  readonly endpoint: number;
  /** Microseconds since 1970. */
  readonly atMicroseconds: number;
  /** Negative Linux errno; 0 when all is well. */
  readonly status: number;
  /** Bytes asked for (submission) or transferred (completion). */
  readonly lengthBytes: number;
  readonly data: Uint8Array;
  /** True when the capture has fewer bytes than were transferred. */
  readonly cut: boolean;
}

/**
 * Header sizes by link type: 189 LINKTYPE_USB_LINUX, 220 LINKTYPE_USB_LINUX_MMAPPED (tcpdump.org/linktypes).
 * Layout: Linux Documentation/usb/usbmon.rst, struct usbmon_packet.
 */
const headerBytes: ReadonlyMap<number, number> = new Map([
  [189, 48],
  [220, 64],
]);
const kinds: ReadonlyMap<number, UsbmonKind> = new Map([
  [0x53, "submit"],
  [0x43, "complete"],
  [0x45, "refused"],
]);
const bulkTransfer = 3;

/**
 * Reads one packet. Byte order of the header is the container's.
 * @returns undefined for transfers that are no bulk transfers
 * @throws CAPTURE_INVALID
 */
export function usbmonEvent(packet: Packet, file: string): UsbmonEvent | undefined {
  const { number, linkType, littleEndian, data, originalBytes } = packet;
  const size = headerBytes.get(linkType);
  if (size === undefined) {
    throw captureInvalid(file, number, `link type ${linkType} is not usbmon's (189 or 220)`);
  }
  if (data.length < size) throw captureInvalid(file, number, `${data.length} bytes hold no usbmon header`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const kind = kinds.get(view.getUint8(8)); // type @8
  if (kind === undefined) throw captureInvalid(file, number, `event type ${view.getUint8(8)} is not known`);
  if (view.getUint8(9) !== bulkTransfer) return undefined; // xfer_type @9
  const lengthBytes = view.getUint32(32, littleEndian); // length @32
  const presentBytes = view.getUint32(36, littleEndian); // len_cap @36
  const roomBytes = data.length - size;
  if (presentBytes > roomBytes && originalBytes <= data.length) {
    throw captureInvalid(file, number, `${presentBytes} bytes of data do not fit into the packet`);
  }
  const endpoint = view.getUint8(10); // epnum @10, devnum @11, busnum @12
  const carriesData = (endpoint & 0x80) === 0 ? kind === "submit" : kind === "complete";
  const payload = data.subarray(size, size + Math.min(presentBytes, roomBytes));
  return {
    packet: number,
    kind,
    urb: `${view.getBigUint64(0, littleEndian).toString(16)}`, // id @0
    bus: view.getUint16(12, littleEndian),
    device: view.getUint8(11),
    endpoint,
    // ts_sec @16, ts_usec @24
    atMicroseconds: Number(view.getBigInt64(16, littleEndian)) * 1e6 + view.getInt32(24, littleEndian),
    status: view.getInt32(28, littleEndian), // status @28
    lengthBytes,
    data: payload,
    cut: carriesData && payload.length < lengthBytes,
  };
}
