import { createDecipheriv } from "node:crypto";

/** An area as the second reader sees it. */
export interface ReadArea {
  readonly type: string;
  readonly version: number;
  readonly index: number;
  readonly address: number;
  readonly total: number;
  readonly plain: Uint8Array;
}

/**
 * A second reading of an SFI or SFIx package, written from the published layout alone: offsets by hand, OpenSSL's
 * AES-GCM, the IV by a BigInt sum. It shares nothing with src/. Throws when anything is out of place or not authentic.
 */
export function readPackageAgain(file: Uint8Array, key: Uint8Array, nonce: Uint8Array) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (Buffer.from(file.subarray(0, 8)).toString("latin1") !== "SFIMAGIC") throw new Error("magic");
  const total = view.getUint16(10, true);
  open(key, iv(nonce, 0), file.subarray(0, 12), new Uint8Array(0), file.subarray(12, 28));
  const areas: ReadArea[] = [];
  let at = 28;
  while (at < file.length) {
    const sizeBytes = view.getUint32(at + 4, true);
    const content = file.subarray(at + 30, at + 30 + sizeBytes);
    if (content.length !== sizeBytes) throw new Error("cut off");
    const index = areas.length + 1;
    areas.push({
      type: String.fromCharCode(file[at]!),
      version: file[at + 1]!,
      index: view.getUint16(at + 2, true),
      address: view.getUint32(at + 8, true),
      total: view.getUint16(at + 12, true),
      plain: open(
        key,
        iv(nonce, index),
        file.subarray(at, at + 14),
        content,
        file.subarray(at + 14, at + 30),
      ),
    });
    at += 30 + sizeBytes;
  }
  if (areas.length !== total) throw new Error("number of areas");
  return { protocolVersion: view.getUint16(8, true), total, areas };
}

function iv(nonce: Uint8Array, index: number): Buffer {
  const sum = (BigInt(`0x${Buffer.from(nonce).toString("hex")}`) + BigInt(index)) % (1n << 96n);
  return Buffer.from(sum.toString(16).padStart(24, "0"), "hex");
}

function open(
  key: Uint8Array,
  vector: Buffer,
  additional: Uint8Array,
  content: Uint8Array,
  tag: Uint8Array,
): Uint8Array {
  const cipher = createDecipheriv("aes-128-gcm", key, vector);
  cipher.setAAD(additional);
  cipher.setAuthTag(tag);
  return new Uint8Array(Buffer.concat([cipher.update(content), cipher.final()]));
}
