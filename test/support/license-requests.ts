import { sha256Hex } from "../../src/bytes/digest.ts";
import { toHex } from "../../src/bytes/hex.ts";
import { licenseStoreKey } from "../../src/license/broker.ts";
import type { LedgerChange, LedgerRequest, LicenseRequest } from "../../src/ports/index.ts";
import { genuineLicense, sampleCertificate, sampleKeyPair } from "./license-samples.ts";

/** The request of one chip, by number. */
export function requestOf(chip: number): LicenseRequest {
  return { certificate: sampleCertificate(sampleKeyPair(chip)), packageDigest: sha256Hex("package") };
}

export const keyOf = (chip: number): string => licenseStoreKey(requestOf(chip));

export const ledgerRequest: LedgerRequest = {
  certificateDigest: sha256Hex("certificate"),
  productId: "45002001",
  firmware: "package:1",
  protocol: "static",
};

/** The change that reserves a license for a chip. */
export function reserveChange(chip: number, source = "hsm"): Extract<LedgerChange, { kind: "reserve" }> {
  return { kind: "reserve", key: keyOf(chip), source, request: ledgerRequest };
}

/** The change that enters the license of a chip. */
export function issuedChange(chip: number, reservation: number, source = "hsm"): LedgerChange {
  const license = genuineLicense(chip);
  return {
    kind: "issued",
    key: keyOf(chip),
    source,
    reservation,
    license: toHex(license),
    digest: sha256Hex(license),
    spent: 1,
  };
}
