import { createECDH, ECDH } from "node:crypto";
import { concatBytes } from "../bytes/bytes.ts";

/** OpenSSL's name of NIST P-256. */
const curve = "prime256v1";
/** SEC 1 2.3.3: the mark of an uncompressed point. */
const uncompressed = Uint8Array.of(0x04);

/** A P-256 public key without the point mark: X then Y, big-endian. */
export const publicKeySizeBytes = 64;

export interface KeyPair {
  /** 32 bytes, big-endian. */
  readonly privateKey: Uint8Array;
  /** X then Y, 64 bytes. */
  readonly publicKey: Uint8Array;
}

/** True when the 64 bytes X, Y are a point of P-256 (SEC 1 3.2.2.1). */
export function isOnCurve(publicKey: Uint8Array): boolean {
  if (publicKey.length !== publicKeySizeBytes) return false;
  try {
    ECDH.convertKey(concatBytes(uncompressed, publicKey), curve);
    return true;
  } catch {
    // The conversion has one purpose here: OpenSSL refuses what is not a point of the curve.
    return false;
  }
}

/** A new key pair from the system's random numbers. */
export function randomKeyPair(): KeyPair {
  const ecdh = createECDH(curve);
  ecdh.generateKeys();
  return keyPair(ecdh);
}

/** The key pair of a private key. @throws RangeError unless it is 32 bytes long and in 1..n-1 */
export function keyPairOf(privateKey: Uint8Array): KeyPair {
  return keyPair(withPrivateKey(privateKey));
}

/**
 * ECDH: the x-coordinate of the common point, 32 bytes big-endian (SP 800-56A 5.7.1.2).
 * @param privateKey 32 bytes
 * @param publicKey the other side's X, Y
 * @throws RangeError when the private key is out of range or the public key is not on the curve
 */
export function sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  if (!isOnCurve(publicKey)) throw new RangeError("the public key is not on the curve");
  const secret = withPrivateKey(privateKey).computeSecret(concatBytes(uncompressed, publicKey));
  return new Uint8Array(secret);
}

function withPrivateKey(privateKey: Uint8Array): ECDH {
  const ecdh = createECDH(curve);
  try {
    ecdh.setPrivateKey(privateKey);
  } catch (cause) {
    throw new RangeError("the private key is not in the curve's range", { cause });
  }
  return ecdh;
}

/** OpenSSL leaves out leading zeros of a private key; the pair always has 32 bytes. */
function keyPair(ecdh: ECDH): KeyPair {
  const privateKey = new Uint8Array(32);
  const digits = ecdh.getPrivateKey();
  privateKey.set(digits, privateKey.length - digits.length);
  return { privateKey, publicKey: new Uint8Array(ecdh.getPublicKey().subarray(uncompressed.length)) };
}
