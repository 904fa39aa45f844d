import { fromWords } from "../../../src/bytes/bytes.ts";
import type { ChipModel } from "../chips.ts";

export const systemMemoryBase = 0x1ff00000;
const systemMemoryBytes = 0x20000;
/** RSS API table of the H7 (STM32CubeH7 RSS.h): seven function addresses. */
const rssTableOffset = 0x9500;
const firstServiceOffset = 0xa100;
const serviceStrideBytes = 0x40;

/** The services of the RSS API in the order of the table. */
export const rssServiceNames = [
  "getVersion",
  "getStatus",
  "getCertificate",
  "getCertificateSize",
  "setVectors",
  "exitSecureArea",
  "resetAndInitializeSecureAreas",
] as const;
export type RssServiceName = (typeof rssServiceNames)[number];

/** Entry of a service without the Thumb bit. */
export function rssServiceEntry(index: number): number {
  return systemMemoryBase + firstServiceOffset + index * serviceStrideBytes;
}

/**
 * The system memory of a chip: bootloader version byte (AN2606), flash size, unique id (RM0433 62), and the RSS API
 * table on parts with the security extension. Everything else reads as erased.
 */
export function systemMemory(model: ChipModel, uid: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(systemMemoryBytes).fill(0xff);
  bytes[0x1e7fe] = model.bootloaderVersion;
  bytes.set(uid, 0x1e800);
  bytes[0x1e880] = model.flashSizeKib & 0xff;
  bytes[0x1e881] = model.flashSizeKib >>> 8;
  if (model.security) {
    bytes.set(fromWords(rssServiceNames.map((_, index) => rssServiceEntry(index) | 1)), rssTableOffset);
  }
  return bytes;
}

/** Bytes of system memory, or undefined when the stretch leaves it. */
export function readSystemMemory(
  memory: Uint8Array,
  address: number,
  sizeBytes: number,
): Uint8Array | undefined {
  const at = address - systemMemoryBase;
  return at >= 0 && at + sizeBytes <= memory.length ? memory.subarray(at, at + sizeBytes) : undefined;
}
