import { asciiBytes, asciiText } from "../../../src/bytes/bytes.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";

/*
 * Numbers and layouts of Linux's usbfs (include/uapi/linux/usbdevice_fs.h) on a 64-bit little-endian machine with the
 * generic ioctl encoding (x86-64, arm64). "Linux usbfs" in comments is drivers/usb/core/devio.c.
 */

/** Requests by their number. */
export const usbfsRequests = {
  resetEndpoint: 0x80045503,
  setInterface: 0x80085504,
  setConfiguration: 0x80045505,
  getDriver: 0x41045508,
  submitUrb: 0x8038550a,
  discardUrb: 0x0000550b,
  reapUrbNoDelay: 0x4008550d,
  claimInterface: 0x8004550f,
  releaseInterface: 0x80045510,
  interfaceIoctl: 0xc0105512,
  reset: 0x00005514,
  clearHalt: 0x80045515,
  getCapabilities: 0x8004551a,
  disconnectClaim: 0x8108551b,
  getSpeed: 0x0000551f,
} as const;

/** Requests within `interfaceIoctl`. */
export const interfaceRequests = { disconnect: 0x5516, connect: 0x5517 } as const;

/** Error numbers (asm-generic/errno-base.h, errno.h). */
export const errnos = {
  noEntry: 2,
  again: 11,
  access: 13,
  busy: 16,
  noDevice: 19,
  invalid: 22,
  notTty: 25,
  brokenPipe: 32,
  noData: 61,
  protocol: 71,
  overflow: 75,
  connectionReset: 104,
  shutdown: 108,
} as const;
export type ErrnoName = keyof typeof errnos;

/** Status of a URB by how its transfer ended. A device that is gone ends them all in another way. */
export const statusOfEnd = {
  done: 0,
  stall: -errnos.brokenPipe,
  overflow: -errnos.overflow,
  "protocol-error": -errnos.protocol,
} as const;

/** Results of `getSpeed` (enum usb_device_speed). */
export const speedNumbers = { full: 2, high: 3 } as const;

/** Zero packet, bulk continuation, no packet size limit, scatter-gather, reaping after disconnect. */
export const capabilities = 0x01 | 0x02 | 0x04 | 0x08 | 0x10;

/** Types of a URB. */
export const urbTypes = { interrupt: 1, control: 2, bulk: 3 } as const;
export const urbBytes = 56;
export const setupBytes = 8;

/** What a client fills into a URB. */
export interface UrbRequest {
  readonly type: number;
  readonly endpoint: number;
  /** Address of the buffer in the client. */
  readonly buffer: bigint;
  readonly bufferBytes: number;
}

/** struct usbdevfs_urb: type u8 @0, endpoint u8 @1, status @4, flags @8, buffer u64 @16, length i32 @24, … */
export function readUrb(bytes: Uint8Array): UrbRequest {
  const reader = new ByteReader(bytes);
  const type = reader.u8();
  const endpoint = reader.u8();
  reader.skip(14);
  return { type, endpoint, buffer: reader.u64(), bufferBytes: reader.u32() };
}

/** Where in a URB the outcome goes, both i32. */
export const urbStatusOffset = 4;
export const urbActualLengthOffset = 28;

/** struct usbdevfs_disconnect_claim: interface u32 @0, flags u32 @4, driver char[256] @8. */
export const disconnectClaimBytes = 264;
const flagIfDriver = 1;
const flagExceptDriver = 2;

/** Which interface to claim, and whether a driver of that name may be pushed aside. */
export interface DisconnectClaim {
  readonly interfaceNumber: number;
  mayUnbind(driver: string): boolean;
}

export function readDisconnectClaim(bytes: Uint8Array): DisconnectClaim {
  const reader = new ByteReader(bytes);
  const interfaceNumber = reader.u32();
  const flags = reader.u32();
  const named = asciiText(reader.bytes(256)).replace(/\0.*$/s, "");
  return {
    interfaceNumber,
    mayUnbind: (driver) =>
      !((flags & flagIfDriver) !== 0 && driver !== named) &&
      !((flags & flagExceptDriver) !== 0 && driver === named),
  };
}

/** struct usbdevfs_getdriver: interface u32 @0, name char[256] @4. */
export function driverReply(interfaceNumber: number, driver: string): Uint8Array {
  return new ByteWriter(260).u32(interfaceNumber).bytes(asciiBytes(driver)).finish();
}

/** struct usbdevfs_ioctl: interface i32 @0, request i32 @4, data u64 @8. */
export const interfaceIoctlBytes = 16;
