import { createECDH, createHmac, verify } from "node:crypto";
import { concatBytes } from "../bytes/bytes.ts";
import { sha256 } from "../bytes/digest.ts";
import { toHex } from "../bytes/hex.ts";
import { publicKeyObject } from "./pem-keys.ts";

/** Order of P-256 (FIPS 186-5; SEC 2 2.4.2). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/**
 * ECDSA over SHA-256 with the nonce derived from key and message (RFC 6979), so that the same inputs give the same
 * bytes. Arithmetic modulo the order is BigInt's and not constant in time: for signing files at a desk, not in a service.
 * @param privateKey 32 bytes
 * @returns r then s, 64 bytes
 */
export function signDeterministic(privateKey: Uint8Array, message: Uint8Array): Uint8Array {
  const digest = sha256(message);
  const d = toNumber(privateKey);
  const z = toNumber(digest) % order;
  for (const k of candidates(privateKey, digest)) {
    const r = toNumber(baseTimes(k).subarray(1, 33)) % order;
    const s = (inverse(toNumber(k)) * (z + r * d)) % order;
    if (r !== 0n && s !== 0n) return concatBytes(toBytes(r), toBytes(s));
  }
  throw new RangeError("no signature was found");
}

/** True when `signature` (r then s) is `publicKey`'s (X then Y) over the message's SHA-256. */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(
      "sha256",
      message,
      { key: publicKeyObject(publicKey), dsaEncoding: "ieee-p1363" },
      signature,
    );
  } catch {
    // OpenSSL refuses a key that is no point of the curve; nothing it signs can be right.
    return false;
  }
}

/** RFC 6979 3.2: K and V from the private key and the digest, then candidates for the nonce. */
function* candidates(privateKey: Uint8Array, digest: Uint8Array): Generator<Uint8Array> {
  const seed = concatBytes(privateKey, toBytes(toNumber(digest) % order));
  let value = new Uint8Array(32).fill(1);
  let key = new Uint8Array(32);
  for (const mark of [0, 1]) {
    key = hmac(key, concatBytes(value, Uint8Array.of(mark), seed));
    value = hmac(key, value);
  }
  for (;;) {
    value = hmac(key, value);
    const number = toNumber(value);
    if (number >= 1n && number < order) yield value;
    key = hmac(key, concatBytes(value, Uint8Array.of(0)));
    value = hmac(key, value);
  }
}

/** k times the base point, as 04, X, Y. */
function baseTimes(k: Uint8Array): Uint8Array {
  const ecdh = createECDH("prime256v1");
  ecdh.setPrivateKey(k);
  return new Uint8Array(ecdh.getPublicKey());
}

/** Modulo the order, by Fermat: the order is prime. */
function inverse(value: bigint): bigint {
  let [result, base, exponent] = [1n, value, order - 2n];
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * base) % order;
    base = (base * base) % order;
  }
  return result;
}

function hmac(key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHmac("sha256", key).update(data).digest());
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}

function toBytes(value: bigint): Uint8Array {
  const text = value.toString(16).padStart(64, "0");
  return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
