import { createHmac } from "node:crypto";
import { asciiBytes } from "../bytes/bytes.ts";
import { toHex } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";

/*
 * AES-GCM does not survive two messages under one key and IV: the difference of the plaintexts shows, and from the two
 * tags the hash subkey follows, with which tags can be forged (NIST SP 800-38D appendix A). An SFI package uses the
 * IVs nonce, nonce+1, … nonce+areas (AN5054 2.2), so two packages of one key must not come close to each other either.
 * The register lies beside the key and notes which IVs were used for which image. It holds no secret: the IVs stand in
 * it moved by an amount that only the key tells.
 */

/** One image that was made with the key: one line of the register. */
export interface RegisterEntry {
  /** Which key, without telling it: HMAC-SHA-256 of a fixed text, first 16 bytes in hexadecimal. */
  readonly keyId: string;
  /** First IV, as a number, moved by the key's own amount; as many hexadecimal digits as the nonce has. */
  readonly place: string;
  /** How many IVs in a row were used: image header and areas. */
  readonly ivCount: number;
  /** SHA-256 of the finished image. */
  readonly image: string;
  /** ISO 8601 UTC, for people. */
  readonly time: string;
  /** The image's file name, for people. */
  readonly file: string;
}

/** What an image takes of a key. */
export interface NonceUse {
  readonly key: Uint8Array;
  /** 12 bytes for SFI, 16 for SSP. */
  readonly nonce: Uint8Array;
  readonly ivCount: number;
  readonly image: string;
}

/** The register's name for a key. */
export function keyIdOf(key: Uint8Array): string {
  return toHex(keyed(key, "sfi key register: key")).slice(0, 32);
}

/** The entry of a use. @param circumstances time (ISO 8601 UTC) and file name, for people */
export function registerEntry(
  { key, nonce, ivCount, image }: NonceUse,
  circumstances: Pick<RegisterEntry, "time" | "file">,
): RegisterEntry {
  const modulus = 1n << BigInt(8 * nonce.length);
  const moved = (toNumber(nonce) + toNumber(keyed(key, "sfi key register: place"))) % modulus;
  const place = moved.toString(16).padStart(2 * nonce.length, "0");
  return { keyId: keyIdOf(key), place, ivCount, image, ...circumstances };
}

/**
 * The entry that forbids `use`: an earlier one of the same key whose IVs overlap and whose image is another one.
 * Entries behind the first one of the same image do not count: of two builds at the same time the one that came first
 * into the register keeps the nonce.
 * @returns undefined when the image may be made
 */
export function conflictingEntry(
  register: readonly RegisterEntry[],
  use: Omit<RegisterEntry, "time" | "file">,
): RegisterEntry | undefined {
  const own = register.findIndex((entry) => overlaps(entry, use) && entry.image === use.image);
  const earlier = own === -1 ? register : register.slice(0, own);
  return earlier.find((entry) => overlaps(entry, use) && entry.image !== use.image);
}

/** One line of the register file, with its line end. */
export function formatRegisterLine(entry: RegisterEntry): string {
  const { keyId, place, ivCount, image, time, file } = entry;
  return `${JSON.stringify({ keyId, place, ivCount, image, time, file })}\n`;
}

/**
 * Reads a register: one JSON object a line.
 * @throws KEY_REGISTER_INVALID with the line; a damaged register must not let a nonce be used twice
 */
export function parseRegister(text: string, source: string): RegisterEntry[] {
  return text
    .split("\n")
    .map((line, i) => ({ line, number: i + 1 }))
    .filter(({ line }) => line.trim() !== "")
    .map(({ line, number }) => {
      const entry = parseEntry(line);
      if (entry === undefined) {
        throw StationError.of("KEY_REGISTER_INVALID", { file: source, line: number });
      }
      return entry;
    });
}

function parseEntry(line: string): RegisterEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // Anything that is not JSON is reported by the caller with its line.
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { keyId, place, ivCount, image, time, file } = value as Readonly<Record<string, unknown>>;
  const sound =
    isHex(keyId, 32, 32) &&
    isHex(place, 24, 32) &&
    isHex(image, 64, 64) &&
    Number.isInteger(ivCount) &&
    Number(ivCount) >= 1 &&
    Number(ivCount) <= 0x10000 &&
    typeof time === "string" &&
    typeof file === "string";
  return sound ? { keyId, place, image, ivCount: Number(ivCount), time, file } : undefined;
}

function isHex(value: unknown, least: number, most: number): value is string {
  return (
    typeof value === "string" && value.length >= least && value.length <= most && /^[0-9a-f]+$/.test(value)
  );
}

/** True when the two ranges of IVs have one in common; both run on a circle. */
function overlaps(
  a: Pick<RegisterEntry, "keyId" | "place" | "ivCount">,
  b: Pick<RegisterEntry, "keyId" | "place" | "ivCount">,
): boolean {
  if (a.keyId !== b.keyId || a.place.length !== b.place.length) return false;
  const modulus = 1n << BigInt(4 * a.place.length);
  const distance = (BigInt(`0x${b.place}`) - BigInt(`0x${a.place}`) + modulus) % modulus;
  return distance < BigInt(a.ivCount) || modulus - distance < BigInt(b.ivCount);
}

function keyed(key: Uint8Array, text: string): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(asciiBytes(text)).digest());
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`);
}
