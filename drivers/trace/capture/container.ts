import { StationError } from "../../../src/errors/station-error.ts";

/** One packet of a capture file. */
export interface Packet {
  /** Counts from 1 as Wireshark does. */
  readonly number: number;
  readonly linkType: number;
  /** Byte order of the machine that captured; usbmon headers have it too. */
  readonly littleEndian: boolean;
  readonly data: Uint8Array;
  /** Length before the capture program cut it. */
  readonly originalBytes: number;
}

/** Magic numbers as the file's first bytes in little-endian order. */
const magics = {
  pcapMicroseconds: 0xa1b2c3d4,
  pcapNanoseconds: 0xa1b23c4d,
  section: 0x0a0d0d0a,
  byteOrder: 0x1a2b3c4d,
} as const;
const pcapHeaderBytes = 24;
const pcapRecordBytes = 16;
/** Block types of pcapng (draft-ietf-opsawg-pcapng, section 4). */
const block = { interface: 1, oldPacket: 2, simplePacket: 3, enhancedPacket: 6 } as const;
/** Type, total length, and total length again at the end. */
const blockFrameBytes = 12;

/** True when the file begins as a pcap or pcapng file does. */
export function isCapture(start: Uint8Array): boolean {
  if (start.length < 4) return false;
  const view = viewOf(start);
  const known: readonly number[] = [magics.pcapMicroseconds, magics.pcapNanoseconds, magics.section];
  return [true, false].some((littleEndian) => known.includes(view.getUint32(0, littleEndian)));
}

/**
 * The packets of a pcap or pcapng file, both byte orders. Time stamps of the container are not read: usbmon packets
 * carry their own.
 * @throws CAPTURE_INVALID for anything that does not fit its bounds
 */
export function* packetsOf(bytes: Uint8Array, file: string): Generator<Packet> {
  if (!isCapture(bytes)) throw captureInvalid(file, 0, "it is neither pcap nor pcapng");
  if (viewOf(bytes).getUint32(0, true) === magics.section) yield* pcapngPackets(bytes, file);
  else yield* pcapPackets(bytes, file);
}

/** The error of a capture file that cannot be used. `packet` 0 is the file itself. */
export function captureInvalid(file: string, packet: number, detail: string): StationError {
  return StationError.of("CAPTURE_INVALID", { file, packet, detail });
}

/** Global header: magic @0, version @4, snap length @16, link type @20 (libpcap, pcap-savefile(5)). */
function* pcapPackets(bytes: Uint8Array, file: string): Generator<Packet> {
  if (bytes.length < pcapHeaderBytes) throw captureInvalid(file, 0, "the file header is cut off");
  const view = viewOf(bytes);
  const first = view.getUint32(0, true);
  const littleEndian = first === magics.pcapMicroseconds || first === magics.pcapNanoseconds;
  const linkType = view.getUint32(20, littleEndian) & 0x0fff_ffff;
  let number = 0;
  for (let at = pcapHeaderBytes; at < bytes.length; ) {
    number += 1;
    if (bytes.length - at < pcapRecordBytes) throw captureInvalid(file, number, "its header is cut off");
    const capturedBytes = view.getUint32(at + 8, littleEndian);
    const originalBytes = view.getUint32(at + 12, littleEndian);
    const start = at + pcapRecordBytes;
    if (capturedBytes > bytes.length - start) throw captureInvalid(file, number, "its data are cut off");
    at = start + capturedBytes;
    yield { number, linkType, littleEndian, data: bytes.subarray(start, at), originalBytes };
  }
}

/** Blocks of type @0, total length @4, body @8, total length again; sections may differ in byte order. */
function* pcapngPackets(bytes: Uint8Array, file: string): Generator<Packet> {
  const view = viewOf(bytes);
  let littleEndian = true;
  let linkTypes: number[] = [];
  let number = 0;
  for (let at = 0; at < bytes.length; ) {
    const bad = (detail: string) => captureInvalid(file, number, `block at ${at}: ${detail}`);
    const left = bytes.length - at;
    if (left < blockFrameBytes) throw bad("it is cut off");
    // The type of a section header reads the same in both byte orders.
    if (view.getUint32(at, true) === magics.section) {
      littleEndian = view.getUint32(at + 8, true) === magics.byteOrder;
      if (!littleEndian && view.getUint32(at + 8, false) !== magics.byteOrder)
        throw bad("no byte-order mark");
      linkTypes = [];
    }
    const type = view.getUint32(at, littleEndian);
    const totalBytes = view.getUint32(at + 4, littleEndian);
    if (totalBytes < blockFrameBytes || totalBytes % 4 !== 0 || totalBytes > left) throw bad("wrong length");
    if (view.getUint32(at + totalBytes - 4, littleEndian) !== totalBytes) throw bad("its lengths differ");
    const body = bytes.subarray(at + 8, at + totalBytes - 4);
    if (type === block.interface) {
      if (body.length < 8) throw bad("interface without a link type");
      linkTypes.push(viewOf(body).getUint16(0, littleEndian));
    } else if (type in packetLayouts) {
      number += 1;
      const layout = packetLayouts[type as keyof typeof packetLayouts];
      yield packetOf(body, layout, { number, littleEndian, linkTypes, bad });
    }
    at += totalBytes;
  }
}

/** Where the packet blocks have what: enhanced (6), obsolete (2) and simple (3) packets. */
const packetLayouts = {
  [block.enhancedPacket]: { headBytes: 20, interface: { at: 0, bytes: 4 }, capturedAt: 12, originalAt: 16 },
  [block.oldPacket]: { headBytes: 20, interface: { at: 0, bytes: 2 }, capturedAt: 12, originalAt: 16 },
  [block.simplePacket]: { headBytes: 4, interface: undefined, capturedAt: undefined, originalAt: 0 },
} as const;

interface PacketContext {
  readonly number: number;
  readonly littleEndian: boolean;
  readonly linkTypes: readonly number[];
  readonly bad: (detail: string) => StationError;
}

function packetOf(
  body: Uint8Array,
  layout: (typeof packetLayouts)[keyof typeof packetLayouts],
  { number, littleEndian, linkTypes, bad }: PacketContext,
): Packet {
  if (body.length < layout.headBytes) throw bad("its head is cut off");
  const view = viewOf(body);
  const index =
    layout.interface === undefined
      ? 0
      : layout.interface.bytes === 4
        ? view.getUint32(0, littleEndian)
        : view.getUint16(0, littleEndian);
  const linkType = linkTypes[index];
  if (linkType === undefined) throw bad(`interface ${index} was not described`);
  const originalBytes = view.getUint32(layout.originalAt, littleEndian);
  const roomBytes = body.length - layout.headBytes;
  const capturedBytes =
    layout.capturedAt === undefined
      ? Math.min(originalBytes, roomBytes)
      : view.getUint32(layout.capturedAt, littleEndian);
  if (capturedBytes > roomBytes) throw bad("its data pass its end");
  const data = body.subarray(layout.headBytes, layout.headBytes + capturedBytes);
  return { number, linkType, littleEndian, data, originalBytes };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
