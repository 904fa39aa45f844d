import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { StationError } from "../errors/station-error.ts";
import { type ChipCertificate, parseCertificate } from "../package/certificate.ts";

/** Product id and public key: what the signature is made over (arm-trusted-firmware, stm32mp1_ssp.c: the layout). */
const signedSizeBytes = 72;

/** What the operator knows about the chips that may be given a license. */
export interface CertificateRules {
  /** Product ids that may pass; undefined lets all pass. */
  readonly productIds?: readonly string[] | undefined;
  /** The authority's public key, PEM; undefined leaves the signature unchecked. ST's is not public. */
  readonly authorityPem?: string | undefined;
}

/**
 * Everything about a certificate that can be told before a license is asked for: length, product id, point on curve,
 * and the signature where the authority's key is known. That it is ECDSA with SHA-256 over the first 72 bytes is this
 * project's assumption; it holds for virtual chips.
 * @throws CERTIFICATE_INVALID
 */
export function checkCertificate(
  certificate: Uint8Array,
  rules: CertificateRules,
  source: string,
): ChipCertificate {
  const parsed = parseCertificate(certificate, source);
  const invalid = (detail: string) => StationError.of("CERTIFICATE_INVALID", { source, detail });
  if (rules.productIds !== undefined && !rules.productIds.includes(parsed.productId)) {
    throw invalid(`it is for product ${parsed.productId}, and ${rules.productIds.join(" or ")} is expected`);
  }
  if (rules.authorityPem !== undefined) {
    const key = authorityKey(rules.authorityPem);
    const signed = certificate.subarray(0, signedSizeBytes);
    if (!verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, parsed.signature)) {
      throw invalid("its signature is not the certificate authority's");
    }
  }
  return parsed;
}

function authorityKey(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === "ec") return key;
    throw new TypeError(`it is of type ${String(key.asymmetricKeyType)}`);
  } catch (cause) {
    const detail = `the certificate authority's key is no P-256 public key in PEM: ${String(cause)}`;
    throw StationError.of("USAGE_INVALID", { detail }, { cause });
  }
}
