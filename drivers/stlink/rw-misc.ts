import { alignUp } from "../../src/bytes/numbers.ts";
import { ByteReader } from "../../src/bytes/reader.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";
import type { MemoryOperation } from "../../src/ports/index.ts";
import { type Command, debugBlock, nothing } from "./command.ts";

/** Operation codes of RW_MISC (OpenOCD stlink_usb.c, psdb). */
const code = { address: 1, write: 2, read: 3, accessPort: 5 } as const;

/** One operation of an RW_MISC command. */
export interface MiscOperation {
  readonly code: number;
  readonly argument: number;
}

/** What one operation answered. */
export interface MiscResult {
  /** What a READ read; 0 for the others. */
  readonly value: number;
  readonly status: number;
}

/** As many memory operations as fit into one RW_MISC command. */
export interface MiscSegment {
  readonly operations: readonly MemoryOperation[];
  readonly frames: readonly MiscOperation[];
  /** For each of `operations` the index in `frames` where it is carried out. */
  readonly places: readonly number[];
}

/**
 * The first RW_MISC command for `operations`: APNUM, then READ for reads and ADDRESS, WRITE for writes.
 * WRITE does not advance the address, so ADDRESS is left out between writes to one place.
 * @param limit most operations the probe takes, APNUM and ADDRESS included; at least 3
 */
export function miscSegment(operations: readonly MemoryOperation[], ap: number, limit: number): MiscSegment {
  const frames: MiscOperation[] = [{ code: code.accessPort, argument: ap }];
  const places: number[] = [];
  let writeAddress: number | undefined;
  for (const operation of operations) {
    const needsAddress = operation.kind === "write" && operation.address !== writeAddress;
    if (frames.length + (needsAddress ? 2 : 1) > limit) break;
    if (operation.kind === "read") {
      frames.push({ code: code.read, argument: operation.address });
      writeAddress = undefined; // nobody documents whether READ moves it
    } else {
      if (needsAddress) frames.push({ code: code.address, argument: operation.address });
      frames.push({ code: code.write, argument: operation.value });
      writeAddress = operation.address;
    }
    places.push(frames.length - 1);
  }
  return { operations: operations.slice(0, places.length), frames, places };
}

/**
 * F2 51 RW_MISC_OUT: number of operations u32 @2. Data: the operation bytes, zero padded to a multiple of 4, then one
 * u32 argument for each. There is no room for CSW attributes.
 */
export function rwMiscOut(operations: readonly MiscOperation[], ap: number): Command<undefined> {
  const codesBytes = alignUp(operations.length, 4);
  const data = new ByteWriter(codesBytes + 4 * operations.length);
  for (const operation of operations) data.u8(operation.code);
  data.skip(codesBytes - operations.length);
  for (const operation of operations) data.u32(operation.argument);
  return {
    name: "RW_MISC_OUT",
    frame: debugBlock(0x51, (w) => w.u32(operations.length)),
    data: data.finish(),
    replyBytes: 0,
    statusFrom: "nowhere",
    repeatable: "never",
    place: { ap },
    unpack: nothing,
  };
}

/** F2 52 RW_MISC_IN: 8 bytes for each operation; all values u32 first, then all statuses u32. */
export function rwMiscIn(count: number, ap: number): Command<readonly MiscResult[]> {
  return {
    name: "RW_MISC_IN",
    frame: debugBlock(0x52),
    replyBytes: 8 * count,
    statusFrom: "nowhere",
    repeatable: "never",
    place: { ap },
    unpack: (reply) => {
      const reader = new ByteReader(reply);
      const values = Array.from({ length: count }, () => reader.u32());
      return values.map((value) => ({ value, status: reader.u32() & 0xff }));
    },
  };
}

/** F2 53 RW_MISC_GET_MAX, in debug mode only: 2 bytes, the most operations one RW_MISC may have (psdb). */
export function rwMiscGetMax(): Command<number> {
  return {
    name: "RW_MISC_GET_MAX",
    frame: debugBlock(0x53),
    replyBytes: 2,
    statusFrom: "nowhere",
    repeatable: "same-connection",
    place: {},
    unpack: (reply) => new ByteReader(reply).u16(),
  };
}
