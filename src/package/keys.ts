import { randomBytes } from "node:crypto";
import { concatBytes } from "../bytes/bytes.ts";
import { StationError } from "../errors/station-error.ts";

/** AES-128 firmware key (AN5054 2.5.1, option -k). */
export const keySizeBytes = 16;
/** GCM nonce (AN5054 2.5.1, option -n). */
export const nonceSizeBytes = 12;

/**
 * A firmware key's bytes, checked.
 * @param file name for the message; never the bytes
 * @throws KEY_LENGTH unless 16 bytes long
 */
export function checkKey(bytes: Uint8Array, file = "the firmware key"): Uint8Array {
  return checkLength(bytes, file, "firmware key", keySizeBytes);
}

/**
 * A nonce's bytes, checked.
 * @throws KEY_LENGTH unless 12 bytes long
 */
export function checkNonce(bytes: Uint8Array, file = "the nonce"): Uint8Array {
  return checkLength(bytes, file, "nonce", nonceSizeBytes);
}

/**
 * The 32 secret bytes of a license: IV (nonce and four zero bytes), then the key
 * (AN5054 3.1.2, "STM32HSM programming by OEM": the firmware key field).
 * @throws KEY_LENGTH
 */
export function firmwareSecret(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  return concatBytes(checkNonce(nonce), new Uint8Array(4), checkKey(key));
}

/** A new firmware key from the system's random numbers, 16 bytes. */
export function randomKey(): Uint8Array {
  return new Uint8Array(randomBytes(keySizeBytes));
}

/** A new nonce from the system's random numbers: 12 bytes for SFI, 16 for SSP (AN5054 2.5.1 and 2.5.2, option -n). */
export function randomNonce(sizeBytes: number = nonceSizeBytes): Uint8Array {
  return new Uint8Array(randomBytes(sizeBytes));
}

function checkLength(bytes: Uint8Array, file: string, kind: string, expectedBytes: number): Uint8Array {
  if (bytes.length !== expectedBytes) {
    throw StationError.of("KEY_LENGTH", { file, kind, actualBytes: bytes.length, expectedBytes });
  }
  return bytes;
}
