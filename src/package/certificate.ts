import { asciiText, plainView } from "../bytes/bytes.ts";
import { ByteReader } from "../bytes/reader.ts";
import { StationError } from "../errors/station-error.ts";
import { isOnCurve, publicKeySizeBytes } from "./p256.ts";

/** Product id 8, public key 64, signature 64 (AN5054 figure 36; the split as in TF-A's SSP code). */
export const certificateSizeBytes = 136;
const productIdSizeBytes = 8;
const signatureSizeBytes = 64;

/** What a chip certificate says. */
export interface ChipCertificate {
  /** Eight hexadecimal digits, e.g. "45002001": device id, security version, key id. */
  readonly productId: string;
  /** The first three digits of the product id: the device id, e.g. "450". */
  readonly deviceIdText: string;
  /** The chip's P-256 public key, X then Y, 64 bytes. */
  readonly publicKey: Uint8Array;
  /** r then s, 64 bytes; ST's certificate authority is not public, so nothing here can check it. */
  readonly signature: Uint8Array;
}

/**
 * Reads a chip certificate and checks what can be checked without ST's key: the length, the product id and that the
 * public key is a point of P-256.
 * @param bytes 136 bytes
 * @param source file or probe, for messages
 * @throws CERTIFICATE_INVALID
 */
export function parseCertificate(bytes: Uint8Array, source: string): ChipCertificate {
  const invalid = (detail: string) => StationError.of("CERTIFICATE_INVALID", { source, detail });
  if (bytes.length !== certificateSizeBytes) {
    throw invalid(`it is ${bytes.length} bytes long instead of ${certificateSizeBytes}`);
  }
  const reader = new ByteReader(plainView(bytes));
  const productId = asciiText(reader.bytes(productIdSizeBytes)); // 0
  const publicKey = reader.bytes(publicKeySizeBytes); // 8
  const signature = reader.bytes(signatureSizeBytes); // 72
  if (!/^[0-9A-F]{8}$/.test(productId)) throw invalid("it does not begin with a product id");
  if (!isOnCurve(publicKey)) throw invalid("its public key is not a point of the curve P-256");
  return { productId, deviceIdText: productId.slice(0, 3), publicKey, signature };
}
