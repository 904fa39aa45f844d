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

const letterS = 0x53;
const addressSpaceBytes = 2 ** 32;

interface RecordType {
  readonly addressBytes: number;
  readonly holds: "header" | "data" | "count" | "end";
}

/** Record types (Motorola S-record; M68000 Family Programmer's Reference Manual, appendix C). S4 is reserved. */
const recordTypes: Readonly<Record<string, RecordType>> = {
  0: { addressBytes: 2, holds: "header" },
  1: { addressBytes: 2, holds: "data" },
  2: { addressBytes: 3, holds: "data" },
  3: { addressBytes: 4, holds: "data" },
  5: { addressBytes: 2, holds: "count" },
  6: { addressBytes: 3, holds: "count" },
  7: { addressBytes: 4, holds: "end" },
  8: { addressBytes: 3, holds: "end" },
  9: { addressBytes: 2, holds: "end" },
};

/**
 * Reads Motorola S-records (S0..S3, S5..S9; upper- or lower-case digits; any line end) in one pass.
 * Every checksum and record count is verified; a termination record must be there and be the last.
 * An entry point of 0 is what tools write when they know none, so it is left out.
 * @param text the file's bytes
 * @param source file name for messages
 * @throws FIRMWARE_INVALID with the line
 */
export function parseSRecords(text: Uint8Array, source: string): ParsedFirmware {
  const memory = recordMemory(text.length);
  const out = memory.bytes;
  const position = { offset: 0, line: 1 };
  const invalid = (detail: string) => invalidLine(source, "S-record", position.line, detail);
  let entry = 0;
  let ended = false;
  let dataRecords = 0;
  for (skipBlanks(text, position); position.offset < text.length; skipBlanks(text, position)) {
    if (ended) throw invalid("something follows the termination record");
    let at = position.offset;
    const typeCode = text[at + 1];
    if (text[at] !== letterS || typeCode === undefined) throw invalid("a record must begin with S");
    const type = recordTypes[String.fromCharCode(typeCode)];
    if (type === undefined) throw invalid(`unknown record type S${String.fromCharCode(typeCode)}`);
    at += 2;
    const count = byteAt(text, at);
    const end = at + 2 + 2 * count;
    if (at + 2 > text.length || (count < notHexadecimal && end > text.length)) {
      throw invalid("the record is cut off");
    }
    if (count >= notHexadecimal) throw invalid("a character is not a hexadecimal digit");
    at += 2;
    const sizeBytes = count - type.addressBytes - 1;
    if (sizeBytes < 0 || ((type.holds === "count" || type.holds === "end") && sizeBytes > 0)) {
      throw invalid(`a record of this type cannot have a count of ${count}`);
    }
    let sum = count;
    let all = count;
    let address = 0;
    for (let i = 0; i < type.addressBytes; i++, at += 2) {
      const value = byteAt(text, at);
      all |= value;
      sum += value;
      address = address * 0x100 + value;
    }
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
    if (((sum + checksum) & 0xff) !== 0xff) {
      throw invalid(`the checksum is ${hexNumber(checksum, 2)} instead of ${hexNumber(~sum & 0xff, 2)}`);
    }
    if (!isRecordEnd(text, end)) throw invalid(`the record is longer than its count of ${count} bytes`);
    switch (type.holds) {
      case "header":
        break;
      case "data":
        if (address + sizeBytes > addressSpaceBytes) throw invalid("the record passes the end of memory");
        if (sizeBytes > 0) keepRecord(memory, address, sizeBytes, position.line);
        dataRecords++;
        break;
      case "count":
        if (address !== dataRecords) {
          throw invalid(`the file should have ${address} data records, ${dataRecords} were found`);
        }
        break;
      case "end":
        entry = address;
        ended = true;
        break;
    }
    position.offset = end;
  }
  if (!ended) throw invalid("the termination record is missing");
  return { pieces: piecesOf(memory, source), ...(entry === 0 ? {} : { entry }) };
}
