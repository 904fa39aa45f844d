import { firstDifference, plainView } from "../bytes/bytes.ts";
import { sha256Hex } from "../bytes/digest.ts";
import { hexNumber } from "../bytes/hex.ts";
import { ByteReader } from "../bytes/reader.ts";
import { StationError } from "../errors/station-error.ts";
import { tagSizeBytes } from "./aes-gcm.ts";
import {
  type AreaType,
  areaHeaderSizeBytes,
  areaTypes,
  imageHeaderBodySizeBytes,
  imageHeaderSizeBytes,
  sfiMagic,
} from "./sfi-layout.ts";

/** One area of a package. Byte arrays are views of the file. */
export interface SfiArea {
  /** As the area says; areas count from 1. */
  readonly index: number;
  readonly type: AreaType;
  /** Image version, the same in every area of a sound package. */
  readonly version: number;
  /** Size of the encrypted content. */
  readonly sizeBytes: number;
  /** F: where the content goes; C: 0; P and R: the continuation token's place. */
  readonly address: number;
  /** As the area says; the same as in the image header in a sound package. */
  readonly totalAreas: number;
  /** 16 bytes. */
  readonly tag: Uint8Array;
  /** Encrypted. */
  readonly content: Uint8Array;
  /** Header and content as in the file. */
  readonly bytes: Uint8Array;
  /** Of the area header, from the start of the file. */
  readonly offset: number;
}

/** An SFI package as read: well-formed, not yet judged. */
export interface SfiPackage {
  /** File name, for messages. */
  readonly name: string;
  /** SHA-256 of the whole file, hexadecimal. */
  readonly digest: string;
  readonly sizeBytes: number;
  readonly protocolVersion: number;
  /** Image version of the first area. */
  readonly imageVersion: number;
  /** The 28 header bytes as in the file, tag included. */
  readonly header: Uint8Array;
  /** 16 bytes. */
  readonly headerTag: Uint8Array;
  readonly areas: readonly SfiArea[];
}

/**
 * Reads the container: the header, then exactly as many areas as it announces, which must end with the file.
 * Whether the areas make sense is left to `checkStructure`, whether they are authentic to `openSfi`.
 * @param file its bytes; kept as views, not copied
 * @param name file name for messages
 * @throws PACKAGE_CORRUPT with the offset at which the file stops being a package
 */
export function parseSfi(file: Uint8Array, name: string): SfiPackage {
  const bytes = plainView(file);
  const corrupt = (offset: number, detail: string) =>
    StationError.of("PACKAGE_CORRUPT", { file: name, offset, detail });
  const magicDifference = firstDifference(bytes.subarray(0, sfiMagic.length), sfiMagic);
  if (magicDifference !== -1) throw corrupt(magicDifference, "it does not begin with SFIMAGIC");
  if (bytes.length < imageHeaderSizeBytes) {
    throw corrupt(bytes.length, `the file ends within its ${imageHeaderSizeBytes}-byte header`);
  }
  const reader = new ByteReader(bytes);
  reader.skip(sfiMagic.length);
  const protocolVersion = reader.u16();
  const totalAreas = reader.u16();
  const headerTag = reader.bytes(tagSizeBytes);
  if (totalAreas === 0) throw corrupt(imageHeaderBodySizeBytes - 2, "it announces no areas");
  const areas: SfiArea[] = [];
  for (let number = 1; number <= totalAreas; number++) {
    const which = `area ${number} of ${totalAreas}`;
    if (reader.remainingBytes < areaHeaderSizeBytes) {
      throw corrupt(reader.offset, `${which} is missing: ${reader.remainingBytes} bytes are left`);
    }
    areas.push(readArea(bytes, reader, which, corrupt));
  }
  if (reader.remainingBytes > 0) {
    throw corrupt(reader.offset, `${reader.remainingBytes} bytes follow the last of ${totalAreas} areas`);
  }
  return {
    name,
    digest: sha256Hex(bytes),
    sizeBytes: bytes.length,
    protocolVersion,
    imageVersion: (areas[0] as SfiArea).version,
    header: bytes.subarray(0, imageHeaderSizeBytes),
    headerTag,
    areas,
  };
}

/** How messages name an area: `area 3 (F)`. */
export function areaName({ index, type }: Pick<SfiArea, "index" | "type">): string {
  return `area ${index} (${type})`;
}

function readArea(
  bytes: Uint8Array,
  reader: ByteReader,
  which: string,
  corrupt: (offset: number, detail: string) => StationError,
): SfiArea {
  const offset = reader.offset;
  const typeCode = reader.u8(); // 0
  const type = String.fromCharCode(typeCode);
  if (!isAreaType(type)) throw corrupt(offset, `${which} has the unknown type ${hexNumber(typeCode, 2)}`);
  const version = reader.u8(); // 1
  const index = reader.u16(); // 2
  const sizeBytes = reader.u32(); // 4
  const address = reader.u32(); // 8
  const totalAreas = reader.u16(); // 12
  const tag = reader.bytes(tagSizeBytes); // 14
  if (sizeBytes > reader.remainingBytes) {
    throw corrupt(
      offset + 4,
      `${which} claims ${sizeBytes} bytes of content; ${reader.remainingBytes} are left`,
    );
  }
  const content = reader.bytes(sizeBytes); // 30
  return {
    index,
    type,
    version,
    sizeBytes,
    address,
    totalAreas,
    tag,
    content,
    bytes: bytes.subarray(offset, reader.offset),
    offset,
  };
}

function isAreaType(type: string): type is AreaType {
  return Object.hasOwn(areaTypes, type);
}
