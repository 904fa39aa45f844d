import { concatBytes } from "../../src/bytes/bytes.ts";
import { sha256 } from "../../src/bytes/digest.ts";
import { fromHex } from "../../src/bytes/hex.ts";
import { ck } from "./constants.ts";
import { type Binding, bindingNumber, type Handle } from "./native.ts";
import { readAttribute, type Session } from "./objects.ts";

/** What issuing needs of a token. */
export const neededMechanisms = {
  CKM_EC_KEY_PAIR_GEN: ck.CKM_EC_KEY_PAIR_GEN,
  CKM_ECDH1_DERIVE: ck.CKM_ECDH1_DERIVE,
  CKM_AES_GCM: ck.CKM_AES_GCM,
} as const;

/** DER of the object identifier of P-256 (RFC 5480). */
const p256 = fromHex("06082a8648ce3d030107");
/** DER octet string of 65 bytes, then the mark of an uncompressed point. */
const pointPrefixBytes = 3;
const uncompressed = Uint8Array.of(4);

/**
 * Makes one development license with the token's own key generation, ECDH and AES-GCM. Every object is a session
 * object and is gone with the session.
 * @param options.header license bytes 0 to 23
 * @param options.chipKey the chip's public key, 64 bytes
 * @param options.secret IV and key, 32 bytes
 * @returns the 136 license bytes, in the layout and with the key derivation of the station's development issuer
 */
export function makeTokenLicense(
  session: Session,
  binding: Binding,
  options: { readonly header: Uint8Array; readonly chipKey: Uint8Array; readonly secret: Uint8Array },
): Uint8Array {
  const pair = generatePair(session);
  const publicKey = readAttribute(session, pair.publicKey, ck.CKA_EC_POINT).subarray(pointPrefixBytes);
  const shared = deriveShared(session, binding, pair.privateKey, options.chipKey);
  // ANSI X9.63: SHA-256 over the secret and a counter, big-endian.
  const keys = sha256(shared, Uint8Array.of(0, 0, 0, 1));
  const authorizationToken = sha256(shared, Uint8Array.of(0, 0, 0, 2));
  const start = concatBytes(options.header, publicKey);
  const sealed = seal(session, binding, {
    key: keys.subarray(0, 16),
    iv: keys.subarray(16, 32),
    additionalData: concatBytes(start, authorizationToken),
    plaintext: options.secret,
  });
  return concatBytes(start, sealed);
}

function generatePair({ cryptoki, handle }: Session) {
  return cryptoki.C_GenerateKeyPair(
    handle,
    { mechanism: ck.CKM_EC_KEY_PAIR_GEN, parameter: null },
    [
      { type: ck.CKA_EC_PARAMS, value: Buffer.from(p256) },
      { type: ck.CKA_TOKEN, value: false },
    ],
    [
      { type: ck.CKA_DERIVE, value: true },
      { type: ck.CKA_TOKEN, value: false },
      { type: ck.CKA_SENSITIVE, value: true },
    ],
  );
}

function deriveShared(
  session: Session,
  binding: Binding,
  privateKey: Handle,
  chipKey: Uint8Array,
): Uint8Array {
  const { cryptoki, handle } = session;
  const shared = cryptoki.C_DeriveKey(
    handle,
    {
      mechanism: ck.CKM_ECDH1_DERIVE,
      parameter: {
        type: bindingNumber(binding, "CK_PARAMS_EC_DH"),
        kdf: ck.CKD_NULL,
        publicData: Buffer.from(concatBytes(uncompressed, chipKey)),
      },
    },
    privateKey,
    [
      { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
      { type: ck.CKA_KEY_TYPE, value: ck.CKK_GENERIC_SECRET },
      { type: ck.CKA_VALUE_LEN, value: 32 },
      { type: ck.CKA_TOKEN, value: false },
      { type: ck.CKA_SENSITIVE, value: false },
      { type: ck.CKA_EXTRACTABLE, value: true },
    ],
  );
  return readAttribute(session, shared, ck.CKA_VALUE);
}

function seal(
  { cryptoki, handle }: Session,
  binding: Binding,
  options: {
    readonly key: Uint8Array;
    readonly iv: Uint8Array;
    readonly additionalData: Uint8Array;
    readonly plaintext: Uint8Array;
  },
): Uint8Array {
  const key = cryptoki.C_CreateObject(handle, [
    { type: ck.CKA_CLASS, value: ck.CKO_SECRET_KEY },
    { type: ck.CKA_KEY_TYPE, value: ck.CKK_AES },
    { type: ck.CKA_TOKEN, value: false },
    { type: ck.CKA_ENCRYPT, value: true },
    { type: ck.CKA_SENSITIVE, value: true },
    { type: ck.CKA_VALUE, value: Buffer.from(options.key) },
  ]);
  cryptoki.C_EncryptInit(
    handle,
    {
      mechanism: ck.CKM_AES_GCM,
      parameter: {
        type: bindingNumber(binding, "CK_PARAMS_AES_GCM_v240"),
        iv: Buffer.from(options.iv),
        ivBits: 8 * options.iv.length,
        aad: Buffer.from(options.additionalData),
        tagBits: 128,
      },
    },
    key,
  );
  const room = Buffer.alloc(options.plaintext.length + 16);
  return Uint8Array.from(cryptoki.C_Encrypt(handle, Buffer.from(options.plaintext), room));
}
