import { concatBytes, fromWords } from "../bytes/bytes.ts";
import { ByteWriter } from "../bytes/writer.ts";
import { StationError } from "../errors/station-error.ts";
import type { Segment } from "../firmware/segments.ts";
import { gcmSeal } from "./aes-gcm.ts";
import { checkKey, checkNonce } from "./keys.ts";
import {
  areaContext,
  areaHeaderSizeBytes,
  encodeAreaHeaderBody,
  encodeImageHeaderBody,
  imageHeaderSizeBytes,
  imageHeaderTag,
} from "./sfi-layout.ts";
import { contentSizeBytes, firmwareAreas, type PlannedArea, type SfiSplit, splitAreas } from "./sfi-split.ts";
import { type ExternalFirmware, encodeExternalPrefix, encodeKeyAreas, type KeyArea } from "./sfix.ts";

/** A file that goes into the package as it is: a module (M), an OBKey (O) or an SSFI image (S). */
export interface OpaquePart {
  readonly type: "M" | "O" | "S";
  readonly address: number;
  readonly data: Uint8Array;
}

/** Everything a package is made of. */
export interface SfiBuildInput {
  /** Sorted by address and free of overlap, as `joinSegments` returns them. */
  readonly segments: readonly Segment[];
  /** Modules, OBKeys and SSFI images, behind the firmware in this order. */
  readonly opaque?: readonly OpaquePart[];
  /** Places that RSS fills with random keys: one K area. Makes the package an SFIx. */
  readonly keyAreas?: readonly KeyArea[];
  /** Firmware for external flash: E areas. Makes the package an SFIx, which needs `split`. */
  readonly external?: readonly ExternalFirmware[];
  /** The C area's 32-bit words in the order of the option-byte CSV; without it the package has no C area. */
  readonly optionWords?: readonly number[];
  /** 16 bytes. */
  readonly key: Uint8Array;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  /** 0..255 (AN5054 2.5.1, option -v). */
  readonly imageVersion: number;
  /** 1 for packages that every RSS takes; 2 as tools from about 2.10 on write. */
  readonly protocolVersion: number;
  /** Given: the package is cut into parts that fit the RAM. Not given: one part. */
  readonly split?: SfiSplit;
}

/**
 * Builds an SFI or SFIx package (AN5054 2.2, 2.3): one F area a segment, then M, O and S areas, the K area, one E area
 * a segment of external flash, the C area last; P and R areas where it is split. That K stands before E is inferred:
 * the keys must be there before external flash is encrypted with them.
 * Says nothing about the device: run `checkStructure` on the result.
 * @throws KEY_LENGTH
 * @throws USAGE_INVALID when there is nothing to pack, a number does not fit its field or the RAM size is too small
 * @throws RangeError when the segments are not sorted or overlap (the caller did not use `joinSegments`)
 */
export function buildSfi(input: SfiBuildInput): Uint8Array {
  const { optionWords, imageVersion, protocolVersion, split } = input;
  const key = checkKey(input.key);
  const nonce = checkNonce(input.nonce);
  checkField("image version", imageVersion, 0, 0xff);
  checkField("protocol version", protocolVersion, 0, 0xffff);
  if (split !== undefined) checkField("continuation-token address", split.tokenAddress, 0, 0xffffffff);
  checkSorted(input.segments);
  const whole = areasBeforeOptions(input);
  if (optionWords !== undefined) whole.push({ type: "C", address: 0, data: fromWords(optionWords) });
  if (whole.length === 0) throw unusable("there are neither firmware nor option bytes to pack");
  const areas = split === undefined ? whole : splitAreas(whole, split);
  if (areas.length > 0xffff) {
    throw unusable(`the package would have ${areas.length} areas; the format holds 65535`);
  }
  const sizeBytes = areas.reduce(
    (sum, area) => sum + areaHeaderSizeBytes + contentSizeBytes(area),
    imageHeaderSizeBytes,
  );
  const header = encodeImageHeaderBody(protocolVersion, areas.length);
  const writer = new ByteWriter(sizeBytes).bytes(header).bytes(imageHeaderTag(header, key, nonce));
  areas.forEach(({ type, address, data, prefix }, i) => {
    const index = i + 1;
    const content = prefix === undefined ? data : concatBytes(prefix, data);
    const body = encodeAreaHeaderBody({
      type,
      version: imageVersion,
      index,
      sizeBytes: content.length,
      address,
      totalAreas: areas.length,
    });
    const { ciphertext, tag } = gcmSeal(areaContext(body, index, key, nonce), content);
    writer.bytes(body).bytes(tag).bytes(ciphertext);
  });
  return writer.finish();
}

function areasBeforeOptions(input: SfiBuildInput): PlannedArea[] {
  const { external = [], keyAreas = [], opaque = [] } = input;
  if (input.split === undefined && external.length > 0) {
    throw unusable("a package with external flash needs a continuation-token address");
  }
  if (keyAreas.length > 0 && external.length === 0) {
    throw unusable("key areas are for external flash, and there is none");
  }
  const keys: PlannedArea[] =
    keyAreas.length === 0 ? [] : [{ type: "K", address: 0, data: encodeKeyAreas(keyAreas) }];
  return [
    ...firmwareAreas(input.segments),
    ...opaque,
    ...keys,
    ...external.flatMap((firmware) => {
      checkSorted(firmware.segments);
      const prefix = encodeExternalPrefix(firmware);
      return firmware.segments.map(
        ({ address, data }): PlannedArea => ({ type: "E", address, data, prefix }),
      );
    }),
  ];
}

function checkSorted(segments: readonly Segment[]): void {
  let end = 0;
  for (const { address, data } of segments) {
    if (address < end || data.length === 0) {
      throw new RangeError("segments must be sorted, without overlap and not empty");
    }
    end = address + data.length;
  }
}

function checkField(what: string, value: number, least: number, most: number): void {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw unusable(`${what} must be a whole number from ${least} to ${most}, not ${value}`);
  }
}

function unusable(detail: string): StationError {
  return StationError.of("USAGE_INVALID", { detail });
}
