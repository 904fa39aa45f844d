import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { sha256Hex } from "../bytes/digest.ts";
import { StationError } from "../errors/station-error.ts";
import type { LicenseSource } from "../ports/index.ts";
import { fromBase64, toBase64 } from "./service.ts";

/** One license of a bundle and whose it is. */
export interface BundleEntry {
  /** SHA-256 of the chip's certificate, hexadecimal. */
  readonly certificateDigest: string;
  readonly license: Uint8Array;
}

/** Licenses issued beforehand for a station that has no way to their source. */
export interface LicenseBundle {
  /** Digest of the signed content, 16 digits: the bundle's name in ledgers. */
  readonly id: string;
  /** What the licenses open: the source's firmware id, or a package. */
  readonly firmwareId: string | undefined;
  readonly packageDigest: string | undefined;
  /** ISO 8601. */
  readonly created: string;
  readonly entries: readonly BundleEntry[];
}

/** First field of every bundle. */
const format = "sfi license bundle 1";

/**
 * Signs licenses into a bundle file's text.
 * @param signingKeyPem Ed25519 private key (`openssl genpkey -algorithm ed25519`)
 * @throws USAGE_INVALID when the key is none of that kind
 */
export function makeBundle(bundle: Omit<LicenseBundle, "id">, signingKeyPem: string): string {
  const { firmwareId, packageDigest, created } = bundle;
  const entries = bundle.entries.map(({ certificateDigest, license }) => ({
    certificateDigest,
    license: toBase64(license),
  }));
  const payload = JSON.stringify({ format, firmwareId, packageDigest, created, entries });
  const key = ed25519(() => createPrivateKey(signingKeyPem));
  const signature = toBase64(new Uint8Array(sign(null, new TextEncoder().encode(payload), key)));
  return `${JSON.stringify({ payload, signature })}\n`;
}

/**
 * Opens a bundle file and checks its signature before anything in it is looked at.
 * @param verifyKeyPem the issuer's Ed25519 public key
 * @throws LICENSE_BUNDLE_INVALID, USAGE_INVALID
 */
export function openBundle(text: string, verifyKeyPem: string, file: string): LicenseBundle {
  const invalid = (detail: string, cause?: unknown) =>
    StationError.of("LICENSE_BUNDLE_INVALID", { file, detail }, { cause });
  const key = ed25519(() => createPublicKey(verifyKeyPem));
  try {
    const { payload, signature } = JSON.parse(text) as { payload: string; signature: string };
    const signed = new TextEncoder().encode(payload);
    if (!verify(null, signed, key, fromBase64(signature))) throw invalid("its signature does not match");
    const content = JSON.parse(payload) as BundleContent;
    if (content.format !== format) throw invalid(`its format is ${String(content.format)}`);
    return {
      id: sha256Hex(payload).slice(0, 16),
      firmwareId: content.firmwareId,
      packageDigest: content.packageDigest,
      created: content.created,
      entries: content.entries.map((entry) => ({ ...entry, license: fromBase64(entry.license) })),
    };
  } catch (error) {
    if (error instanceof StationError) throw error;
    throw invalid("it is no bundle", error);
  }
}

interface BundleContent {
  readonly format: unknown;
  readonly firmwareId?: string;
  readonly packageDigest?: string;
  readonly created: string;
  readonly entries: readonly { readonly certificateDigest: string; readonly license: string }[];
}

function ed25519<Key extends { asymmetricKeyType?: string | undefined }>(read: () => Key): Key {
  try {
    const key = read();
    if (key.asymmetricKeyType === "ed25519") return key;
  } catch (cause) {
    throw StationError.of("USAGE_INVALID", { detail: "the bundle's key is no key in PEM" }, { cause });
  }
  throw StationError.of("USAGE_INVALID", { detail: "the bundle's key is no Ed25519 key" });
}

/** A bundle as a source: each of its licenses is usable once, and only for its own chip and firmware. */
export function bundleSource(bundle: LicenseBundle, file: string): LicenseSource {
  const name = `bundle:${bundle.id}`;
  return {
    name,
    counted: false,
    once: true,
    check: async () => {},
    inspect: async () => ({
      ready: true,
      remaining: undefined,
      firmwareId: bundle.firmwareId,
      detail: `${bundle.entries.length} licenses of ${bundle.created}`,
    }),
    async issue({ certificate, packageDigest }) {
      if (bundle.firmwareId === undefined && bundle.packageDigest !== packageDigest) {
        throw StationError.of("LICENSE_MISMATCH", { source: name, detail: "it is for another package" });
      }
      const digest = sha256Hex(certificate);
      const entry = bundle.entries.find(({ certificateDigest }) => certificateDigest === digest);
      if (entry !== undefined) return entry.license;
      throw StationError.of("LICENSE_MISMATCH", { source: file, detail: "it holds none for this chip" });
    },
  };
}
