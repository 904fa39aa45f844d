import { asciiBytes, asciiText, equalBytes, plainView } from "../bytes/bytes.ts";
import { hex32 } from "../bytes/hex.ts";
import { ByteReader } from "../bytes/reader.ts";
import { StationError } from "../errors/station-error.ts";

/** Size of a firmware license (STM32CubeH7, RSS.h). */
export const licenseSizeBytes = 136;

/** Marks of a license that only virtual chips open; this project's own, in the type and in the reserved bytes. */
export const developmentType = asciiBytes("SDEV");
export const developmentReserved = asciiBytes("NOT-REAL");

/** The readable part of a license. What it wraps is for the chip alone. */
export interface LicenseHeader {
  /** As text when all four bytes are printable, e.g. "SSP." or "SDEV"; else as a number, e.g. "0x00000001". */
  readonly type: string;
  /** 0 for the static protocol. */
  readonly sessionId: number;
  readonly protocolVersion: number;
  /** Least version of the chip's security extension. */
  readonly minimumVersion: number;
  /** True for a license of the development issuer, which real parts cannot open. */
  readonly development: boolean;
}

/**
 * Reads a license's header (STM32CubeH7, RSS.h: type, session id, version, minimum version, 8 reserved bytes).
 * @param bytes 136 bytes
 * @param source file or issuer, for messages
 * @throws LICENSE_LENGTH
 */
export function parseLicense(bytes: Uint8Array, source: string): LicenseHeader {
  if (bytes.length !== licenseSizeBytes) {
    throw StationError.of("LICENSE_LENGTH", { source, actualBytes: bytes.length });
  }
  const reader = new ByteReader(plainView(bytes));
  const type = reader.bytes(4); // 0
  const sessionId = reader.u32(); // 4
  const protocolVersion = reader.u32(); // 8
  const minimumVersion = reader.u32(); // 12
  const reserved = reader.bytes(8); // 16
  return {
    type: typeText(type),
    sessionId,
    protocolVersion,
    minimumVersion,
    // Either mark will do: a damaged development license must not pass for a genuine one.
    development: equalBytes(type, developmentType) || equalBytes(reserved, developmentReserved),
  };
}

function typeText(type: Uint8Array): string {
  return type.every((byte) => byte >= 0x21 && byte <= 0x7e)
    ? asciiText(type)
    : hex32(new ByteReader(type).u32());
}
