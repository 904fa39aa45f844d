import { ByteReader } from "../../src/bytes/reader.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";
import type { TargetPlace } from "./status.ts";

/** One command of the probe protocol: its 16-byte block, its data phase and how to read its reply. */
export interface Command<Reply> {
  /** Name for messages. */
  readonly name: string;
  /** The 16-byte block sent on the OUT endpoint. */
  readonly frame: Uint8Array;
  /** OUT data phase behind the block, where the command has one. */
  readonly data?: Uint8Array;
  /** Exact length of the IN data phase; 0 for none. */
  readonly replyBytes: number;
  /** Where its status is: nowhere, in byte 0 of the reply, or to be asked for with GETLASTRWSTATUS2. */
  readonly statusFrom: "nowhere" | "reply" | "last-rw";
  /** Whether a repetition after a broken transfer does no harm, and whether it still means the same after a USB reset. */
  readonly repeatable: "never" | "same-connection" | "always";
  /** Where in the target it works; absent for commands to the probe itself. */
  readonly place?: TargetPlace;
  /** Reads the reply, complete and of exactly `replyBytes`. @throws PROBE_PROTOCOL when it cannot be a reply to this. */
  readonly unpack: (reply: Uint8Array) => Reply;
}

const frameBytes = 16;
const debugCommand = 0xf2;

/** What fills a block from the writer's position on. */
export type Fill = (writer: ByteWriter) => ByteWriter;

/** A 16-byte block, zero filled; `fill` writes from byte 0 on. */
export function block(fill: Fill): Uint8Array {
  return fill(new ByteWriter(frameBytes)).finish();
}

/** A debug command: bytes 0..1 are F2 and the operation; `fill` writes from byte 2 on. */
export function debugBlock(operation: number, fill: Fill = (writer) => writer): Uint8Array {
  return block((writer) => fill(writer.u8(debugCommand).u8(operation)));
}

/** For commands whose reply carries nothing but a status. */
export const nothing = (): undefined => undefined;

/** Value at bytes 4..7, behind a status that takes 4 bytes. */
export function wordAt4(reply: Uint8Array): number {
  const reader = new ByteReader(reply);
  reader.skip(4);
  return reader.u32();
}

/** A command that nothing comes back from. */
export function silent(name: string, frame: Uint8Array): Command<undefined> {
  return { name, frame, replyBytes: 0, statusFrom: "nowhere", repeatable: "never", unpack: nothing };
}

/** A debug command that answers two bytes: status @0, reserved @1. `more` says what else it differs in. */
export function answering(
  name: string,
  operation: number,
  fill: Fill,
  more: Partial<Pick<Command<undefined>, "place" | "repeatable" | "replyBytes">> = {},
): Command<undefined> {
  const common = { replyBytes: 2, statusFrom: "reply", repeatable: "never", unpack: nothing } as const;
  return { name, frame: debugBlock(operation, fill), ...common, ...more };
}
