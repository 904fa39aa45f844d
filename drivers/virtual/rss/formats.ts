import { gcm } from "@noble/ciphers/aes.js";
import { asciiText, concatBytes } from "../../../src/bytes/bytes.ts";
import { sha256 } from "../../../src/bytes/digest.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import { sharedSecret } from "../identity.ts";

export const imageHeaderBytes = 28;
export const areaHeaderBytes = 30;
export const licenseBytes = 136;
const tagBytes = 16;

/** The image header of an SFI package as RSS sees it in RAM. */
export interface ImageHeader {
  readonly magic: string;
  readonly protocolVersion: number;
  readonly totalAreas: number;
  /** The bytes the tag authenticates. */
  readonly authenticated: Uint8Array;
  readonly tag: Uint8Array;
}

/** Splits the 28 header bytes: magic 8 @0, protocol u16 @8, areas u16 @10, tag 16 @12. */
export function readImageHeader(bytes: Uint8Array): ImageHeader {
  const reader = new ByteReader(bytes);
  const magic = asciiText(reader.bytes(8));
  const protocolVersion = reader.u16();
  const totalAreas = reader.u16();
  return {
    magic,
    protocolVersion,
    totalAreas,
    authenticated: bytes.subarray(0, 12),
    tag: reader.bytes(tagBytes),
  };
}

/** One area: its header and its encrypted content. */
export interface Area {
  readonly type: string;
  readonly version: number;
  readonly index: number;
  readonly sizeBytes: number;
  readonly address: number;
  readonly totalAreas: number;
  readonly authenticated: Uint8Array;
  readonly tag: Uint8Array;
  readonly content: Uint8Array;
}

/**
 * Splits a run of areas, each: type u8 @0, version u8 @1, index u16 @2, size u32 @4, address u32 @8, areas u16 @12,
 * tag 16 @14, content @30. Returns undefined when the run does not end with a whole area.
 */
export function readAreas(bytes: Uint8Array): Area[] | undefined {
  const areas: Area[] = [];
  const reader = new ByteReader(bytes);
  while (reader.remainingBytes >= areaHeaderBytes) {
    const start = reader.offset;
    const type = String.fromCharCode(reader.u8());
    const version = reader.u8();
    const index = reader.u16();
    const sizeBytes = reader.u32();
    const address = reader.u32();
    const totalAreas = reader.u16();
    const tag = reader.bytes(tagBytes);
    if (sizeBytes > reader.remainingBytes) return undefined;
    const authenticated = bytes.subarray(start, start + 14);
    const content = reader.bytes(sizeBytes);
    areas.push({ type, version, index, sizeBytes, address, totalAreas, authenticated, tag, content });
  }
  return reader.remainingBytes === 0 ? areas : undefined;
}

/** AES-128-GCM: the plaintext, or undefined when the tag does not fit. A 16-byte IV takes the GHASH form. */
export function openSealed(
  key: Uint8Array,
  iv: Uint8Array,
  additional: Uint8Array,
  ciphertext: Uint8Array,
  tag: Uint8Array,
): Uint8Array | undefined {
  try {
    return gcm(key, iv, additional).decrypt(concatBytes(ciphertext, tag));
  } catch (thrown) {
    // The lengths are fixed by the callers, so the only failure is a tag that does not fit.
    if (thrown instanceof Error) return undefined;
    throw thrown;
  }
}

/** IV of an area: nonce plus index, the 12 bytes taken as one big-endian number (AN5054 2.2). */
export function areaIv(nonce: Uint8Array, index: number): Uint8Array {
  const iv = nonce.slice();
  let carry = index;
  for (let at = iv.length - 1; at >= 0; at--) {
    const sum = (iv[at] ?? 0) + carry;
    iv[at] = sum & 0xff;
    carry = Math.floor(sum / 256);
  }
  return iv;
}

/** What a license unlocks. */
export interface FirmwareKey {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  /** Lowest RSS version that may use it, 0x00JJNNPP. */
  readonly minimumVersion: number;
}

/**
 * Opens a development license (136 bytes): type @0 "SDEV", session @4 0, version @8 1, minimum version @12, reserved
 * @16 "NOT-REAL", ephemeral public key X||Y @24, wrapped IV16||key16 @88, tag @120. With Z the ECDH x coordinate,
 * T = SHA-256(Z||1) || SHA-256(Z||2) with big-endian counters: wrap key T[0..16), wrap IV T[16..32), token T[32..64);
 * additional data is license[0..88) || token. Returns undefined for any other license and for another chip's.
 */
export function openDevelopmentLicense(license: Uint8Array, privateKey: Uint8Array): FirmwareKey | undefined {
  const reader = new ByteReader(license);
  const type = asciiText(reader.bytes(4));
  const session = reader.u32();
  const version = reader.u32();
  const minimumVersion = reader.u32();
  const reserved = asciiText(reader.bytes(8));
  if (type !== "SDEV" || session !== 0 || version !== 1 || reserved !== "NOT-REAL") return undefined;
  const secret = sharedSecret(privateKey, reader.bytes(64));
  if (secret === undefined) return undefined;
  const derived = concatBytes(...[1, 2].map((counter) => sha256(secret, Uint8Array.of(0, 0, 0, counter))));
  const additional = concatBytes(license.subarray(0, 88), derived.subarray(32, 64));
  const wrapped = reader.bytes(32);
  const plain = openSealed(
    derived.subarray(0, 16),
    derived.subarray(16, 32),
    additional,
    wrapped,
    reader.bytes(16),
  );
  if (plain?.subarray(12, 16).some((byte) => byte !== 0)) return undefined;
  return plain && { key: plain.slice(16), nonce: plain.slice(0, 12), minimumVersion };
}
