import { hexNumber } from "../bytes/hex.ts";
import { ByteReader } from "../bytes/reader.ts";
import { StationError } from "../errors/station-error.ts";
import type { Placed } from "./segments.ts";
import type { ParsedFirmware } from "./text-records.ts";

/*
 * ELF for Arm, 32-bit little-endian (System V ABI, chapters 4 and 5; ELF for the Arm Architecture, AAELF32).
 */

/** First four bytes of every ELF file. */
export const elfMagic = Uint8Array.of(0x7f, 0x45, 0x4c, 0x46);
const headerSizeBytes = 52;
const programHeaderSizeBytes = 32;
const sectionHeaderSizeBytes = 40;
const class32 = 1;
const littleEndian = 1;
const executable = 2;
const machineArm = 40;
const loadable = 1; // PT_LOAD
const noBits = 8; // SHT_NOBITS
const allocated = 2; // SHF_ALLOC
const addressSpaceBytes = 2 ** 32;

interface LoadSegment {
  readonly number: number;
  readonly offset: number;
  readonly address: number;
  readonly sizeBytes: number;
}

/** File offsets that allocated sections fill. */
interface SectionSpan {
  readonly start: number;
  readonly end: number;
}

type Fail = (offset: number, detail: string) => StationError;

/**
 * Reads the loadable segments of an ELF executable at their physical (load) addresses.
 * Where there is a section table a segment is trimmed to its allocated sections: linkers with a large page size put the
 * ELF header itself into the first segment, in front of the flash.
 * @param bytes the whole file; pieces are views of it
 * @param source file name for messages
 * @throws FIRMWARE_INVALID with the offset
 */
export function parseElf(bytes: Uint8Array, source: string): ParsedFirmware {
  const fail: Fail = (offset, detail) =>
    StationError.of("FIRMWARE_INVALID", {
      file: source,
      format: "ELF",
      position: `offset ${hexNumber(offset)}`,
      detail,
    });
  if (bytes.length < headerSizeBytes) throw fail(bytes.length, "the file ends within its header");
  const header = readHeader(new ByteReader(bytes), fail);
  const sections = readSections(bytes, header, fail);
  const pieces = readSegments(bytes, header, fail).flatMap((segment) =>
    trimmed(bytes, source, segment, sections),
  );
  return { pieces, ...(header.entry === 0 ? {} : { entry: header.entry }) };
}

interface ElfHeader {
  readonly entry: number;
  readonly programOffset: number;
  readonly sectionOffset: number;
  readonly programSizeBytes: number;
  readonly programCount: number;
  readonly sectionSizeBytes: number;
  readonly sectionCount: number;
}

function readHeader(reader: ByteReader, fail: Fail): ElfHeader {
  if (reader.bytes(4).some((byte, i) => byte !== elfMagic[i])) throw fail(0, "it does not begin as an ELF");
  if (reader.u8() !== class32) throw fail(4, "it is not a 32-bit file");
  if (reader.u8() !== littleEndian) throw fail(5, "it is not little-endian");
  reader.skip(10); // 6: version, ABI, padding
  const type = reader.u16(); // 16
  if (type !== executable) throw fail(16, `it is not a linked executable (type ${type})`);
  const machine = reader.u16(); // 18
  if (machine !== machineArm) throw fail(18, `it is not for Arm (machine ${machine})`);
  reader.skip(4); // 20: version
  const entry = reader.u32(); // 24
  const programOffset = reader.u32(); // 28
  const sectionOffset = reader.u32(); // 32
  reader.skip(6); // 36: flags, size of this header
  const programSizeBytes = reader.u16(); // 42
  const programCount = reader.u16(); // 44
  const sectionSizeBytes = reader.u16(); // 46
  const sectionCount = reader.u16(); // 48
  return {
    entry,
    programOffset,
    sectionOffset,
    programSizeBytes,
    programCount,
    sectionSizeBytes,
    sectionCount,
  };
}

function readSegments(bytes: Uint8Array, header: ElfHeader, fail: Fail): LoadSegment[] {
  const { programOffset, programSizeBytes, programCount } = header;
  if (programCount > 0 && programSizeBytes < programHeaderSizeBytes) {
    throw fail(42, `program headers of ${programSizeBytes} bytes are too small`);
  }
  const segments: LoadSegment[] = [];
  for (let number = 0; number < programCount; number++) {
    const at = programOffset + number * programSizeBytes;
    if (at + programHeaderSizeBytes > bytes.length) {
      throw fail(at, `program header ${number} lies behind the end`);
    }
    const reader = new ByteReader(bytes.subarray(at, at + programHeaderSizeBytes));
    const type = reader.u32(); // 0
    const offset = reader.u32(); // 4
    reader.skip(4); // 8: virtual address
    const address = reader.u32(); // 12: physical address
    const sizeBytes = reader.u32(); // 16: in the file
    if (type !== loadable || sizeBytes === 0) continue;
    if (offset + sizeBytes > bytes.length) throw fail(at, `segment ${number} passes the end of the file`);
    if (address + sizeBytes > addressSpaceBytes) throw fail(at, `segment ${number} passes the end of memory`);
    segments.push({ number, offset, address, sizeBytes });
  }
  return segments;
}

function readSections(bytes: Uint8Array, header: ElfHeader, fail: Fail): SectionSpan[] {
  const { sectionOffset, sectionSizeBytes, sectionCount } = header;
  if (sectionCount > 0 && sectionSizeBytes < sectionHeaderSizeBytes) {
    throw fail(46, `section headers of ${sectionSizeBytes} bytes are too small`);
  }
  const spans: SectionSpan[] = [];
  for (let number = 0; number < sectionCount; number++) {
    const at = sectionOffset + number * sectionSizeBytes;
    if (at + sectionHeaderSizeBytes > bytes.length) {
      throw fail(at, `section header ${number} lies behind the end`);
    }
    const reader = new ByteReader(bytes.subarray(at, at + sectionHeaderSizeBytes));
    reader.skip(4); // 0: name
    const type = reader.u32(); // 4
    const flags = reader.u32(); // 8
    reader.skip(4); // 12: address
    const start = reader.u32(); // 16
    const sizeBytes = reader.u32(); // 20
    if (type !== noBits && (flags & allocated) !== 0 && sizeBytes > 0)
      spans.push({ start, end: start + sizeBytes });
  }
  return spans;
}

/** The segment from its first to its last allocated section; whole when the file has no such sections. */
function trimmed(
  bytes: Uint8Array,
  source: string,
  segment: LoadSegment,
  sections: readonly SectionSpan[],
): Placed[] {
  const segmentEnd = segment.offset + segment.sizeBytes;
  const inside = sections.filter(({ start, end }) => start >= segment.offset && end <= segmentEnd);
  if (sections.length > 0 && inside.length === 0) return [];
  const start = inside.reduce((least, span) => Math.min(least, span.start), segmentEnd);
  const end = inside.reduce((most, span) => Math.max(most, span.end), segment.offset);
  const [from, to] = inside.length === 0 ? [segment.offset, segmentEnd] : [start, end];
  return [
    {
      name: `${source} (segment ${segment.number})`,
      address: segment.address + from - segment.offset,
      data: bytes.subarray(from, to),
    },
  ];
}
