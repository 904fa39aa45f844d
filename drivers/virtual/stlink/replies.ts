import { ByteWriter } from "../../../src/bytes/writer.ts";
import type { CommandName, Phase } from "./commands.ts";

/** Length in bytes of the replies that are longer than the usual two. */
const replyBytes: Partial<Record<CommandName, number>> = {
  READ_IDCODES: 12,
  READREG: 8,
  READDEBUGREG: 8,
  READALLREGS: 88,
  GETLASTRWSTATUS2: 12,
  READ_DAP_REG: 8,
  GET_BOARD_IDENTIFIERS: 128,
  SET_COM_FREQ: 8,
  GET_COM_FREQ: 52,
  SWITCH_STLINK_FREQ: 8,
};

/** The two-byte reply: status, 0. */
export function reply(code: number): Phase {
  return { kind: "in", bytes: Uint8Array.of(code, 0) };
}

/** A reply of the command's own length that carries nothing but a status. */
export function replyOf(command: CommandName, code: number): Phase {
  return { kind: "in", bytes: new ByteWriter(replyBytes[command] ?? 2).u8(code).finish() };
}

/** The eight-byte reply: status u32, value u32. */
export function statusAndValue(code: number, value: number): Uint8Array {
  return new ByteWriter(8).u32(code).u32(value).finish();
}
