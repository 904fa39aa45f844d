import { createHmac } from "node:crypto";
import { asciiText, concatBytes, equalBytes } from "../../../src/bytes/bytes.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";

/** What RSS remembers in flash between two parts. */
export interface ContinuationToken {
  /** Index of the R area that must come next. */
  readonly nextIndex: number;
  /** True when firmware lies in the token's sector, which then may not be erased. */
  readonly sectorUsed: boolean;
}

const magic = Uint8Array.of(0x43, 0x54, 0x4f, 0x4b); // "CTOK"
export const tokenBytes = 32;

/**
 * The 32 token bytes: "CTOK" @0, next index u16 @4, flags u16 @6 (bit 0: sector used), header tag [0..8) @8, and @16
 * 16 bytes of HMAC-SHA-256 with the chip's own secret over bytes 0..15, the whole header tag and the address. The
 * layout is this bench's own: nobody but RSS reads it.
 */
export function makeToken(
  token: ContinuationToken,
  headerTag: Uint8Array,
  address: number,
  secret: Uint8Array,
): Uint8Array {
  const head = new ByteWriter(16)
    .bytes(magic)
    .u16(token.nextIndex)
    .u16(token.sectorUsed ? 1 : 0)
    .bytes(headerTag.subarray(0, 8))
    .finish();
  return concatBytes(head, seal(head, headerTag, address, secret));
}

/** Reads a token back; undefined when it is not this chip's, not this package's or not of this place. */
export function readToken(
  bytes: Uint8Array,
  headerTag: Uint8Array,
  address: number,
  secret: Uint8Array,
): ContinuationToken | undefined {
  const head = bytes.subarray(0, 16);
  if (!equalBytes(bytes.subarray(16, tokenBytes), seal(head, headerTag, address, secret))) return undefined;
  const reader = new ByteReader(head);
  if (asciiText(reader.bytes(4)) !== asciiText(magic)) return undefined;
  return { nextIndex: reader.u16(), sectorUsed: reader.u16() === 1 };
}

function seal(head: Uint8Array, headerTag: Uint8Array, address: number, secret: Uint8Array): Uint8Array {
  const place = new ByteWriter(4).u32(address).finish();
  const mac = createHmac("sha256", secret).update(head).update(headerTag).update(place).digest();
  return new Uint8Array(mac.subarray(0, 16));
}
