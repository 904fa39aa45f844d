import { asciiBytes, concatBytes, filledBytes } from "../bytes/bytes.ts";
import { sha256 } from "../bytes/digest.ts";
import { ByteReader } from "../bytes/reader.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { StationError } from "../errors/station-error.ts";
import { decodePermissions, encodePermissions, fullPermissions } from "./da-permissions.ts";
import {
  encodeObKey,
  h7rsDestination,
  h7rsMethods,
  hashedPayload,
  type ObKey,
  type ObkFamily,
  zeroPadded,
} from "./obk.ts";
import { privateKeyDer, publicKeyDer } from "./pem-keys.ts";

/** H5: first word of HDPL1, reserved for debug authentication. */
const h5DebugAuthentication = 0x0ffd0100;
const h5OemIrotConfig = 0x0ffd0160;
const h5OemIrotData = 0x0ffd0280;
/** H7RS: the slot of the debug-authentication object. */
const h7rsDebugAuthenticationSlot = 8;
/** Payload of a debug-authentication object: hash 32, key or password hash 32, permissions 16, zeros 16. */
export const daPayloadSizeBytes = 96;

/** What a debug-authentication object says. */
export interface DebugAuthentication {
  readonly method: "certificate" | "password";
  /** SHA-256 of the root public key X‖Y, or of the password's bytes. 32 bytes. */
  readonly secretHash: Uint8Array;
  /** What the part grants at most. */
  readonly permissions: bigint;
}

/** Object that lets the holder of a certificate chain under this root key open the part. @param rootKey X then Y */
export function certificateObject(
  family: ObkFamily,
  rootKey: Uint8Array,
  permissions = fullPermissions[family],
): Uint8Array {
  return daObject(family, { method: "certificate", secretHash: sha256(rootKey), permissions });
}

/**
 * Object that lets who knows the password regress the part. On H7RS the permission mask is 0.
 * @throws USAGE_INVALID unless the password has 4 to 16 bytes, a multiple of 4
 */
export function passwordObject(
  family: ObkFamily,
  password: Uint8Array,
  permissions = family === "h5" ? fullPermissions.h5 : 0n,
): Uint8Array {
  checkPassword(password);
  return daObject(family, { method: "password", secretHash: sha256(password), permissions });
}

/** Object that closes debug authentication of an H7RS part for good: ASCII `STDALOCKMGC`, then 0xFF, no hash. */
export function lockObject(): Uint8Array {
  const magic = asciiBytes("STDALOCKMGC");
  return encodeObKey({
    destination: h7rsDestination(h7rsDebugAuthenticationSlot, 0, "locked"),
    encrypted: true,
    payload: concatBytes(magic, filledBytes(32 - magic.length, 0xff)),
  });
}

/**
 * Decodes a debug-authentication payload. On H5 the content does not tell which method it is for: TZEN decides there.
 * @returns undefined when it is none (96 bytes, the last 16 of them zero)
 */
export function decodeDebugAuthentication(
  key: ObKey,
): (Omit<DebugAuthentication, "method"> & { readonly method?: DebugAuthentication["method"] }) | undefined {
  const { destination, payload } = key;
  if (payload.length !== daPayloadSizeBytes || payload.subarray(80).some((byte) => byte !== 0))
    return undefined;
  const method = (destination >>> 16) & 0xff;
  const h7rs =
    destination >>> 24 === 0 && (method === h7rsMethods.certificate || method === h7rsMethods.password);
  if (destination !== h5DebugAuthentication && !h7rs) return undefined;
  const reader = new ByteReader(payload);
  reader.skip(32); // hash
  const secretHash = reader.bytes(32); // 32
  const permissions = decodePermissions(reader.bytes(16)); // 64
  if (!h7rs) return { secretHash, permissions };
  return { secretHash, permissions, method: method === h7rsMethods.certificate ? "certificate" : "password" };
}

/**
 * OEMiRoT_Config of H5: the keys that the OEM's boot code checks and decrypts images with.
 * @param keys public keys X then Y; the decryption key as 32 bytes
 */
export function oemIrotConfigObject(keys: {
  readonly secure: Uint8Array;
  readonly nonSecure: Uint8Array;
  readonly decryption: Uint8Array;
}): Uint8Array {
  const body = concatBytes(
    zeroPadded(publicKeyDer(keys.secure), 92), // 32
    zeroPadded(publicKeyDer(keys.nonSecure), 92), // 124
    zeroPadded(privateKeyDer(keys.decryption), 72), // 216
  );
  return encodeObKey({ destination: h5OemIrotConfig, encrypted: true, payload: hashedPayload(body, 16) });
}

/** OEMiRoT_Data of H5 as it is before the first boot: versions and image hashes, all zero; stored in the clear. */
export function oemIrotDataObject(): Uint8Array {
  const payload = hashedPayload(new Uint8Array(0xc0 - 32), 16);
  return encodeObKey({ destination: h5OemIrotData, encrypted: false, payload });
}

/** Mark of the password's type in the host's file: the mailbox's TLV of type 0x8000. */
const passwordType = 0x8000;

/** The password file that the host sends: reserved u16, type 0x8000, length u32, then the password. */
export function encodePasswordFile(password: Uint8Array): Uint8Array {
  checkPassword(password);
  return new ByteWriter(8 + password.length)
    .u16(0) // 0
    .u16(passwordType) // 2
    .u32(password.length) // 4
    .bytes(password) // 8
    .finish();
}

/** The password in a host's file. @throws INPUT_INVALID with the offset */
export function parsePasswordFile(bytes: Uint8Array, source: string): Uint8Array {
  const invalid = (offset: number, detail: string) =>
    StationError.of("INPUT_INVALID", {
      file: source,
      format: "password file",
      position: `offset ${offset}`,
      detail,
    });
  if (bytes.length < 8) throw invalid(bytes.length, "it ends within its 8-byte header");
  const reader = new ByteReader(bytes);
  if (reader.u16() !== 0) throw invalid(0, "it does not begin with two zero bytes");
  if (reader.u16() !== passwordType) throw invalid(2, "its type is not 0x8000");
  const sizeBytes = reader.u32(); // 4
  if (sizeBytes !== reader.remainingBytes) {
    throw invalid(4, `it announces ${sizeBytes} bytes; ${reader.remainingBytes} follow`);
  }
  return reader.bytes(sizeBytes); // 8
}

/** What an H503 keeps of a password in its OTP: the SHA-256, 32 bytes. */
export function boardPassword(password: Uint8Array): Uint8Array {
  checkPassword(password);
  return sha256(password);
}

function daObject(family: ObkFamily, { method, secretHash, permissions }: DebugAuthentication): Uint8Array {
  const body = concatBytes(
    secretHash, // 32
    encodePermissions(permissions), // 64
    new Uint8Array(16), // 80
  );
  const destination =
    family === "h5" ? h5DebugAuthentication : h7rsDestination(h7rsDebugAuthenticationSlot, 0, method);
  return encodeObKey({
    destination,
    encrypted: true,
    payload: hashedPayload(body, family === "h5" ? 16 : 32),
  });
}

function checkPassword(password: Uint8Array): void {
  if (password.length < 4 || password.length > 16 || password.length % 4 !== 0) {
    throw StationError.of("USAGE_INVALID", {
      detail: `a password has 4, 8, 12 or 16 bytes, not ${password.length}`,
    });
  }
}
