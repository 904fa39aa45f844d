import { hex32, toHex } from "../../../src/bytes/hex.ts";
import { alignUp } from "../../../src/bytes/numbers.ts";
import { statusEntry, statusOk } from "../../stlink/status.ts";
import type { CommandEntry } from "./assemble.ts";
import { fieldOf } from "./fields.ts";
import { apRegister, bitNames, coreRegisterName, dpRegister, memoryRegister } from "./registers.ts";

/** One operation of an RW_MISC, as sent. */
export interface MiscOperation {
  readonly code: number;
  readonly argument: number;
}

const debugPort = 0xffff;
const shownBytes = 16;
/** Operation codes of RW_MISC (OpenOCD, psdb). */
const misc = { address: 1, write: 2, read: 3, accessPort: 5 } as const;

/**
 * What a command did on the target's side, a line each; empty for commands to the probe itself.
 * @param pending operations of the last RW_MISC_OUT, which its reply belongs to
 */
export function meaningOf(entry: CommandEntry, pending: readonly MiscOperation[]): string[] {
  const { shape, frame, out } = entry;
  const reply = entry.reply ?? new Uint8Array(0);
  const u32 = (bytes: Uint8Array, at: number) => fieldOf(bytes, { at, bytes: 4 });
  const u16 = (bytes: Uint8Array, at: number) => fieldOf(bytes, { at, bytes: 2 });
  const access = shape?.access;
  switch (access?.kind) {
    case undefined:
      return [];
    case "idcodes":
      return reply.length < 8 ? [] : [`DP read DPIDR = ${hex32(u32(reply, 4))}`];
    case "last-status":
      return statusEntry(reply[0] ?? statusOk).action === "ok"
        ? []
        : ["the memory access before this failed; bytes it read mean nothing"];
    case "dap-read":
      return reply.length < 8 ? [] : [dapLine(u16(frame, 2), u16(frame, 4), u32(reply, 4), false)];
    case "dap-write":
      return [dapLine(u16(frame, 2), u16(frame, 4), u32(frame, 6), true)];
    case "word-read":
      return reply.length < 8 ? [] : [wordLine(frame[6] ?? 0, u32(frame, 2), u32(reply, 4), false)];
    case "word-write":
      return [wordLine(frame[10] ?? 0, u32(frame, 2), u32(frame, 6), true)];
    case "core-read":
      return reply.length < 8
        ? []
        : [`core read ${coreRegisterName(frame[2] ?? 0)} = ${hex32(u32(reply, 4))}`];
    case "core-write":
      return [`core write ${coreRegisterName(frame[2] ?? 0)} = ${hex32(u32(frame, 3))}`];
    case "memory-read":
      return entry.reply === undefined ? [] : [blockLine(frame, reply.subarray(0, u16(frame, 6)), false)];
    case "memory-write":
      return [blockLine(frame, out, true)];
    case "misc-out":
      return miscLines(miscOperations(entry), undefined);
    case "misc-in":
      return reply.length < 8 * pending.length ? [] : miscLines(pending, reply);
  }
}

/** Operations of an RW_MISC_OUT: codes padded to a multiple of 4, then one argument each. */
export function miscOperations({ frame, out }: CommandEntry): MiscOperation[] {
  const count = fieldOf(frame, { at: 2, bytes: 4 });
  const first = alignUp(count, 4);
  if (out.length < first + 4 * count) return [];
  return Array.from({ length: count }, (_, i) => ({
    code: out[i] ?? 0,
    argument: fieldOf(out, { at: first + 4 * i, bytes: 4 }),
  }));
}

function dapLine(port: number, register: number, value: number, writes: boolean): string {
  const named = port === debugPort ? dpRegister(register, writes) : apRegister(register);
  const verb = writes ? "write" : "read";
  return `${port === debugPort ? "DP" : `AP${port}`} ${verb} ${named.name} = ${hex32(value)}${bitNames(named, value)}`;
}

function wordLine(ap: number, address: number, value: number, writes: boolean): string {
  const named = memoryRegister(address, writes);
  const place = named === undefined ? hex32(address) : `${named.name} (${hex32(address)})`;
  const bits = named === undefined ? "" : bitNames(named, value);
  return `AP${ap} ${writes ? "write" : "read"} ${place} = ${hex32(value)}${bits}`;
}

/** A memory block; one aligned word is told like a register. */
function blockLine(frame: Uint8Array, data: Uint8Array, writes: boolean): string {
  const address = fieldOf(frame, { at: 2, bytes: 4 });
  const ap = frame[8] ?? 0;
  const csw = fieldOf(frame, { at: 9, bytes: 3 });
  const attributes = csw === 0 ? "" : `, CSW ${hex32(csw * 256)}`;
  if (data.length === 4 && address % 4 === 0) {
    return `${wordLine(ap, address, fieldOf(data, { at: 0, bytes: 4 }), writes)}${attributes}`;
  }
  const pairs = (toHex(data.subarray(0, shownBytes)).match(/../g) ?? []).join(" ");
  const more = data.length > shownBytes ? " …" : "";
  const verb = writes ? "write" : "read";
  return `AP${ap} ${verb} ${data.length} bytes at ${hex32(address)}${attributes}: ${pairs}${more}`;
}

/** Writes are told when they are sent, reads when their values have come; a failed operation is told with its status. */
function miscLines(operations: readonly MiscOperation[], reply: Uint8Array | undefined): string[] {
  const lines: string[] = [];
  let ap = 0;
  let address: number | undefined;
  for (const [i, { code, argument }] of operations.entries()) {
    if (code === misc.accessPort) ap = argument;
    else if (code === misc.address) address = argument;
    else if (code === misc.write && reply === undefined) {
      lines.push(address === undefined ? "write without an address" : wordLine(ap, address, argument, true));
    } else if (code === misc.read && reply !== undefined) {
      lines.push(wordLine(ap, argument, fieldOf(reply, { at: 4 * i, bytes: 4 }), false));
    }
    if (reply === undefined) continue;
    const status = fieldOf(reply, { at: 4 * (operations.length + i), bytes: 1 });
    const { name, action } = statusEntry(status);
    if (action !== "ok") lines.push(`operation ${i} of RW_MISC: ${name}`);
  }
  return lines;
}
