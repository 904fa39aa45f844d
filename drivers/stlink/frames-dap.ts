import { answering, type Command, debugBlock, type Fill, wordAt4 } from "./command.ts";
import type { TargetPlace } from "./status.ts";

/** Port number that stands for the debug port in READ/WRITE_DAP_REG. */
const debugPortNumber = 0xffff;

/** F2 31 READ_IDCODES, 12 bytes: status @0, DPIDR @4, a second id of unknown meaning @8. Answers DPIDR. */
export function readIdcodes(): Command<number> {
  return {
    name: "READ_IDCODES",
    frame: debugBlock(0x31),
    replyBytes: 12,
    statusFrom: "reply",
    repeatable: "same-connection",
    place: {},
    unpack: wordAt4,
  };
}

/** F2 4B INIT_AP: access port @2, core type @3 (0: none in particular). */
export function openAp(ap: number): Command<undefined> {
  return answering("INIT_AP", 0x4b, (w) => w.u8(ap).u8(0), { place: { ap } });
}

/** F2 4C CLOSE_AP_DBG: access port @2. */
export function closeAp(ap: number): Command<undefined> {
  return answering("CLOSE_AP", 0x4c, (w) => w.u8(ap), { place: { ap } });
}

/** F2 45 READ_DAP_REG: port u16 @2 (FFFF: the debug port), register u16 @4. 8 bytes: status @0, value @4. */
export function readDapRegister(ap: number | undefined, register: number): Command<number> {
  return {
    name: "READ_DAP_REG",
    frame: debugBlock(0x45, (w) => w.u16(ap ?? debugPortNumber).u16(register)),
    replyBytes: 8,
    statusFrom: "reply",
    repeatable: "never",
    place: registerPlace(ap, register),
    unpack: wordAt4,
  };
}

/** F2 46 WRITE_DAP_REG: port u16 @2, register u16 @4, value u32 @6. */
export function writeDapRegister(
  ap: number | undefined,
  register: number,
  value: number,
): Command<undefined> {
  const fill: Fill = (w) =>
    w
      .u16(ap ?? debugPortNumber)
      .u16(register)
      .u32(value);
  return answering("WRITE_DAP_REG", 0x46, fill, { place: registerPlace(ap, register) });
}

function registerPlace(ap: number | undefined, register: number): TargetPlace {
  return ap === undefined ? { register } : { ap, register };
}
