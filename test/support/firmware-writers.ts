import { toHex } from "../../src/bytes/hex.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";
import type { Segment } from "../../src/firmware/segments.ts";

/** Text as the bytes of a file. */
export function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** One Intel HEX record with its checksum, without a line end. */
export function hexRecord(type: number, offset: number, data: Uint8Array): string {
  const body = [data.length, offset >>> 8, offset & 0xff, type, ...data];
  const checksum = -body.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return `:${toHex(Uint8Array.from([...body, checksum])).toUpperCase()}`;
}

export interface HexOptions {
  readonly recordBytes?: number;
  readonly lineEnd?: string;
  readonly entry?: number;
}

/** Intel HEX with extended linear addresses. */
export function writeIntelHex(segments: readonly Segment[], options: HexOptions = {}): string {
  const { recordBytes = 16, lineEnd = "\n", entry } = options;
  const records: string[] = [];
  let upper = 0;
  for (const { address, data } of segments) {
    for (let done = 0; done < data.length; ) {
      const at = address + done;
      const here = Math.floor(at / 0x10000);
      if (here !== upper) {
        records.push(hexRecord(4, 0, Uint8Array.of(here >>> 8, here & 0xff)));
        upper = here;
      }
      const count = Math.min(recordBytes, data.length - done, 0x10000 - (at % 0x10000));
      records.push(hexRecord(0, at % 0x10000, data.subarray(done, done + count)));
      done += count;
    }
  }
  if (entry !== undefined) records.push(hexRecord(5, 0, new ByteWriter(4).u32be(entry).finish()));
  records.push(hexRecord(1, 0, new Uint8Array(0)));
  return records.join(lineEnd) + lineEnd;
}

/** One S-record with its checksum, without a line end. */
export function sRecord(type: number, addressBytes: number, address: number, data: Uint8Array): string {
  const count = addressBytes + data.length + 1;
  const digits = Array.from(
    { length: addressBytes },
    (_, i) => Math.floor(address / 0x100 ** (addressBytes - 1 - i)) % 0x100,
  );
  const body = [count, ...digits, ...data];
  const checksum = ~body.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return `S${type}${toHex(Uint8Array.from([...body, checksum])).toUpperCase()}`;
}

/** S-records of type 1, 2 or 3 with header, count and termination. */
export function writeSRecords(
  segments: readonly Segment[],
  { type = 3, recordBytes = 16, entry = 0 }: { type?: 1 | 2 | 3; recordBytes?: number; entry?: number } = {},
): string {
  const records = [sRecord(0, 2, 0, textBytes("test"))];
  let count = 0;
  for (const { address, data } of segments) {
    for (let done = 0; done < data.length; done += recordBytes) {
      records.push(sRecord(type, type + 1, address + done, data.subarray(done, done + recordBytes)));
      count++;
    }
  }
  records.push(
    count <= 0xffff ? sRecord(5, 2, count, new Uint8Array(0)) : sRecord(6, 3, count, new Uint8Array(0)),
  );
  records.push(sRecord(10 - type, type + 1, entry, new Uint8Array(0)));
  return `${records.join("\n")}\n`;
}

export interface ElfSegment {
  readonly type?: number;
  readonly address: number;
  readonly data: Uint8Array;
  readonly memorySizeBytes?: number;
}

/** A section of the file; offsets count within the segment that `writeElf` packs it into. */
export interface ElfSection {
  readonly segment: number;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly type?: number;
  readonly flags?: number;
}

/** A 32-bit little-endian Arm executable: header, program headers, section headers, then the segments' bytes. */
export function writeElf(
  segments: readonly ElfSegment[],
  { entry = 0, sections = [] }: { entry?: number; sections?: readonly ElfSection[] } = {},
): Uint8Array {
  const dataStart = 52 + 32 * segments.length + 40 * sections.length;
  const offsets: number[] = [];
  let end = dataStart;
  for (const { data } of segments) {
    offsets.push(end);
    end += data.length;
  }
  const writer = new ByteWriter(end)
    .bytes(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    .u16(2) // executable
    .u16(40) // Arm
    .u32(1)
    .u32(entry)
    .u32(52) // program headers
    .u32(sections.length === 0 ? 0 : 52 + 32 * segments.length)
    .u32(0x05000200)
    .u16(52)
    .u16(32)
    .u16(segments.length)
    .u16(40)
    .u16(sections.length)
    .u16(0);
  segments.forEach(({ type = 1, address, data, memorySizeBytes = data.length }, i) => {
    writer
      .u32(type)
      .u32(offsets[i]!)
      .u32(0x20000000) // virtual address: not where it is loaded
      .u32(address)
      .u32(data.length)
      .u32(memorySizeBytes)
      .u32(5)
      .u32(4);
  });
  for (const { segment, offset, sizeBytes, type = 1, flags = 2 } of sections) {
    writer
      .u32(0)
      .u32(type)
      .u32(flags)
      .u32(0)
      .u32(offsets[segment]! + offset)
      .u32(sizeBytes)
      .skip(16);
  }
  for (const { data } of segments) writer.bytes(data);
  return writer.finish();
}
