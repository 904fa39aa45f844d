import { asciiBytes, equalBytes } from "../bytes/bytes.ts";
import { ByteReader } from "../bytes/reader.ts";
import { StationError } from "../errors/station-error.ts";

/** First eight bytes of an SMI module (ST's example FIR_module.smi). */
export const smiMagic = asciiBytes("SMIMAGIC");
/** Header of ST's example module; only its first 16 bytes are understood. */
export const smiHeaderSizeBytes = 48;

/** The readable part of a module's header. */
export interface SmiHeader {
  /** Where the module goes. */
  readonly address: number;
  /** Of what follows the header. */
  readonly sizeBytes: number;
}

/**
 * Reads an SMI module's header: magic @0, address @8, size @12. Established on one file, ST's FIR_module.smi of
 * 1,688 bytes (48 + 1,640), whose address is also that of the M area in ST's second example package.
 * @throws INPUT_INVALID with the offset
 */
export function parseSmi(bytes: Uint8Array, source: string): SmiHeader {
  const invalid = (offset: number, detail: string) =>
    StationError.of("INPUT_INVALID", {
      file: source,
      format: "SMI module",
      position: `offset ${offset}`,
      detail,
    });
  if (!isSmi(bytes)) throw invalid(0, "it does not begin with SMIMAGIC");
  if (bytes.length < smiHeaderSizeBytes) throw invalid(bytes.length, "it ends within its header");
  const reader = new ByteReader(bytes);
  reader.skip(smiMagic.length);
  const address = reader.u32(); // 8
  const sizeBytes = reader.u32(); // 12
  if (sizeBytes !== bytes.length - smiHeaderSizeBytes) {
    throw invalid(
      12,
      `it announces ${sizeBytes} bytes; ${bytes.length - smiHeaderSizeBytes} follow the header`,
    );
  }
  return { address, sizeBytes };
}

/** True when the bytes begin like an SMI module. */
export function isSmi(bytes: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, smiMagic.length), smiMagic);
}

/**
 * The address of a module's area: as given, else as its header says.
 * @throws FIRMWARE_ADDRESS_MISSING for a module without a known header and without an address
 */
export function moduleAddress(bytes: Uint8Array, given: number | undefined, source: string): number {
  if (given !== undefined) return given;
  if (!isSmi(bytes)) throw StationError.of("FIRMWARE_ADDRESS_MISSING", { file: source });
  return parseSmi(bytes, source).address;
}
