import { hexNumber } from "../bytes/hex.ts";
import {
  byteAt,
  digitValues,
  invalidLine,
  isRecordEnd,
  keepRecord,
  notHexadecimal,
  type ParsedFirmware,
  piecesOf,
  recordMemory,
  skipBlanks,
} from "./text-records.ts";

const colon = 0x3a;
/** Count, address (2), type and checksum: what every record has beside its data. */
const overheadBytes = 5;
const addressSpaceBytes = 2 ** 32;

/** Record types (Intel Hexadecimal Object File Format Specification, revision A) and the data bytes each must have. */
const recordTypes = {
  data: { code: 0, sizeBytes: undefined },
  end: { code: 1, sizeBytes: 0 },
  extendedSegmentAddress: { code: 2, sizeBytes: 2 },
  startSegmentAddress: { code: 3, sizeBytes: 4 },
  extendedLinearAddress: { code: 4, sizeBytes: 2 },
  startLinearAddress: { code: 5, sizeBytes: 4 },
} as const;
const requiredSizes = new Map<number, number | undefined>(
  Object.values(recordTypes).map(({ code, sizeBytes }) => [code, sizeBytes]),
);

/**
 * Reads Intel HEX (all six record types of revision A; upper- or lower-case digits; any line end) in one pass.
 * Every checksum is verified; the end record must be there and be the last, so that a truncated file is noticed.
 * @param text the file's bytes
 * @param source file name for messages
 * @throws FIRMWARE_INVALID with the line
 */
export function parseIntelHex(text: Uint8Array, source: string): ParsedFirmware {
  const memory = recordMemory(text.length);
  const out = memory.bytes;
  const position = { offset: 0, line: 1 };
  const invalid = (detail: string) => invalidLine(source, "Intel HEX", position.line, detail);
  let base = 0;
  let segmented = false;
  let entry: number | undefined;
  let ended = false;
  for (skipBlanks(text, position); position.offset < text.length; skipBlanks(text, position)) {
    if (ended) throw invalid("something follows the end record");
    let at = position.offset;
    if (text[at] !== colon) throw invalid("a record must begin with a colon");
    at++;
    const count = byteAt(text, at);
    const end = at + 2 * (overheadBytes + count);
    if (at + 2 > text.length || (count < notHexadecimal && end > text.length)) {
      throw invalid("the record is cut off");
    }
    if (count >= notHexadecimal) throw invalid("a character is not a hexadecimal digit");
    const high = byteAt(text, at + 2);
    const low = byteAt(text, at + 4);
    const type = byteAt(text, at + 6);
    at += 8;
    let sum = count + high + low + type;
    let all = count | high | low | type;
    let write = memory.usedBytes;
    for (const dataEnd = end - 2; at < dataEnd; at += 2) {
      const value =
        ((digitValues[text[at] as number] as number) << 4) | (digitValues[text[at + 1] as number] as number);
      all |= value;
      sum += value;
      out[write++] = value;
    }
    const checksum = byteAt(text, at);
    if ((all | checksum) >= notHexadecimal) throw invalid("a character is not a hexadecimal digit");
    if (((sum + checksum) & 0xff) !== 0) {
      throw invalid(`the checksum is ${hexNumber(checksum, 2)} instead of ${hexNumber(-sum & 0xff, 2)}`);
    }
    if (!isRecordEnd(text, end)) throw invalid(`the record is longer than its count of ${count} bytes`);
    const start = memory.usedBytes;
    const required = requiredSizes.get(type);
    if (required !== undefined && required !== count) {
      throw invalid(
        `a record of type ${hexNumber(type, 2)} must have ${required} data bytes, this one has ${count}`,
      );
    }
    switch (type) {
      case recordTypes.data.code: {
        const offset = (high << 8) | low;
        if (segmented && offset + count > 0x10000) throw invalid("the record passes the end of its segment");
        if (base + offset + count > addressSpaceBytes) throw invalid("the record passes the end of memory");
        if (count > 0) keepRecord(memory, base + offset, count, position.line);
        break;
      }
      case recordTypes.end.code:
        ended = true;
        break;
      case recordTypes.extendedSegmentAddress.code:
        base = word16(out, start) * 0x10;
        segmented = true;
        break;
      case recordTypes.startSegmentAddress.code:
        entry = word16(out, start) * 0x10 + word16(out, start + 2);
        break;
      case recordTypes.extendedLinearAddress.code:
        base = word16(out, start) * 0x10000;
        segmented = false;
        break;
      case recordTypes.startLinearAddress.code:
        entry = word16(out, start) * 0x10000 + word16(out, start + 2);
        break;
      default:
        throw invalid(`unknown record type ${hexNumber(type, 2)}`);
    }
    position.offset = end;
  }
  if (!ended) throw invalid("the end record is missing");
  return { pieces: piecesOf(memory, source), ...(entry === undefined ? {} : { entry }) };
}

function word16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number);
}
