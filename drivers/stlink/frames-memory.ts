import { ByteReader } from "../../src/bytes/reader.ts";
import { answering, type Command, debugBlock, nothing, wordAt4 } from "./command.ts";

/** Width of every single access of a memory command, in bytes. */
export type AccessBytes = 1 | 2 | 4;

const operations = {
  1: { read: 0x0c, write: 0x0d, bits: 8 },
  2: { read: 0x47, write: 0x48, bits: 16 },
  4: { read: 0x07, write: 0x08, bits: 32 },
} as const;

/**
 * READMEM_8/16/32: address u32 @2, length u16 @6, access port @8, CSW[31:8] @9..11, a client id @12 that is 0 over USB.
 * The bytes read come back bare; the status is asked for afterwards. One single byte comes back as two.
 * @param csw CSW[31:8] in place; undefined (sent as 0) leaves the firmware's default attributes
 */
export function readMemory(
  width: AccessBytes,
  address: number,
  sizeBytes: number,
  ap: number,
  csw: number | undefined,
): Command<Uint8Array> {
  const { read, bits } = operations[width];
  return {
    name: `READMEM_${bits}`,
    frame: memoryBlock(read, address, sizeBytes, ap, csw),
    replyBytes: Math.max(sizeBytes, 2),
    statusFrom: "last-rw",
    repeatable: "never", // the address may be a FIFO or a register that reading clears
    place: { ap, address, sizeBytes },
    unpack: (reply) => reply.subarray(0, sizeBytes),
  };
}

/** WRITEMEM_8/16/32: same block as the reads; the data follow on the OUT endpoint, nothing comes back. */
export function writeMemory(
  width: AccessBytes,
  address: number,
  data: Uint8Array,
  ap: number,
  csw: number | undefined,
): Command<undefined> {
  const { write, bits } = operations[width];
  return {
    name: `WRITEMEM_${bits}`,
    frame: memoryBlock(write, address, data.length, ap, csw),
    data,
    replyBytes: 0,
    statusFrom: "last-rw",
    repeatable: "never",
    place: { ap, address, sizeBytes: data.length },
    unpack: nothing,
  };
}

function memoryBlock(
  operation: number,
  address: number,
  sizeBytes: number,
  ap: number,
  csw: number | undefined,
): Uint8Array {
  const attributes = csw ?? 0;
  return debugBlock(operation, (w) =>
    w
      .u32(address)
      .u16(sizeBytes)
      .u8(ap)
      .u8((attributes >>> 8) & 0xff)
      .u8((attributes >>> 16) & 0xff)
      .u8((attributes >>> 24) & 0xff),
  );
}

/** How the last memory command ended. */
export interface LastRwStatus {
  readonly status: number;
  /** Address of the access that failed; meaningless when none did. */
  readonly faultAddress: number;
}

/** F2 3E GETLASTRWSTATUS2, 12 bytes: status u16 @0, fault address u32 @4. About the last memory command, never itself. */
export function getLastRwStatus(): Command<LastRwStatus> {
  return {
    name: "GETLASTRWSTATUS2",
    frame: debugBlock(0x3e),
    replyBytes: 12,
    statusFrom: "nowhere",
    repeatable: "same-connection",
    place: {},
    unpack: (reply) => {
      const reader = new ByteReader(reply);
      const status = reader.u8();
      reader.skip(3); // reserved @1..3
      return { status, faultAddress: reader.u32() };
    },
  };
}

/** F2 36 READDEBUGREG: address u32 @2, access port @6. 8 bytes: status @0, value @4. One word, half the transfers of READMEM_32. */
export function readDebugRegister(address: number, ap: number): Command<number> {
  return {
    name: "READDEBUGREG",
    frame: debugBlock(0x36, (w) => w.u32(address).u8(ap)),
    replyBytes: 8,
    statusFrom: "reply",
    repeatable: "never",
    place: { ap, address, sizeBytes: 4 },
    unpack: wordAt4,
  };
}

/** F2 35 WRITEDEBUGREG: address u32 @2, value u32 @6, access port @10. */
export function writeDebugRegister(address: number, value: number, ap: number): Command<undefined> {
  const place = { ap, address, sizeBytes: 4 };
  return answering("WRITEDEBUGREG", 0x35, (w) => w.u32(address).u32(value).u8(ap), { place });
}
