import { ByteReader } from "../../../src/bytes/reader.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";

/*
 * What umockdev's preload library (libumockdev-preload.so.0) speaks on the socket of an emulated device node: messages
 * of three 64-bit words, some followed by raw bytes (umockdev 0.17, src/ioctl_tree.h and src/libumockdev-preload.c).
 */

/** Size of a message without the bytes that may follow. */
export const messageBytes = 24;

/** First words of messages from the client. */
export const preloadRequests = { ioctl: 1, read: 7, write: 8 } as const;

/** First words of messages to the client. */
const preloadAnswers = { done: 3, readMemory: 5, writeMemory: 6 } as const;

/** Result of a request that means: let the real system do it. */
export const notHandled = -100;

/** One system call of the client on a device node. */
export interface PreloadRequest {
  readonly command: number;
  /** ioctl: the request's number. read and write: address of the client's buffer. */
  readonly argument1: bigint;
  /** ioctl: its pointer. read and write: size of the buffer in bytes. */
  readonly argument2: bigint;
}

/** What a system call returns: its result, and errno where the result is -1. */
export interface SystemCallResult {
  readonly result: number;
  readonly errno: number;
}

/** Reads a request: command u64 @0, two arguments u64 @8 and @16. */
export function readRequest(message: Uint8Array): PreloadRequest {
  const reader = new ByteReader(message);
  return { command: Number(reader.u64()), argument1: reader.u64(), argument2: reader.u64() };
}

/** Asks the client for the `sizeBytes` bytes at `address` of its memory; they come back as they are. */
export function readMemoryMessage(address: bigint, sizeBytes: number): Uint8Array {
  return message(preloadAnswers.readMemory, address, BigInt(sizeBytes));
}

/** Tells the client to store the bytes that follow. */
export function writeMemoryMessage(address: bigint, sizeBytes: number): Uint8Array {
  return message(preloadAnswers.writeMemory, address, BigInt(sizeBytes));
}

/** Ends a request. */
export function doneMessage({ result, errno }: SystemCallResult): Uint8Array {
  return message(preloadAnswers.done, BigInt(result), BigInt(errno));
}

function message(command: number, argument1: bigint, argument2: bigint): Uint8Array {
  return new ByteWriter(messageBytes)
    .u64(BigInt(command))
    .u64(BigInt.asUintN(64, argument1))
    .u64(argument2)
    .finish();
}
