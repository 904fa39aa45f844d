import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { asciiText, concatBytes } from "../bytes/bytes.ts";
import { StationError } from "../errors/station-error.ts";

/** A P-256 key out of a PEM file. */
export interface PemKey {
  /** X then Y, 64 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 bytes; only for a file with a private key. */
  readonly privateKey?: Uint8Array;
}

/**
 * Reads a P-256 key from a PEM file: SubjectPublicKeyInfo, SEC 1 (RFC 5915) or PKCS #8 (RFC 5958), not encrypted.
 * @param source file name for messages
 * @throws INPUT_INVALID when it is none of these or on another curve
 */
export function keyOfPem(text: string, source: string): PemKey {
  const invalid = (detail: string, cause?: unknown) =>
    StationError.of(
      "INPUT_INVALID",
      { file: source, format: "PEM key", position: "its beginning", detail },
      { cause },
    );
  const isPrivate = /-----BEGIN (EC )?PRIVATE KEY-----/.test(text);
  if (/ENCRYPTED/.test(text)) throw invalid("it is encrypted; the key must be given in the clear");
  let key: KeyObject;
  try {
    key = isPrivate ? createPrivateKey(text) : createPublicKey(text);
  } catch (error) {
    throw invalid("it holds no readable key", error);
  }
  if (key.asymmetricKeyDetails?.namedCurve !== "prime256v1") throw invalid("it is not a P-256 key");
  const jwk = key.export({ format: "jwk" });
  const publicKey = concatBytes(fromBase64Url(jwk.x ?? ""), fromBase64Url(jwk.y ?? ""));
  return jwk.d === undefined ? { publicKey } : { publicKey, privateKey: fromBase64Url(jwk.d) };
}

/** A private key out of a PEM file. @throws INPUT_INVALID also for a file with a public key only */
export function privateKeyOfPem(text: string, source: string): Required<PemKey> {
  const { publicKey, privateKey } = keyOfPem(text, source);
  if (privateKey === undefined) {
    throw StationError.of("INPUT_INVALID", {
      file: source,
      format: "PEM key",
      position: "its beginning",
      detail: "it holds a public key; a private one is needed",
    });
  }
  return { publicKey, privateKey };
}

/** A public key for node:crypto. @param publicKey X then Y @throws Error when it is no point of P-256 */
export function publicKeyObject(publicKey: Uint8Array): KeyObject {
  const x = toBase64Url(publicKey.subarray(0, 32));
  const y = toBase64Url(publicKey.subarray(32));
  return createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
}

/** DER of a public key as SubjectPublicKeyInfo (RFC 5480), 91 bytes. @param publicKey X then Y */
export function publicKeyDer(publicKey: Uint8Array): Uint8Array {
  return concatBytes(subjectPublicKeyHead, publicKey);
}

/**
 * DER of a private key as STM32TrustedPackageCreator writes it into OBKeys: PKCS #8 whose public-key part is announced
 * (a1 44) and then left out, 70 bytes. Strict readers refuse it; the boot code on the chip reads it.
 * @param privateKey 32 bytes
 */
export function privateKeyDer(privateKey: Uint8Array): Uint8Array {
  return concatBytes(privateKeyHead, privateKey, Uint8Array.of(0xa1, 0x44));
}

/** SEQUENCE { SEQUENCE { ecPublicKey, prime256v1 }, BIT STRING { 04 … } }, up to X. */
const subjectPublicKeyHead = Uint8Array.of(
  ...[0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
  ...[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04],
);
/** SEQUENCE { 0, SEQUENCE { ecPublicKey, prime256v1 }, OCTET STRING { SEQUENCE { 1, OCTET STRING …, up to d. */
const privateKeyHead = Uint8Array.of(
  ...[0x30, 0x81, 0x43, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
  ...[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x29, 0x30, 0x27, 0x02, 0x01, 0x01],
  ...[0x04, 0x20],
);

function toBase64Url(bytes: Uint8Array): string {
  return btoa(asciiText(bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64Url(text: string): Uint8Array {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
