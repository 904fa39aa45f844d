import { createECDH, createHmac } from "node:crypto";
import { asciiBytes, concatBytes } from "../../src/bytes/bytes.ts";
import { sha256 } from "../../src/bytes/digest.ts";
import { fromHex, toHex } from "../../src/bytes/hex.ts";
import type { ChipModel } from "./models/model.ts";

/** Order of the group of P-256 (SEC 2, 2.4.2). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** A P-256 key pair: private scalar 32 bytes, public point X||Y 64 bytes, both big-endian. */
export interface KeyPair {
  readonly privateKey: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** Public key X||Y of the certificate authority of the virtual bench. Its private key is no secret. */
export function benchCaPublicKey(): Uint8Array {
  return benchCa().publicKey;
}

/** The key pair of the chip with this unique id: the same id gives the same keys. */
export function chipKeyPair(model: ChipModel, uid: Uint8Array): KeyPair {
  return derivedKeyPair(concatBytes(asciiBytes(`virtual chip ${model.productId} `), uid));
}

/**
 * The chip certificate, 136 bytes: product id 8 @0, public key X||Y 64 @8, signature r||s 64 @72.
 * The signature is ECDSA with SHA-256 over the first 72 bytes by the bench's certificate authority.
 */
export function chipCertificate(model: ChipModel, uid: Uint8Array): Uint8Array {
  const signed = concatBytes(asciiBytes(model.productId), chipKeyPair(model, uid).publicKey);
  return concatBytes(signed, sign(signed, benchCa().privateKey));
}

/**
 * x coordinate (32 bytes) of the shared point of ECDH on P-256.
 * @param peer public key X||Y; undefined is returned when it is no point of the curve
 */
export function sharedSecret(privateKey: Uint8Array, peer: Uint8Array): Uint8Array | undefined {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(privateKey);
  try {
    return new Uint8Array(ecdh.computeSecret(concatBytes(Uint8Array.of(4), peer)));
  } catch (thrown) {
    // The only thing left that can be wrong is the peer's point, and then there is no secret.
    if (thrown instanceof Error) return undefined;
    throw thrown;
  }
}

function benchCa(): KeyPair {
  return derivedKeyPair(asciiBytes("virtual bench certificate authority"));
}

function derivedKeyPair(seed: Uint8Array): KeyPair {
  const privateKey = toBytes((toInteger(sha256(seed)) % (order - 1n)) + 1n);
  return { privateKey, publicKey: publicKeyOf(privateKey) };
}

function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(privateKey);
  return new Uint8Array(ecdh.getPublicKey()).subarray(1);
}

/** ECDSA (FIPS 186-5, 6.4.1) with a nonce made from key and message, so that a chip's certificate never changes. */
function sign(message: Uint8Array, privateKey: Uint8Array): Uint8Array {
  const seed = new Uint8Array(createHmac("sha256", privateKey).update(message).digest());
  const nonce = (toInteger(seed) % (order - 1n)) + 1n;
  const r = toInteger(publicKeyOf(toBytes(nonce)).subarray(0, 32)) % order;
  const digest = toInteger(sha256(message));
  const s = (inverse(nonce) * ((digest + r * toInteger(privateKey)) % order)) % order;
  return concatBytes(toBytes(r), toBytes(s));
}

/** Inverse modulo the (prime) group order by Fermat's theorem. */
function inverse(value: bigint): bigint {
  let result = 1n;
  let base = value % order;
  for (let exponent = order - 2n; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % order;
    base = (base * base) % order;
  }
  return result;
}

function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}

function toBytes(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(64, "0"));
}
