import { concatBytes, filledBytes } from "../bytes/bytes.ts";
import { alignDown, alignUp } from "../bytes/numbers.ts";
import type { Segment } from "./segments.ts";

/** How neighbors are merged and segments aligned. */
export interface PaddingRule {
  /** 0xFF, as erased flash reads, or 0x00 (AN5054 2.6.4, "Padding byte"). */
  readonly fillByte: number;
  /** Gaps of at most this many bytes between neighbors are filled; 0 fills none but those inside one unit. */
  readonly maximumGapBytes: number;
  /**
   * The device's programming unit: a segment begins at a multiple of it, and two segments never share one, because a
   * unit can be programmed only once after an erase. 1 for no alignment. Ends are left as they are.
   */
  readonly unitBytes: number;
}

/**
 * Merges segments that lie close together and aligns their beginnings, with padding between and before them.
 * A segment that is aligned and has no close neighbor stays as it is, without being copied.
 * @param segments sorted and free of overlap, as `joinSegments` returns them
 */
export function padSegments(segments: readonly Segment[], rule: PaddingRule): Segment[] {
  const { fillByte, maximumGapBytes, unitBytes } = rule;
  const groups: Segment[][] = [];
  for (const segment of segments) {
    const group = groups.at(-1);
    const end = group === undefined ? 0 : endOf(group.at(-1) as Segment);
    const closeBy = segment.address - end <= maximumGapBytes;
    const sharesUnit = alignDown(segment.address, unitBytes) < alignUp(end, unitBytes);
    if (group !== undefined && (closeBy || sharesUnit)) group.push(segment);
    else groups.push([segment]);
  }
  return groups.map((group) => joinPadded(group, unitBytes, fillByte));
}

function joinPadded(group: readonly Segment[], unitBytes: number, fillByte: number): Segment {
  const [first] = group as [Segment];
  const address = alignDown(first.address, unitBytes);
  if (group.length === 1 && address === first.address) return first;
  let at = address;
  const pieces = group.flatMap((segment) => {
    const gap = filledBytes(segment.address - at, fillByte);
    at = endOf(segment);
    return [gap, segment.data];
  });
  return { address, data: concatBytes(...pieces) };
}

function endOf({ address, data }: Segment): number {
  return address + data.length;
}
