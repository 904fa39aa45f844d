import { concatBytes } from "../bytes/bytes.ts";
import { sha256 } from "../bytes/digest.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { StationError } from "../errors/station-error.ts";
import { gcmSeal } from "../package/aes-gcm.ts";
import { parseCertificate } from "../package/certificate.ts";
import { checkKey, checkNonce, firmwareSecret } from "../package/keys.ts";
import { developmentReserved, developmentType, licenseSizeBytes } from "../package/license.ts";
import { type KeyPair, randomKeyPair, sharedSecret } from "../package/p256.ts";
import type { LicenseSource } from "../ports/index.ts";

/** What a development license is made of. */
export interface DevelopmentLicenseInput {
  /** 136-byte certificate of the virtual chip. */
  readonly certificate: Uint8Array;
  /** The package's key, 16 bytes. */
  readonly key: Uint8Array;
  /** The package's nonce, 12 bytes. */
  readonly nonce: Uint8Array;
  /** Makes the issuer's key pair of one license; for reproducible tests. */
  readonly randomKeyPair?: () => KeyPair;
}

/** A source that issues licenses for virtual chips with the package's own key and nonce. It costs nothing. */
export function developmentIssuer(input: Omit<DevelopmentLicenseInput, "certificate">): LicenseSource {
  return {
    name: "development",
    counted: false,
    check: async (real) => {
      if (real) throw StationError.of("LICENSE_DEVELOPMENT", { source: "development" });
      checkKey(input.key);
      checkNonce(input.nonce);
    },
    issue: async ({ certificate }) => issueDevelopmentLicense({ ...input, certificate }),
  };
}

/**
 * Wraps key and nonce for one virtual chip. The layout is that of a genuine license (STM32CubeH7, RSS.h), the key
 * derivation is this project's own, since ST's is not public:
 * Z = ECDH x-coordinate; T = SHA-256(Z | 00000001) | SHA-256(Z | 00000002), counters big-endian;
 * wrap key T[0..16), wrap IV T[16..32), authorization token T[32..64);
 * AES-128-GCM over the 32 secret bytes with license[0..88) and the token as additional data.
 * @returns the 136 license bytes
 * @throws CERTIFICATE_INVALID
 * @throws KEY_LENGTH
 */
export function issueDevelopmentLicense(input: DevelopmentLicenseInput): Uint8Array {
  const chip = parseCertificate(input.certificate, "the chip's certificate");
  const secret = firmwareSecret(input.key, input.nonce);
  const issuer = (input.randomKeyPair ?? randomKeyPair)();
  const header = licenseHeader(issuer.publicKey);
  const derived = deriveKeys(sharedSecret(issuer.privateKey, chip.publicKey));
  const { ciphertext, tag } = gcmSeal(
    {
      key: derived.wrapKey,
      iv: derived.wrapIv,
      additionalData: concatBytes(header, derived.authorizationToken),
    },
    secret,
  );
  return new ByteWriter(licenseSizeBytes)
    .bytes(header) // 0
    .bytes(ciphertext) // 88
    .bytes(tag) // 120
    .finish();
}

function licenseHeader(issuerPublicKey: Uint8Array): Uint8Array {
  return new ByteWriter(88)
    .bytes(developmentType) // 0
    .u32(0) // 4: session id, static protocol
    .u32(1) // 8: license protocol version
    .u32(0) // 12: minimum security-extension version
    .bytes(developmentReserved) // 16
    .bytes(issuerPublicKey) // 24
    .finish();
}

function deriveKeys(secret: Uint8Array) {
  const block = (counter: number) => sha256(secret, new ByteWriter(4).u32be(counter).finish());
  const first = block(1);
  return {
    wrapKey: first.subarray(0, 16),
    wrapIv: first.subarray(16, 32),
    authorizationToken: block(2),
  };
}
