import { concatBytes, equalBytes, plainView } from "../bytes/bytes.ts";
import { sha256 } from "../bytes/digest.ts";
import { alignUp } from "../bytes/numbers.ts";
import { ByteReader } from "../bytes/reader.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { StationError } from "../errors/station-error.ts";

/*
 * OBKey files (.obk) of STM32H5 and STM32H7RS, established by recomputing ST's published examples
 * (STM32CubeH5 and STM32CubeH7RS, ROT_Provisioning). The file is plaintext; the chip encrypts what it stores.
 */

/** Destination 4, payload length 4, encryption flag 4. */
export const obkHeaderSizeBytes = 12;
/** SHA-256 at the beginning of most payloads, over the rest of the payload. */
export const obkHashSizeBytes = 32;

/** An OBKey file's content. */
export interface ObKey {
  /** H5: secure address; H7RS: index, HDPL and method (see `h7rsDestination`). */
  readonly destination: number;
  /** The chip is to store it encrypted. */
  readonly encrypted: boolean;
  readonly payload: Uint8Array;
}

/** An OBKey file as read. */
export interface ParsedObKey extends ObKey {
  /** True when the payload begins with the SHA-256 of its rest. */
  readonly hashed: boolean;
}

/**
 * Reads an OBKey file.
 * @throws INPUT_INVALID with the offset
 */
export function parseObKey(file: Uint8Array, source: string): ParsedObKey {
  const invalid = (offset: number, detail: string) =>
    StationError.of("INPUT_INVALID", {
      file: source,
      format: "OBKey file",
      position: `offset ${offset}`,
      detail,
    });
  if (file.length < obkHeaderSizeBytes) throw invalid(file.length, "it ends within its 12-byte header");
  const reader = new ByteReader(plainView(file));
  const destination = reader.u32(); // 0
  const sizeBytes = reader.u32(); // 4
  const flag = reader.u32(); // 8
  if (sizeBytes !== reader.remainingBytes) {
    throw invalid(4, `it announces ${sizeBytes} bytes of payload; ${reader.remainingBytes} follow`);
  }
  if (sizeBytes === 0) throw invalid(4, "it has no payload");
  if (flag > 1) throw invalid(8, `the encryption flag is ${flag}`);
  const payload = reader.bytes(sizeBytes); // 12
  const hashed =
    sizeBytes > obkHashSizeBytes &&
    equalBytes(payload.subarray(0, obkHashSizeBytes), sha256(payload.subarray(obkHashSizeBytes)));
  return { destination, encrypted: flag === 1, payload, hashed };
}

/** The file for an OBKey. @throws RangeError for an empty payload */
export function encodeObKey({ destination, encrypted, payload }: ObKey): Uint8Array {
  if (payload.length === 0) throw new RangeError("an OBKey has a payload");
  return new ByteWriter(obkHeaderSizeBytes + payload.length)
    .u32(destination) // 0
    .u32(payload.length) // 4
    .u32(encrypted ? 1 : 0) // 8
    .bytes(payload) // 12
    .finish();
}

/**
 * A payload with its SHA-256 in front.
 * @param body what is hashed; padded with zeros so that the whole payload is a multiple of `alignBytes` (16 on H5, 32 on H7RS)
 */
export function hashedPayload(body: Uint8Array, alignBytes: number): Uint8Array {
  const padded = zeroPadded(body, alignUp(obkHashSizeBytes + body.length, alignBytes) - obkHashSizeBytes);
  return concatBytes(sha256(padded), padded);
}

/** `bytes` followed by zeros up to `sizeBytes`. */
export function zeroPadded(bytes: Uint8Array, sizeBytes: number): Uint8Array {
  const padded = new Uint8Array(sizeBytes);
  padded.set(bytes);
  return padded;
}

/** How an H7RS part authenticates a debugger: bits 23:16 of a destination (HAL, OB_DBG_AUTH_*). */
export const h7rsMethods = { certificate: 0x51, password: 0x8a, locked: 0xb4 } as const;
export type H7rsMethod = keyof typeof h7rsMethods;

/**
 * The destination word of an H7RS OBKey: first index of 32-byte slots in bits 7:0, HDPL in 15:8 (0 for debug
 * authentication), method in 23:16.
 */
export function h7rsDestination(index: number, hdpl: number, method?: H7rsMethod): number {
  return (index | (hdpl << 8) | ((method === undefined ? 0 : h7rsMethods[method]) << 16)) >>> 0;
}

/** Families whose parts take OBKeys. */
export const obkFamilies = ["h5", "h7rs"] as const;
export type ObkFamily = (typeof obkFamilies)[number];

/** H5: OBK areas by secure address (STM32CubeH5 CMSIS device header). */
const h5Areas = [
  { name: "HDPL0", address: 0x0ffd0000, sizeBytes: 0x100 },
  { name: "HDPL1", address: 0x0ffd0100, sizeBytes: 0x800 },
  { name: "HDPL2", address: 0x0ffd0900, sizeBytes: 0x300 },
  { name: "HDPL3", address: 0x0ffd0c00, sizeBytes: 0x13f0 },
] as const;

/** Which family a destination belongs to, and what it says there. */
export function describeDestination(destination: number): {
  readonly family: ObkFamily | undefined;
  readonly text: string;
} {
  const area = h5Areas.find(
    ({ address, sizeBytes }) => destination >= address && destination < address + sizeBytes,
  );
  if (area !== undefined) {
    return { family: "h5", text: `${area.name} + 0x${(destination - area.address).toString(16)}` };
  }
  const [index, hdpl, method] = [destination & 0xff, (destination >>> 8) & 0xff, (destination >>> 16) & 0xff];
  const name = Object.entries(h7rsMethods).find(([, value]) => value === method)?.[0];
  const known = destination >>> 24 === 0 && hdpl <= 3 && (method === 0 || name !== undefined);
  if (!known) return { family: undefined, text: "no known place" };
  return {
    family: "h7rs",
    text: `slot ${index}, HDPL ${hdpl}${name === undefined ? "" : `, debug authentication by ${name}`}`,
  };
}
