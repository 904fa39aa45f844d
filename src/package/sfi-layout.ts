import { asciiBytes } from "../bytes/bytes.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { type GcmContext, gcmOpen, gcmSeal, tagSizeBytes } from "./aes-gcm.ts";

/*
 * The SFI container, established on two example packages that shipped with STM32CubeProgrammer 0.4.0:
 * their tags agree with each other to the bit exactly when the additional data is as below.
 * All integers are little-endian.
 */

/** First eight bytes of every SFI package. */
export const sfiMagic = asciiBytes("SFIMAGIC");
/** Magic 8, protocol version 2, total areas 2, tag 16. */
export const imageHeaderSizeBytes = 28;
/** Type 1, version 1, index 2, size 4, address 4, total areas 2, tag 16. */
export const areaHeaderSizeBytes = 30;
/** The part of the image header that its tag covers. */
export const imageHeaderBodySizeBytes = imageHeaderSizeBytes - tagSizeBytes;
/** The part of an area header that the area's tag covers beside the content. */
export const areaHeaderBodySizeBytes = areaHeaderSizeBytes - tagSizeBytes;
/** Content of P and R areas as current tools write them (AN5054 figure 4 still shows 0). */
export const pauseContentSizeBytes = 32;
/** The continuation token that RSS keeps in flash between two parts; as long as the P area's content. */
export const tokenSizeBytes = 32;

/**
 * What an area is for: F, C, P and R (AN5054 2.2), M (figure 4), E and K (2.3). That packages for H5 and H7RS carry
 * OBKey files and ST's own SSFI images is published (AN5054 9.3.2), the letters O and S of those areas are not: assumed.
 */
export const areaTypes = {
  F: "firmware",
  C: "option bytes",
  P: "pause",
  R: "resume",
  M: "module",
  E: "external flash",
  K: "key generation",
  O: "OBKey",
  S: "SSFI image",
} as const;
export type AreaType = keyof typeof areaTypes;

/** What an area header says, without the tag. */
export interface AreaFields {
  readonly type: AreaType;
  readonly version: number;
  readonly index: number;
  readonly sizeBytes: number;
  readonly address: number;
  readonly totalAreas: number;
}

/** Bytes 0..11 of the image header: what the header tag covers. */
export function encodeImageHeaderBody(protocolVersion: number, totalAreas: number): Uint8Array {
  return new ByteWriter(imageHeaderBodySizeBytes)
    .bytes(sfiMagic) // 0
    .u16(protocolVersion) // 8
    .u16(totalAreas) // 10
    .finish();
}

/** Bytes 0..13 of an area header: the additional data of the area's tag. */
export function encodeAreaHeaderBody(fields: AreaFields): Uint8Array {
  return new ByteWriter(areaHeaderBodySizeBytes)
    .u8(fields.type.charCodeAt(0)) // 0
    .u8(fields.version) // 1
    .u16(fields.index) // 2
    .u32(fields.sizeBytes) // 4
    .u32(fields.address) // 8
    .u16(fields.totalAreas) // 12
    .finish();
}

/**
 * IV of an area: "IV = nonce + area index" (AN5054 2.2), the image header counting as index 0.
 * ST does not say in which byte order the sum is made; taken here as one 96-bit big-endian number, modulo 2^96 (inferred).
 * @param nonce 12 bytes
 */
export function areaIv(nonce: Uint8Array, index: number): Uint8Array {
  const iv = new Uint8Array(nonce);
  let carry = index;
  for (let i = iv.length - 1; i >= 0 && carry > 0; i--) {
    const sum = (iv[i] as number) + carry;
    iv[i] = sum;
    carry = Math.floor(sum / 0x100);
  }
  return iv;
}

/** Tag of the image header: nothing encrypted, the header as additional data, the nonce as IV (AN5054 2.2). */
export function imageHeaderTag(body: Uint8Array, key: Uint8Array, nonce: Uint8Array): Uint8Array {
  return gcmSeal({ key, iv: areaIv(nonce, 0), additionalData: body }, new Uint8Array(0)).tag;
}

/** True when the image header's tag is right under this key and nonce. */
export function imageHeaderTagMatches(
  body: Uint8Array,
  tag: Uint8Array,
  key: Uint8Array,
  nonce: Uint8Array,
): boolean {
  const context = { key, iv: areaIv(nonce, 0), additionalData: body };
  return gcmOpen(context, new Uint8Array(0), tag) !== undefined;
}

/** The three inputs of AES-GCM for the area with this header body. */
export function areaContext(body: Uint8Array, index: number, key: Uint8Array, nonce: Uint8Array): GcmContext {
  return { key, iv: areaIv(nonce, index), additionalData: body };
}
