import type { Field } from "./fields.ts";
import { fieldOf } from "./fields.ts";

/** What a command does to the target, for the lines that explain it. */
export type Access =
  | {
      readonly kind:
        | "dap-read"
        | "dap-write"
        | "word-read"
        | "word-write"
        | "misc-out"
        | "misc-in"
        | "idcodes"
        | "last-status";
    }
  | { readonly kind: "memory-read" | "memory-write"; readonly bits: 8 | 16 | 32 }
  | { readonly kind: "core-read" | "core-write" };

/** What the assembler must know from earlier commands. */
export interface ShapeContext {
  /** Operations of the last RW_MISC_OUT. */
  readonly miscCount: number;
}

/** One command of the probe protocol: how to recognize it, how long its phases are, what is in them. */
export interface CommandShape {
  /** Bytes 0 and, where it decides, 1 of the 16-byte block. */
  readonly code: readonly [number] | readonly [number, number];
  readonly name: string;
  readonly fields: readonly Field[];
  /** Length of the OUT data phase. */
  readonly outBytes: (frame: Uint8Array) => number;
  /** Length of the IN data phase. */
  readonly replyBytes: (frame: Uint8Array, context: ShapeContext) => number;
  /** True when byte 0 of the reply is a status. */
  readonly status: boolean;
  readonly reply: readonly Field[];
  readonly access?: Access;
}

interface ShapeOptions {
  readonly fields?: readonly Field[];
  readonly out?: (frame: Uint8Array) => number;
  readonly replyBytes?: number | ((frame: Uint8Array, context: ShapeContext) => number);
  readonly status?: boolean;
  readonly reply?: readonly Field[];
  readonly access?: Access;
}

const none = () => 0;

function shape(code: CommandShape["code"], name: string, options: ShapeOptions = {}): CommandShape {
  const { fields = [], out = none, replyBytes = 0, status = false, reply = [], access } = options;
  return {
    code,
    name,
    fields,
    outBytes: out,
    replyBytes: typeof replyBytes === "number" ? () => replyBytes : replyBytes,
    status,
    reply,
    ...(access === undefined ? {} : { access }),
  };
}

/** A debug command (F2) whose reply is `replyBytes` long and begins with a status; 2 is a bare status. */
function debug(operation: number, name: string, options: ShapeOptions = {}): CommandShape {
  return shape([0xf2, operation], name, { replyBytes: 2, status: true, ...options });
}

const address: Field = { name: "address", at: 2, bytes: 4 };
const sizeField: Field = { name: "size", at: 6, bytes: 2, show: "decimal" };
const apByte = (at: number): Field => ({ name: "ap", at, bytes: 1, show: "decimal" });
/** CSW[31:8] of memory commands; 0 leaves the firmware's own. */
const csw: Field = { name: "csw31_8", at: 9, bytes: 3, optional: true };
const value = (at: number): Field => ({ name: "value", at, bytes: 4 });
const memoryFields = [address, sizeField, apByte(8), csw];
const length = (frame: Uint8Array) => fieldOf(frame, sizeField);
const dapFields: readonly Field[] = [
  { name: "port", at: 2, bytes: 2 },
  { name: "register", at: 4, bytes: 2 },
];
const kilohertz = (at: number): Field => ({ name: "kilohertz", at, bytes: 4, show: "decimal" });
const miscCount: Field = { name: "operations", at: 2, bytes: 4, show: "decimal" };
/** Sanity limit: no probe takes more operations in one RW_MISC (OpenOCD: 1227). */
const mostMisc = 8192;

function memoryRead(operation: number, name: string, bits: 8 | 16 | 32): CommandShape {
  return debug(operation, name, {
    fields: memoryFields,
    // A single byte comes back as two (OpenOCD, probe-rs, Black Magic, psdb).
    replyBytes: (frame) => (bits === 8 && length(frame) === 1 ? 2 : length(frame)),
    status: false,
    access: { kind: "memory-read", bits },
  });
}

function memoryWrite(operation: number, name: string, bits: 8 | 16 | 32): CommandShape {
  const access = { kind: "memory-write", bits } as const;
  return debug(operation, name, { fields: memoryFields, out: length, replyBytes: 0, status: false, access });
}

/**
 * The commands of ST-LINK V2 and later, as OpenOCD, pyOCD, probe-rs, stlink-org, Black Magic and psdb use them.
 * A row of its own for each: this is the trace's own reading of the protocol, apart from the driver's.
 */
const shapes: readonly CommandShape[] = [
  shape([0xf1], "GET_VERSION", { replyBytes: 6 }),
  shape([0xf3, 0x07], "LEAVE_DFU"),
  shape([0xf4, 0x01], "LEAVE_SWIM"),
  shape([0xf5], "GET_CURRENT_MODE", { replyBytes: 2 }),
  shape([0xf7], "GET_TARGET_VOLTAGE", { replyBytes: 8 }),
  shape([0xfb], "GET_VERSION_EX", { replyBytes: 12 }),
  memoryRead(0x07, "READMEM_32", 32),
  memoryWrite(0x08, "WRITEMEM_32", 32),
  memoryRead(0x0c, "READMEM_8", 8),
  memoryWrite(0x0d, "WRITEMEM_8", 8),
  memoryRead(0x47, "READMEM_16", 16),
  memoryWrite(0x48, "WRITEMEM_16", 16),
  memoryWrite(0x50, "WRITEMEM_32_NO_INC", 32),
  memoryRead(0x54, "READMEM_32_NO_INC", 32),
  debug(0x21, "LEAVE_DEBUG", { replyBytes: 0, status: false }),
  debug(0x22, "READCOREID", { replyBytes: 4, status: false, reply: [value(0)] }),
  debug(0x30, "ENTER", { fields: [{ name: "how", at: 2, bytes: 1 }] }),
  debug(0x31, "READ_IDCODES", { replyBytes: 12, reply: [value(4)], access: { kind: "idcodes" } }),
  debug(0x32, "RESETSYS"),
  debug(0x33, "READREG", {
    fields: [{ name: "register", at: 2, bytes: 1, show: "decimal" }, apByte(3)],
    replyBytes: 8,
    reply: [value(4)],
    access: { kind: "core-read" },
  }),
  debug(0x34, "WRITEREG", {
    fields: [{ name: "register", at: 2, bytes: 1, show: "decimal" }, value(3), apByte(7)],
    access: { kind: "core-write" },
  }),
  debug(0x35, "WRITEDEBUGREG", {
    fields: [address, value(6), apByte(10)],
    access: { kind: "word-write" },
  }),
  debug(0x36, "READDEBUGREG", {
    fields: [address, apByte(6)],
    replyBytes: 8,
    reply: [value(4)],
    access: { kind: "word-read" },
  }),
  debug(0x3a, "READALLREGS", { fields: [apByte(2)], replyBytes: 88 }),
  debug(0x3b, "GETLASTRWSTATUS"),
  debug(0x3c, "DRIVE_NRST", { fields: [{ name: "level", at: 2, bytes: 1, show: "decimal" }] }),
  debug(0x3e, "GETLASTRWSTATUS2", {
    replyBytes: 12,
    reply: [{ name: "faultAddress", at: 4, bytes: 4, optional: true }],
    access: { kind: "last-status" },
  }),
  debug(0x40, "START_TRACE", {
    fields: [
      { name: "size", at: 2, bytes: 2, show: "decimal" },
      { name: "baud", at: 4, bytes: 4, show: "decimal" },
    ],
  }),
  debug(0x41, "STOP_TRACE"),
  debug(0x42, "GET_TRACE_COUNT", {
    status: false,
    reply: [{ name: "bytes", at: 0, bytes: 2, show: "decimal" }],
  }),
  debug(0x43, "SWD_SET_FREQ", { fields: [{ name: "divisor", at: 2, bytes: 2, show: "decimal" }] }),
  debug(0x44, "JTAG_SET_FREQ", { fields: [{ name: "divisor", at: 2, bytes: 2, show: "decimal" }] }),
  debug(0x45, "READ_DAP_REG", {
    fields: dapFields,
    replyBytes: 8,
    reply: [value(4)],
    access: { kind: "dap-read" },
  }),
  debug(0x46, "WRITE_DAP_REG", { fields: [...dapFields, value(6)], access: { kind: "dap-write" } }),
  debug(0x4b, "INIT_AP", {
    fields: [apByte(2), { name: "coreType", at: 3, bytes: 1, show: "decimal", optional: true }],
  }),
  debug(0x4c, "CLOSE_AP", { fields: [apByte(2)] }),
  debug(0x51, "RW_MISC_OUT", {
    fields: [miscCount],
    // Operation bytes padded to a multiple of 4, then one u32 each.
    out: (frame) => {
      const count = Math.min(fieldOf(frame, miscCount), mostMisc);
      return 4 * Math.ceil(count / 4) + 4 * count;
    },
    replyBytes: 0,
    status: false,
    access: { kind: "misc-out" },
  }),
  debug(0x52, "RW_MISC_IN", {
    replyBytes: (_, context) => 8 * Math.min(context.miscCount, mostMisc),
    status: false,
    access: { kind: "misc-in" },
  }),
  debug(0x53, "RW_MISC_GET_MAX", {
    status: false,
    reply: [{ name: "operations", at: 0, bytes: 2, show: "decimal" }],
  }),
  debug(0x56, "GET_BOARD_IDENTIFIERS", { replyBytes: 128 }),
  debug(0x61, "SET_COM_FREQ", {
    fields: [{ name: "com", at: 2, bytes: 1, show: "decimal" }, kilohertz(4)],
    replyBytes: 8,
    reply: [kilohertz(4)],
  }),
  debug(0x62, "GET_COM_FREQ", {
    fields: [{ name: "com", at: 2, bytes: 1, show: "decimal" }],
    replyBytes: 52,
    reply: [kilohertz(4), { name: "rates", at: 8, bytes: 4, show: "decimal" }],
  }),
  debug(0x63, "SWITCH_STLINK_FREQ", {
    fields: [{ name: "prescaler", at: 2, bytes: 1, show: "decimal" }],
    replyBytes: 8,
  }),
];

const byCode: ReadonlyMap<number, CommandShape> = new Map(
  shapes.map((entry) => [keyOf(entry.code[0], entry.code[1]), entry]),
);

/** The shape of a 16-byte command block; undefined for one that is not known. */
export function shapeOf(frame: Uint8Array): CommandShape | undefined {
  const [first = 0, second = 0] = frame;
  return byCode.get(keyOf(first, second)) ?? byCode.get(keyOf(first, undefined));
}

function keyOf(first: number, second: number | undefined): number {
  return first * 512 + (second ?? 256);
}
