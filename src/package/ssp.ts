import { asciiBytes, concatBytes, equalBytes, fromWords, plainView } from "../bytes/bytes.ts";
import { ByteReader } from "../bytes/reader.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { StationError } from "../errors/station-error.ts";
import { gcmOpen, gcmSeal, tagSizeBytes } from "./aes-gcm.ts";
import { keySizeBytes } from "./keys.ts";

/*
 * The SSP payload of STM32MP1 (.ssp): AN5054 2.4, table 2, and the structures of TF-A's boot_api.h for SSP
 * (boot_api_ssp_…). All integers are little-endian.
 */

export const sspMagic = asciiBytes("SSPP");
const sspVersion = 1;
/** The license carries a 16-byte IV (TF-A), and the CLI takes a nonce of 16 (AN5054 2.5.2); the GUI's text says 12. */
export const sspNonceSizeBytes = 16;
/** What the OEM gives: the words OTP 59 to 95 (AN5054 14.3.1). */
export const sspSecretsSizeBytes = 148;
/** RMA password word and secrets. */
const plaintextSizeBytes = 4 + sspSecretsSizeBytes;

/** The two layouts; they differ in what proves the OEM's firmware. */
export const sspDevices = {
  /** STM32MP15: OEM ECDSA public key, X then Y. */
  mp15: { deviceId: 0x500, name: "STM32MP15", keySizeBytes: 64 },
  /** STM32MP13: hash of the table of the eight public keys' hashes. */
  mp13: { deviceId: 0x501, name: "STM32MP13", keySizeBytes: 32 },
} as const;
export type SspDevice = keyof typeof sspDevices;

/** Everything an SSP image is made of. */
export interface SspBuildInput {
  readonly device: SspDevice;
  /** MP15: public key X then Y, 64 bytes; MP13: hash of the key table, 32 bytes. */
  readonly oemKey: Uint8Array;
  /** The RMA word, see `rmaWord`. */
  readonly rmaPassword: number;
  /** 148 bytes. */
  readonly secrets: Uint8Array;
  /** 16 bytes. */
  readonly key: Uint8Array;
  /** 16 bytes. */
  readonly nonce: Uint8Array;
}

/** An SSP image as read. */
export interface SspImage {
  readonly device: SspDevice;
  readonly oemKey: Uint8Array;
  /** As the header says: 152. */
  readonly secretSizeBytes: number;
  readonly tag: Uint8Array;
  readonly encrypted: Uint8Array;
  /** What the tag covers beside the secrets. */
  readonly header: Uint8Array;
}

/**
 * The RMA word of MP15: two 15-bit values, unlock in bits 14:0 and relock in 29:15 (both are 0..0x7FFF, AN5054 2.5.2;
 * TF-A programs bits 29:0; which half is which is inferred).
 * @throws USAGE_INVALID when a value does not fit
 */
export function rmaWord(unlock: number, relock: number): number {
  for (const [what, value] of [
    ["RMA unlock", unlock],
    ["RMA relock", relock],
  ] as const) {
    if (!Number.isInteger(value) || value < 0 || value > 0x7fff) {
      throw StationError.of("USAGE_INVALID", { detail: `${what} must be 0..0x7FFF` });
    }
  }
  return unlock | (relock << 15);
}

/**
 * Builds an SSP image: the header, the tag over header and secrets, the encrypted secrets with the RMA word in front.
 * On MP13 the header is 44 bytes long, and so is the additional data; a constant of TF-A still says 76 (inferred).
 * @throws KEY_LENGTH, USAGE_INVALID
 */
export function buildSsp(input: SspBuildInput): Uint8Array {
  const { device, oemKey, rmaPassword, secrets, key, nonce } = input;
  const { keySizeBytes: oemKeySizeBytes, name } = sspDevices[device];
  checkSize(oemKey, oemKeySizeBytes, `the OEM key of ${name}`);
  checkSize(secrets, sspSecretsSizeBytes, "the secrets file");
  checkSspKey(key, nonce);
  const header = new ByteWriter(headerSizeBytes(device))
    .bytes(sspMagic) // 0
    .u32(sspVersion) // 4
    .bytes(oemKey) // 8
    .u32(plaintextSizeBytes) // 72 on MP15, 40 on MP13
    .finish();
  const plaintext = concatBytes(fromWords([rmaPassword]), secrets);
  const { ciphertext, tag } = gcmSeal({ key, iv: nonce, additionalData: header }, plaintext);
  return concatBytes(header, tag, ciphertext);
}

/**
 * Reads an SSP image; which device it is for follows from its length.
 * @throws INPUT_INVALID with the offset
 */
export function parseSsp(file: Uint8Array, source: string): SspImage {
  const invalid = (offset: number, detail: string) =>
    StationError.of("INPUT_INVALID", {
      file: source,
      format: "SSP image",
      position: `offset ${offset}`,
      detail,
    });
  if (!isSsp(file)) throw invalid(0, "it does not begin with SSPP");
  const device = (Object.keys(sspDevices) as SspDevice[]).find((name) => file.length === fileSizeBytes(name));
  if (device === undefined) {
    throw invalid(file.length, "it ends here; an image has 244 bytes (STM32MP15) or 212 (STM32MP13)");
  }
  const bytes = plainView(file);
  const reader = new ByteReader(bytes);
  reader.skip(sspMagic.length);
  const version = reader.u32(); // 4
  if (version !== sspVersion) throw invalid(4, `protocol version ${version}; only ${sspVersion} is known`);
  const oemKey = reader.bytes(sspDevices[device].keySizeBytes); // 8
  const sizeOffset = reader.offset;
  const secretSizeBytes = reader.u32();
  if (secretSizeBytes !== plaintextSizeBytes) {
    throw invalid(
      sizeOffset,
      `it announces ${secretSizeBytes} bytes of secrets instead of ${plaintextSizeBytes}`,
    );
  }
  const header = bytes.subarray(0, reader.offset);
  const tag = reader.bytes(tagSizeBytes);
  return { device, oemKey, secretSizeBytes, tag, encrypted: reader.bytes(plaintextSizeBytes), header };
}

/** What an SSP image holds. */
export interface OpenedSsp {
  readonly rmaPassword: number;
  /** 148 bytes. */
  readonly secrets: Uint8Array;
}

/**
 * Checks the tag and decrypts.
 * @throws KEY_LENGTH
 * @throws PACKAGE_TAG_WRONG
 */
export function openSsp(image: SspImage, key: Uint8Array, nonce: Uint8Array, source: string): OpenedSsp {
  checkSspKey(key, nonce);
  const context = { key, iv: nonce, additionalData: image.header };
  const plaintext = gcmOpen(context, image.encrypted, image.tag);
  if (plaintext === undefined)
    throw StationError.of("PACKAGE_TAG_WRONG", { file: source, part: "the payload" });
  return { rmaPassword: new ByteReader(plaintext).u32(), secrets: plaintext.subarray(4) };
}

/** True when the bytes begin like an SSP image. */
export function isSsp(bytes: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, sspMagic.length), sspMagic);
}

/** The device of an id. @throws FORMAT_NOT_PUBLIC for STM32MP2, USAGE_INVALID for what takes no SSP */
export function sspDeviceOf(deviceId: number): SspDevice {
  const device = (Object.keys(sspDevices) as SspDevice[]).find(
    (name) => sspDevices[name].deviceId === deviceId,
  );
  if (device !== undefined) return device;
  if (deviceId === 0x503 || deviceId === 0x505) {
    throw StationError.of("FORMAT_NOT_PUBLIC", {
      what: "SSP-SFI data for STM32MP2",
      detail: "the layouts of its image, secrets file and backup file are published nowhere",
    });
  }
  throw StationError.of("USAGE_INVALID", {
    detail: "SSP images are for 0x500 (STM32MP15) and 0x501 (STM32MP13)",
  });
}

function headerSizeBytes(device: SspDevice): number {
  return sspMagic.length + 4 + sspDevices[device].keySizeBytes + 4;
}

function fileSizeBytes(device: SspDevice): number {
  return headerSizeBytes(device) + tagSizeBytes + plaintextSizeBytes;
}

function checkSspKey(key: Uint8Array, nonce: Uint8Array): void {
  checkLength(key, keySizeBytes, "firmware key");
  checkLength(nonce, sspNonceSizeBytes, "SSP nonce");
}

function checkLength(bytes: Uint8Array, expectedBytes: number, kind: string): void {
  if (bytes.length === expectedBytes) return;
  throw StationError.of("KEY_LENGTH", {
    file: `the ${kind}`,
    kind,
    actualBytes: bytes.length,
    expectedBytes,
  });
}

function checkSize(bytes: Uint8Array, sizeBytes: number, what: string): void {
  if (bytes.length === sizeBytes) return;
  throw StationError.of("USAGE_INVALID", { detail: `${what} has ${sizeBytes} bytes, not ${bytes.length}` });
}
