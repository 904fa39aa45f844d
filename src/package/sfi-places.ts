import { hex32 } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import type { FirmwareImage } from "../firmware/segments.ts";

/** A stretch of memory. */
export interface PlaceRange {
  readonly address: number;
  readonly sizeBytes: number;
}

/**
 * Refuses firmware that does not lie in the flash: "all SFI areas must be located in flash memory" (AN5054 2.2, note).
 * @param images the files, so that the message can name one
 * @param ranges the device's flash, or external flash; ranges that touch count as one
 * @param device for the message
 * @throws FIRMWARE_OUTSIDE_FLASH naming the file and the first address that is outside
 */
export function checkPlaces(
  images: readonly FirmwareImage[],
  ranges: readonly PlaceRange[],
  device: string,
): void {
  for (const { source, segments } of images) {
    for (const { address, data } of segments) {
      const outside = firstOutside(address, address + data.length, ranges);
      if (outside !== undefined) {
        throw StationError.of("FIRMWARE_OUTSIDE_FLASH", { file: source, address: hex32(outside), device });
      }
    }
  }
}

/** The first address of `start`..`end` that no range holds; undefined when all of it is covered. */
function firstOutside(start: number, end: number, ranges: readonly PlaceRange[]): number | undefined {
  let at = start;
  while (at < end) {
    const holding = ranges.find(({ address, sizeBytes }) => at >= address && at < address + sizeBytes);
    if (holding === undefined) return at;
    at = holding.address + holding.sizeBytes;
  }
  return undefined;
}
