import { asciiBytes, asciiText, concatBytes, equalBytes, fromWords } from "../bytes/bytes.ts";
import { sha256 } from "../bytes/digest.ts";

/** What is known of an RSS extension binary from its bytes. Genuine ones are opaque but for their version. */
export interface RsseHeader {
  /** "x.y.z": bytes 26, 25, 24 of the file (ST security advisory SA0022). */
  readonly version: string;
  /** Undefined for a genuine binary. */
  readonly development: DevelopmentRsse | undefined;
}

/** The header of a development binary: this project's own, accepted by virtual chips only. */
export interface DevelopmentRsse {
  readonly family: string;
  readonly loadAddress: number;
  /** The file is as long as it says and its digest is right. */
  readonly intact: boolean;
}

const magic = "RSSEDEV1";
const headerBytes = 64;
const tableBytes = 28;
const codeOffset = 0x100;
const fileBytes = 0x400;
/** BKPT 0, twice: what a service that only returns is made of. */
const breakpoints = 0xbe00be00;

/**
 * Reads what an RSSe binary says of itself.
 * @returns undefined for a file that is too short to be one
 */
export function readRsse(bytes: Uint8Array): RsseHeader | undefined {
  if (bytes.length < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = `${view.getUint8(26)}.${view.getUint8(25)}.${view.getUint8(24)}`;
  if (asciiText(bytes.subarray(0, 8)) !== magic) return { version, development: undefined };
  const digest = sha256(bytes.subarray(0, 32), bytes.subarray(headerBytes));
  return {
    version,
    development: {
      family: asciiText(bytes.subarray(8, 16)).replace(/\0+$/, ""),
      loadAddress: view.getUint32(20, true),
      intact:
        view.getUint32(16, true) === bytes.length && equalBytes(digest, bytes.subarray(32, headerBytes)),
    },
  };
}

/** What a development binary is made for. */
export interface DevelopmentRsseInput {
  /** At most eight characters, e.g. "STM32U5". */
  readonly family: string;
  readonly loadAddress: number;
  /** Major, minor and patch, one byte each. */
  readonly version: readonly [x: number, y: number, z: number];
}

/** A development RSSe binary: marked, with a service table whose seven entries are breakpoints. */
export function buildDevelopmentRsse({ family, loadAddress, version }: DevelopmentRsseInput): Uint8Array {
  const [x, y, z] = version;
  const head = new Uint8Array(32); // 0 magic, 8 family, 16 size, 20 load address, 24 version, 27 mark
  head.set(asciiBytes(magic), 0);
  head.set(asciiBytes(family), 8);
  head.set(fromWords([fileBytes, loadAddress]), 16);
  head.set([z, y, x], 24);
  head.set(asciiBytes("NOTST"), 27);
  const services = Array.from({ length: tableBytes / 4 }, (_, i) => loadAddress + codeOffset + 0x10 * i + 1);
  const body = new Uint8Array(fileBytes - headerBytes); // the table stands at 64, the code at 0x100
  body.set(fromWords(services), 0);
  const code = new Array<number>((fileBytes - codeOffset) / 4).fill(breakpoints);
  body.set(fromWords(code), codeOffset - headerBytes);
  return concatBytes(head, sha256(head, body), body);
}
