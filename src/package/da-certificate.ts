import { asciiText, concatBytes } from "../bytes/bytes.ts";
import { ByteReader } from "../bytes/reader.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { StationError } from "../errors/station-error.ts";
import { decodePermissions, encodePermissions } from "./da-permissions.ts";
import { signDeterministic, verifySignature } from "./ecdsa.ts";
import { isOnCurve } from "./p256.ts";

/*
 * Certificates of Arm's Authenticated Debug Access Control (ADAC) as STM32H5 and H7RS use them: format 1.0, ECDSA
 * P-256 with SHA-256. Established by parsing and verifying ST's published example chains.
 */

/** One certificate without its wrapping. */
export const daCertificateSizeBytes = 212;
/** Reserved u16, type u16, length u32. */
const wrappingSizeBytes = 8;
const certificateType = 0x0201;
/** What the signature covers. */
const signedSizeBytes = 148;

export const daRoles = ["root", "intermediate", "leaf"] as const;
export type DaRole = (typeof daRoles)[number];

/** What a certificate says. */
export interface DaCertificateFields {
  readonly role: DaRole;
  /** 1 in all of ST's examples. */
  readonly usage: number;
  readonly lifecycle: number;
  readonly oemConstraint: number;
  /** 0: any. */
  readonly socClass: number;
  /** 16 bytes; zeros: any. */
  readonly socId: Uint8Array;
  readonly permissions: bigint;
  /** The subject's key, X then Y. */
  readonly publicKey: Uint8Array;
}

/** A certificate as read. */
export interface DaCertificate extends DaCertificateFields {
  /** The 212 bytes. */
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
  /** From the beginning of the decoded file. */
  readonly offset: number;
}

/**
 * Makes and signs a certificate; the same inputs give the same bytes.
 * @param issuerKey the issuer's private key, 32 bytes; the root signs itself
 * @returns 212 bytes
 * @throws RangeError when a field does not fit
 */
export function createDaCertificate(fields: DaCertificateFields, issuerKey: Uint8Array): Uint8Array {
  if (fields.socId.length !== 16 || fields.publicKey.length !== 64) throw new RangeError("a field's length");
  const signed = new ByteWriter(signedSizeBytes)
    .u8(1) // 0 format major
    .u8(0) // 1 format minor
    .u8(1) // 2 signature type: ECDSA P-256, SHA-256
    .u8(1) // 3 key type: P-256
    .u8(daRoles.indexOf(fields.role) + 1) // 4
    .u8(fields.usage) // 5
    .u16(0) // 6 reserved
    .u16(fields.lifecycle) // 8
    .u16(fields.oemConstraint) // 10
    .u32(0) // 12 length of extensions
    .u32(fields.socClass) // 16
    .bytes(fields.socId) // 20
    .bytes(encodePermissions(fields.permissions)) // 36
    .bytes(fields.publicKey) // 52
    .skip(32) // 116 hash of extensions: none
    .finish();
  return concatBytes(signed, signDeterministic(issuerKey, signed));
}

/** A chain as the tools exchange it: each certificate wrapped, root first, all of it in base64. */
export function encodeDaChain(certificates: readonly Uint8Array[]): string {
  const wrapped = certificates.map((certificate) =>
    new ByteWriter(wrappingSizeBytes + certificate.length)
      .u16(0) // 0
      .u16(certificateType) // 2
      .u32(certificate.length) // 4
      .bytes(certificate) // 8
      .finish(),
  );
  return btoa(asciiText(concatBytes(...wrapped)));
}

/**
 * Reads a chain (.b64: wrapped certificates) or a single certificate (.cert: without wrapping), in base64.
 * Signatures are not looked at: see `chainFindings`.
 * @throws INPUT_INVALID with the offset in the decoded bytes
 */
export function parseDaChain(text: string, source: string): DaCertificate[] {
  const invalid = (offset: number, detail: string) =>
    StationError.of("INPUT_INVALID", {
      file: source,
      format: "debug-authentication certificate",
      position: `offset ${offset}`,
      detail,
    });
  const bytes = fromBase64(text);
  if (bytes === undefined) throw invalid(0, "it is not base64 text");
  if (bytes.length === daCertificateSizeBytes) return [readCertificate(bytes, 0, invalid)];
  const certificates: DaCertificate[] = [];
  const reader = new ByteReader(bytes);
  while (reader.remainingBytes > 0) {
    const offset = reader.offset;
    if (reader.remainingBytes < wrappingSizeBytes) throw invalid(offset, "it ends within a wrapping");
    const reserved = reader.u16();
    const type = reader.u16();
    const sizeBytes = reader.u32();
    if (reserved !== 0 || type !== certificateType) throw invalid(offset, "no certificate begins here");
    if (sizeBytes !== daCertificateSizeBytes) {
      throw invalid(
        offset + 4,
        `a certificate of ${sizeBytes} bytes; only ${daCertificateSizeBytes} are known`,
      );
    }
    if (sizeBytes > reader.remainingBytes) throw invalid(bytes.length, "it ends within a certificate");
    certificates.push(readCertificate(reader.bytes(sizeBytes), offset + wrappingSizeBytes, invalid));
  }
  if (certificates.length === 0) throw invalid(0, "it is empty");
  return certificates;
}

/**
 * What is wrong with a chain: order of roles and every signature, each under its issuer's key.
 * @returns one sentence a finding; none for a sound chain
 */
export function chainFindings(chain: readonly DaCertificate[]): string[] {
  return chain.flatMap((certificate, i) => {
    const issuer = i === 0 ? certificate : (chain[i - 1] as DaCertificate);
    const name = `certificate ${i + 1} (${certificate.role})`;
    const roleFits =
      i === 0 ? certificate.role === "root" : certificate.role !== "root" && issuer.role !== "leaf";
    const signed = certificate.bytes.subarray(0, signedSizeBytes);
    return [
      ...(roleFits ? [] : [`${name} cannot stand at place ${i + 1}`]),
      ...(verifySignature(issuer.publicKey, signed, certificate.signature)
        ? []
        : [`${name} is not signed by ${i === 0 ? "itself" : `certificate ${i} (${issuer.role})`}`]),
    ];
  });
}

/** What a chain grants: the bits that every certificate has. */
export function chainPermissions(chain: readonly DaCertificate[]): bigint {
  return chain.reduce((mask, { permissions }) => mask & permissions, (1n << 128n) - 1n);
}

function readCertificate(
  bytes: Uint8Array,
  offset: number,
  invalid: (offset: number, detail: string) => StationError,
): DaCertificate {
  const reader = new ByteReader(bytes);
  const [major, minor, signatureType, keyType] = [reader.u8(), reader.u8(), reader.u8(), reader.u8()]; // 0
  if (major !== 1 || minor !== 0) throw invalid(offset, `format ${major}.${minor}; only 1.0 is known`);
  if (signatureType !== 1 || keyType !== 1) {
    throw invalid(
      offset + 2,
      `signature type ${signatureType}, key type ${keyType}; ST's parts take P-256 only`,
    );
  }
  const role = daRoles[reader.u8() - 1]; // 4
  if (role === undefined) throw invalid(offset + 4, "the role is none of root, intermediate, leaf");
  const usage = reader.u8(); // 5
  reader.skip(2); // 6
  const lifecycle = reader.u16(); // 8
  const oemConstraint = reader.u16(); // 10
  if (reader.u32() !== 0) throw invalid(offset + 12, "it has extensions; none are known");
  const socClass = reader.u32(); // 16
  const socId = reader.bytes(16); // 20
  const permissions = decodePermissions(reader.bytes(16)); // 36
  const publicKey = reader.bytes(64); // 52
  if (!isOnCurve(publicKey)) throw invalid(offset + 52, "its key is not a point of P-256");
  reader.skip(32); // 116
  const signature = reader.bytes(64); // 148
  return {
    role,
    usage,
    lifecycle,
    oemConstraint,
    socClass,
    socId,
    permissions,
    publicKey,
    bytes,
    signature,
    offset,
  };
}

function fromBase64(text: string): Uint8Array | undefined {
  const clean = text.replace(/\s+/g, "");
  if (clean === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(clean) || clean.length % 4 !== 0) return undefined;
  return Uint8Array.from(atob(clean), (character) => character.charCodeAt(0));
}
