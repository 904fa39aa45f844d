import { createCipheriv, createECDH, createHash } from "node:crypto";

/** An SFI package and its license, made with node:crypto only and from the published layouts, for the tests of RSS. */
export interface AreaSpec {
  readonly type: string;
  readonly address?: number;
  readonly content: Uint8Array;
}

export interface PackageOptions {
  readonly key?: Uint8Array;
  readonly nonce?: Uint8Array;
  readonly magic?: string;
  readonly protocolVersion?: number;
  readonly totalAreas?: number;
  readonly version?: number;
  /** Index of the first area. */
  readonly firstIndex?: number;
}

export const sampleKey = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
export const sampleNonce = Uint8Array.from({ length: 12 }, (_, i) => 0xf0 + i);

/** The 28-byte image header. */
export function imageHeader(total: number, options: PackageOptions = {}): Buffer {
  const head = Buffer.alloc(12);
  head.write(options.magic ?? "SFIMAGIC", "ascii");
  head.writeUInt16LE(options.protocolVersion ?? 1, 8);
  head.writeUInt16LE(options.totalAreas ?? total, 10);
  const sealed = seal(options.key ?? sampleKey, options.nonce ?? sampleNonce, head, Buffer.alloc(0));
  return Buffer.concat([head, sealed.tag]);
}

/** One area with its 30-byte header. */
export function area(spec: AreaSpec, index: number, total: number, options: PackageOptions = {}): Buffer {
  const head = Buffer.alloc(14);
  head.write(spec.type, 0, "ascii");
  head.writeUInt8(options.version ?? 7, 1);
  head.writeUInt16LE(index, 2);
  head.writeUInt32LE(spec.content.length, 4);
  head.writeUInt32LE(spec.address ?? 0, 8);
  head.writeUInt16LE(options.totalAreas ?? total, 12);
  const iv = Buffer.from(options.nonce ?? sampleNonce);
  let rest = index;
  for (let i = 11; rest > 0; i--) {
    rest += iv[i]!;
    iv[i] = rest & 0xff;
    rest >>>= 8;
  }
  const sealed = seal(options.key ?? sampleKey, iv, head, spec.content);
  return Buffer.concat([head, sealed.tag, sealed.data]);
}

/** A development license for the chip with this certificate. */
export function developmentLicense(
  certificate: Uint8Array,
  change: {
    key?: Uint8Array;
    nonce?: Uint8Array;
    type?: string;
    minimumVersion?: number;
    ephemeral?: Buffer;
  } = {},
): Buffer {
  const ecdh = createECDH("prime256v1");
  ecdh.generateKeys();
  const secret = ecdh.computeSecret(Buffer.concat([Buffer.from([4]), certificate.subarray(8, 72)]));
  const derived = Buffer.concat(
    [1, 2].map((i) =>
      createHash("sha256")
        .update(secret)
        .update(Buffer.from([0, 0, 0, i]))
        .digest(),
    ),
  );
  const head = Buffer.alloc(88);
  head.write(change.type ?? "SDEV", 0, "ascii");
  head.writeUInt32LE(1, 8);
  head.writeUInt32LE(change.minimumVersion ?? 0, 12);
  head.write("NOT-REAL", 16, "ascii");
  (change.ephemeral ?? ecdh.getPublicKey().subarray(1)).copy(head, 24);
  const plain = Buffer.concat([change.nonce ?? sampleNonce, Buffer.alloc(4), change.key ?? sampleKey]);
  const aad = Buffer.concat([head, derived.subarray(32)]);
  const sealed = seal(derived.subarray(0, 16), derived.subarray(16, 32), aad, plain);
  return Buffer.concat([head, sealed.data, sealed.tag]);
}

/** The content of a C area. */
export function optionContent(words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * words.length);
  words.forEach((value, i) => {
    bytes.writeUInt32LE(value >>> 0, 4 * i);
  });
  return bytes;
}

/** The example rows of AN5054 figure 15 with RDP as given. */
export function exampleOptions(rdp = 0xaa): number[] {
  return [
    0x1026_00d0 | (rdp << 8),
    0x81000200,
    0x81000200,
    0x81000200,
    0x81000200,
    0xffffffff,
    0xffffffff,
    0x24000800,
    0x10000810,
  ];
}

function seal(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, data: Uint8Array) {
  const cipher = createCipheriv("aes-128-gcm", key, iv).setAAD(aad);
  const out = Buffer.concat([cipher.update(data), cipher.final()]);
  return { data: out, tag: cipher.getAuthTag() };
}
