import { StationError } from "../errors/station-error.ts";
import type { Placed } from "./segments.ts";

/** What a parser makes of a file. */
export interface ParsedFirmware {
  /** Pieces in file order, not yet sorted or checked for overlap. */
  readonly pieces: readonly Placed[];
  readonly entry?: number;
}

/** Set in a value that came from a character that is no hexadecimal digit; survives shifting by 4 and OR. */
export const notHexadecimal = 0x1000;

/** Value of each ASCII hexadecimal digit, `notHexadecimal` for every other byte. */
export const digitValues: Uint16Array = Uint16Array.from({ length: 256 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? notHexadecimal : value;
});

/** Two digits as a byte; at least `notHexadecimal` when one is none or the text ends. */
export function byteAt(text: Uint8Array, offset: number): number {
  const high = digitValues[text[offset] ?? 0] as number;
  const low = digitValues[text[offset + 1] ?? 0] as number;
  return (high << 4) | low;
}

/** Consecutive records that continue each other. */
interface Run {
  readonly address: number;
  readonly offset: number;
  readonly line: number;
  sizeBytes: number;
}

/** Decoded bytes in file order and where they belong. */
export interface RecordMemory {
  /** Bytes of all records one behind the other; allocated once, as large as the text can fill. */
  readonly bytes: Uint8Array;
  readonly runs: Run[];
  usedBytes: number;
}

/** Memory for the records of a text of that size: two digits make a byte. */
export function recordMemory(textSizeBytes: number): RecordMemory {
  return { bytes: new Uint8Array(textSizeBytes >>> 1), runs: [], usedBytes: 0 };
}

/** Notes that the `sizeBytes` bytes just written behind `usedBytes` belong at `address`. */
export function keepRecord(memory: RecordMemory, address: number, sizeBytes: number, line: number): void {
  const last = memory.runs.at(-1);
  if (last !== undefined && last.address + last.sizeBytes === address) last.sizeBytes += sizeBytes;
  else memory.runs.push({ address, offset: memory.usedBytes, line, sizeBytes });
  memory.usedBytes += sizeBytes;
}

/** The collected runs as views of the one buffer, named after the line where each begins. */
export function piecesOf(memory: RecordMemory, source: string): Placed[] {
  return memory.runs.map(({ address, offset, sizeBytes, line }) => ({
    name: `${source} (from line ${line})`,
    address,
    data: memory.bytes.subarray(offset, offset + sizeBytes),
  }));
}

/** Where the text is being read. */
export interface TextPosition {
  offset: number;
  /** From 1. */
  line: number;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const tab = 0x09;

/** Steps over blanks and line ends of any kind (LF, CR LF, CR), counting lines. */
export function skipBlanks(text: Uint8Array, position: TextPosition): void {
  for (; position.offset < text.length; position.offset++) {
    const code = text[position.offset];
    if (code === lineFeed) position.line++;
    else if (code === carriageReturn) {
      if (text[position.offset + 1] !== lineFeed) position.line++;
    } else if (code !== space && code !== tab) return;
  }
}

/** True when a record may end here: at a blank, a line end or the end of the text. */
export function isRecordEnd(text: Uint8Array, offset: number): boolean {
  const code = text[offset];
  return code === undefined || code === lineFeed || code === carriageReturn || code === space || code === tab;
}

/** FIRMWARE_INVALID for a line of a text format. */
export function invalidLine(source: string, format: string, line: number, detail: string): StationError {
  return StationError.of("FIRMWARE_INVALID", { file: source, format, position: `line ${line}`, detail });
}
