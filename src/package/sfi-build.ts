import { fromWords } from "../bytes/bytes.ts";
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
import { firmwareAreas, type PlannedArea, type SfiSplit, splitAreas } from "./sfi-split.ts";

/** Everything a package is made of. */
export interface SfiBuildInput {
  /** Sorted by address and free of overlap, as `joinSegments` returns them. */
  readonly segments: readonly Segment[];
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
 * Builds an SFI package (AN5054 2.2): one F area a segment, the C area last, P and R areas where it is split.
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
  const whole: PlannedArea[] = firmwareAreas(input.segments);
  if (optionWords !== undefined) whole.push({ type: "C", address: 0, data: fromWords(optionWords) });
  if (whole.length === 0) throw unusable("there are neither firmware nor option bytes to pack");
  const areas = split === undefined ? whole : splitAreas(whole, split);
  if (areas.length > 0xffff) {
    throw unusable(`the package would have ${areas.length} areas; the format holds 65535`);
  }
  const sizeBytes = areas.reduce(
    (sum, { data }) => sum + areaHeaderSizeBytes + data.length,
    imageHeaderSizeBytes,
  );
  const header = encodeImageHeaderBody(protocolVersion, areas.length);
  const writer = new ByteWriter(sizeBytes).bytes(header).bytes(imageHeaderTag(header, key, nonce));
  areas.forEach(({ type, address, data }, i) => {
    const index = i + 1;
    const body = encodeAreaHeaderBody({
      type,
      version: imageVersion,
      index,
      sizeBytes: data.length,
      address,
      totalAreas: areas.length,
    });
    const { ciphertext, tag } = gcmSeal(areaContext(body, index, key, nonce), data);
    writer.bytes(body).bytes(tag).bytes(ciphertext);
  });
  return writer.finish();
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
