import { concatBytes } from "../../../../src/bytes/bytes.ts";

/** One packet as usbmon sees it. */
export interface MonPacket {
  readonly id: bigint;
  readonly type: "S" | "C" | "E";
  /** 0 isochronous, 1 interrupt, 2 control, 3 bulk. */
  readonly transfer?: number;
  readonly endpoint: number;
  readonly device: number;
  readonly bus?: number;
  readonly atMs?: number;
  readonly status?: number;
  /** Bytes asked for or transferred; the length of `data` when absent. */
  readonly length?: number;
  readonly data?: Uint8Array;
  readonly setup?: Uint8Array;
}

export interface CaptureOptions {
  readonly format?: "pcap" | "pcapng";
  /** 189: 48-byte header; 220: 64-byte header. */
  readonly linkType?: 189 | 220;
  readonly littleEndian?: boolean;
  readonly nanoseconds?: boolean;
  /** Most bytes of a packet that are kept. */
  readonly snapLength?: number;
}

const startSeconds = 1_700_000_000;

/**
 * Writes a capture file by the published layouts (pcap-savefile(5), the pcapng draft, Linux usbmon.rst), apart from
 * the code that reads them.
 */
export function captureFile(packets: readonly MonPacket[], options: CaptureOptions = {}): Uint8Array {
  const { format = "pcap", linkType = 220, littleEndian = true, snapLength = 262_144 } = options;
  const records = packets.map((packet) => {
    const whole = monPacket(packet, linkType, littleEndian);
    return { data: whole.subarray(0, snapLength), original: whole.length, atMs: packet.atMs ?? 0 };
  });
  return format === "pcap" ? pcapFile(records, options) : pcapngFile(records, options);
}

interface PacketRecord {
  readonly data: Uint8Array;
  readonly original: number;
  readonly atMs: number;
}

function pcapFile(records: readonly PacketRecord[], options: CaptureOptions): Uint8Array {
  const { linkType = 220, littleEndian: le = true, nanoseconds = false, snapLength = 262_144 } = options;
  const header = fields(24, (view) => {
    view.setUint32(0, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, le);
    view.setUint16(4, 2, le);
    view.setUint16(6, 4, le);
    view.setUint32(16, snapLength, le);
    view.setUint32(20, linkType, le);
  });
  const body = records.flatMap(({ data, original, atMs }) => [
    fields(16, (view) => {
      view.setUint32(0, startSeconds + Math.floor(atMs / 1000), le);
      view.setUint32(4, (atMs % 1000) * (nanoseconds ? 1e6 : 1e3), le);
      view.setUint32(8, data.length, le);
      view.setUint32(12, original, le);
    }),
    data,
  ]);
  return concatBytes(header, ...body);
}

function pcapngFile(records: readonly PacketRecord[], options: CaptureOptions): Uint8Array {
  const { linkType = 220, littleEndian: le = true, snapLength = 262_144 } = options;
  const block = (type: number, body: Uint8Array): Uint8Array => {
    const padded = Math.ceil(body.length / 4) * 4;
    const bytes = fields(12 + padded, (view) => {
      view.setUint32(0, type, le);
      view.setUint32(4, 12 + padded, le);
      view.setUint32(8 + padded, 12 + padded, le);
    });
    bytes.set(body, 8);
    return bytes;
  };
  const section = fields(16, (view) => {
    view.setUint32(0, 0x1a2b3c4d, le);
    view.setUint16(4, 1, le);
    view.setBigInt64(8, -1n, le);
  });
  const description = fields(8, (view) => {
    view.setUint16(0, linkType, le);
    view.setUint32(4, snapLength, le);
  });
  // Something between that readers must step over: a name resolution block.
  const names = fields(4, () => {});
  const packets = records.map(({ data, original, atMs }) => {
    const microseconds = BigInt(startSeconds) * 1_000_000n + BigInt(Math.round(atMs * 1000));
    const head = fields(20, (view) => {
      view.setUint32(0, 0, le);
      view.setUint32(4, Number(microseconds >> 32n), le);
      view.setUint32(8, Number(microseconds & 0xffff_ffffn), le);
      view.setUint32(12, data.length, le);
      view.setUint32(16, original, le);
    });
    return block(6, concatBytes(head, data));
  });
  return concatBytes(block(0x0a0d0d0a, section), block(1, description), block(4, names), ...packets);
}

function monPacket(packet: MonPacket, linkType: 189 | 220, le: boolean): Uint8Array {
  const { id, type, transfer = 3, endpoint, device, bus = 1, atMs = 0, status, setup } = packet;
  const data = packet.data ?? new Uint8Array(0);
  const out = (endpoint & 0x80) === 0;
  const header = fields(linkType === 189 ? 48 : 64, (view) => {
    view.setBigUint64(0, id, le);
    view.setUint8(8, type.charCodeAt(0));
    view.setUint8(9, transfer);
    view.setUint8(10, endpoint);
    view.setUint8(11, device);
    view.setUint16(12, bus, le);
    view.setUint8(14, setup === undefined ? 0x2d : 0);
    view.setUint8(15, data.length > 0 ? 0 : (out ? ">" : "<").charCodeAt(0));
    view.setBigInt64(16, BigInt(startSeconds + Math.floor(atMs / 1000)), le);
    view.setInt32(24, Math.round((atMs % 1000) * 1000), le);
    view.setInt32(28, status ?? (type === "S" ? -115 : 0), le);
    view.setUint32(32, packet.length ?? data.length, le);
    view.setUint32(36, data.length, le);
    for (const [i, byte] of (setup ?? new Uint8Array(0)).entries()) view.setUint8(40 + i, byte);
  });
  return concatBytes(header, data);
}

function fields(sizeBytes: number, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  fill(new DataView(bytes.buffer));
  return bytes;
}

/** Packets of a bus, with URB ids that are used again as the kernel does. */
export function busWriter() {
  const packets: MonPacket[] = [];
  let atMs = 0;
  const tick = () => {
    atMs += 0.125;
    return atMs;
  };
  return {
    packets,
    /** One OUT transfer that is taken whole. */
    out(device: number, endpoint: number, data: Uint8Array, id = 0xffff_8881_0000_0000n): void {
      packets.push({ id, type: "S", endpoint, device, data, atMs: tick() });
      packets.push({ id, type: "C", endpoint, device, length: data.length, atMs: tick() });
    },
    /** One IN transfer of `size` bytes that brings `data`. */
    in(device: number, endpoint: number, size: number, data: Uint8Array, id = 0xffff_8881_0000_0040n): void {
      packets.push({ id, type: "S", endpoint, device, length: size, atMs: tick() });
      packets.push({ id, type: "C", endpoint, device, data, atMs: tick() });
    },
    /** One IN transfer that ends with an error after `waitMs`. */
    failedIn(device: number, endpoint: number, size: number, status: number, waitMs = 0): void {
      const id = 0xffff_8881_0000_0080n;
      packets.push({ id, type: "S", endpoint, device, length: size, atMs: tick() });
      atMs += waitMs;
      packets.push({ id, type: "C", endpoint, device, length: 0, status, atMs: tick() });
    },
    /** Anything else. */
    raw(packet: MonPacket): void {
      packets.push({ ...packet, atMs: tick() });
    },
  };
}
