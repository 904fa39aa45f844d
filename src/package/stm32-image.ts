import { asciiBytes, equalBytes, plainView } from "../bytes/bytes.ts";
import { hex32 } from "../bytes/hex.ts";
import { ByteReader } from "../bytes/reader.ts";
import { StationError } from "../errors/station-error.ts";

/** First four bytes of an image that STM32MP's boot ROM loads (STM32 header, TF-A and U-Boot sources). */
export const stm32Magic = asciiBytes("STM2");

/** An image's header. */
export interface Stm32Image {
  /** "1.0", "2.0" or "2.2". */
  readonly headerVersion: string;
  readonly headerSizeBytes: number;
  readonly sizeBytes: number;
  readonly entryPoint: number;
  readonly loadAddress: number;
  /** Anti-rollback counter. */
  readonly imageVersion: number;
  /** 0x10: TF-A, 0x20: OP-TEE, 0x30: coprocessor, 0x00: U-Boot. */
  readonly binaryType: number;
  readonly signed: boolean;
  readonly encrypted: boolean;
  /** Sum of the payload's bytes agrees with the header. */
  readonly checksumRight: boolean;
}

const binaryTypes: readonly (readonly [from: number, to: number, name: string])[] = [
  [0x00, 0x00, "U-Boot"],
  [0x10, 0x1f, "TF-A"],
  [0x20, 0x2f, "OP-TEE"],
  [0x30, 0x3f, "coprocessor"],
];

/** What a binary type means. */
export function binaryTypeName(type: number): string {
  return binaryTypes.find(([from, to]) => type >= from && type <= to)?.[2] ?? "unknown";
}

/**
 * Reads a .stm32 image's header: version 1 (256 bytes, MP15), 2.0 and 2.2 (128 bytes and extensions, MP13 and MP2).
 * @throws INPUT_INVALID with the offset
 */
export function parseStm32Image(file: Uint8Array, source: string): Stm32Image {
  const invalid = (offset: number, detail: string) =>
    StationError.of("INPUT_INVALID", {
      file: source,
      format: ".stm32 image",
      position: `offset ${offset}`,
      detail,
    });
  const bytes = plainView(file);
  if (!isStm32Image(bytes)) throw invalid(0, "it does not begin with STM2");
  if (bytes.length < 128) throw invalid(bytes.length, "it ends within its header");
  const reader = new ByteReader(bytes);
  reader.skip(68); // magic 0, signature 4
  const checksum = reader.u32(); // 68
  const version = reader.u32(); // 72
  const [minor, major] = [(version >>> 8) & 0xff, (version >>> 16) & 0xff];
  if (major !== 1 && major !== 2) throw invalid(72, `header version ${hex32(version)} is not known`);
  const sizeBytes = reader.u32(); // 76
  const entryPoint = reader.u32(); // 80
  reader.skip(4); // 84
  const loadAddress = reader.u32(); // 88
  reader.skip(4); // 92
  const imageVersion = reader.u32(); // 96
  const flags = reader.u32(); // 100: version 1: bit 0 set means not signed; version 2: extensions
  const extensionBytes = reader.u32(); // 104, version 2 only
  const headerSizeBytes = major === 1 ? 256 : 128 + extensionBytes;
  if (major === 2 && extensionBytes > bytes.length - 128) {
    throw invalid(104, `it announces ${extensionBytes} bytes of extensions; ${bytes.length - 128} follow`);
  }
  if (sizeBytes > bytes.length - headerSizeBytes) {
    throw invalid(
      76,
      `it announces ${sizeBytes} bytes; ${Math.max(0, bytes.length - headerSizeBytes)} follow`,
    );
  }
  const payload = bytes.subarray(headerSizeBytes, headerSizeBytes + sizeBytes);
  const sum = payload.reduce((total, byte) => (total + byte) >>> 0, 0);
  return {
    headerVersion: `${major}.${minor}`,
    headerSizeBytes,
    sizeBytes,
    entryPoint,
    loadAddress,
    imageVersion,
    binaryType: major === 1 ? (bytes[255] as number) : (bytes[108] as number),
    signed: major === 1 ? (flags & 1) === 0 : (flags & 1) !== 0,
    encrypted: major === 2 && (flags & 2) !== 0,
    checksumRight: sum === checksum,
  };
}

/** True when the bytes begin like a .stm32 image. */
export function isStm32Image(bytes: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, stm32Magic.length), stm32Magic);
}
