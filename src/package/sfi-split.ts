import { alignDown } from "../bytes/numbers.ts";
import { StationError } from "../errors/station-error.ts";
import type { Segment } from "../firmware/segments.ts";
import {
  type AreaFields,
  type AreaType,
  areaHeaderSizeBytes,
  imageHeaderSizeBytes,
  pauseContentSizeBytes,
} from "./sfi-layout.ts";

/** The limit that makes a package come in several parts (AN5054 2.2, figure 3). */
export interface SfiSplit {
  /** RAM that one part may fill: image header, area headers and content, P and R areas not counted. */
  readonly ramSizeBytes: number;
  /** Continuation-token address: where RSS keeps its state in flash between two parts. */
  readonly tokenAddress: number;
}

/** An area before it is numbered and encrypted. */
export interface PlannedArea {
  readonly type: AreaType;
  readonly address: number;
  readonly data: Uint8Array;
  /** Stands before the data in the content, and again in each piece when the area is cut (E areas). */
  readonly prefix?: Uint8Array;
}

/** Size of an area's content: prefix and data. */
export function contentSizeBytes({ data, prefix }: Pick<PlannedArea, "data" | "prefix">): number {
  return data.length + (prefix?.length ?? 0);
}

/**
 * Firmware is cut at multiples of this address, so that two areas never share a flash word. Known case: one
 * 182,592-byte segment at 0x08000000 with -rs 0x1E000, of which STM32TrustedPackageCreator 2.20 put 122,816 bytes
 * into the first part (public H753 log).
 */
const cutUnitBytes = 64;

/**
 * What a part takes of the RAM budget: image header, area headers and content, P and R areas not counted.
 * P is known not to be: in the case above the part is 122,936 bytes with it and 122,874 without, and the limit was
 * 122,880. R is assumed to be treated alike, so that no package of ST's own tool is refused for 62 bytes.
 */
export function budgetBytes(areas: readonly Pick<AreaFields, "type" | "sizeBytes">[]): number {
  return areas.reduce(
    (sum, { type, sizeBytes }) =>
      type === "P" || type === "R" ? sum : sum + areaHeaderSizeBytes + sizeBytes,
    imageHeaderSizeBytes,
  );
}

/** What an R area takes; the builder leaves room for it all the same. */
const resumeSizeBytes = areaHeaderSizeBytes + pauseContentSizeBytes;

/**
 * Lays areas out in parts of at most the RAM size, with a P area at the end of each part but the last and an R area
 * at the beginning of each but the first.
 *
 * An area that does not fit what is left of a part begins the next one (a public H7A3 log shows several whole areas
 * before the pause); only a firmware area larger than a part of its own is cut. A part that begins with an R area
 * leaves room for it in the RAM. The content of P and R areas is not public; 32 zero bytes before encryption are assumed.
 *
 * With external flash in it there are always several parts ("adds areas P and R whatever be the configuration",
 * AN5054 2.3): E areas never share a part with others, which gives the three parts of the published H7B3 log (inferred).
 * @throws USAGE_INVALID when the RAM size holds no useful part
 */
export function splitAreas(areas: readonly PlannedArea[], split: SfiSplit): PlannedArea[] {
  const parts: PlannedArea[][] = [[]];
  const left = () =>
    split.ramSizeBytes -
    budgetBytes(sizes(parts.at(-1) as PlannedArea[])) -
    (parts.length > 1 ? resumeSizeBytes : 0);
  const begin = () => parts.push([pauseArea("R", split.tokenAddress)]);
  let before: PlannedArea | undefined;
  for (const area of areas) {
    let rest = area;
    if (before !== undefined && (before.type === "E") !== (area.type === "E")) begin();
    before = area;
    for (;;) {
      if (areaHeaderSizeBytes + contentSizeBytes(rest) <= left()) break;
      const holdsContent = (parts.at(-1) as PlannedArea[]).some(({ type }) => type !== "R");
      if (holdsContent) {
        begin();
        continue;
      }
      const prefixBytes = rest.prefix?.length ?? 0;
      const room =
        alignDown(rest.address + left() - areaHeaderSizeBytes - prefixBytes, cutUnitBytes) - rest.address;
      if (room <= 0 || (rest.type !== "F" && rest.type !== "E")) throw ramTooSmall(split, rest);
      (parts.at(-1) as PlannedArea[]).push({ ...rest, data: rest.data.subarray(0, room) });
      rest = { ...rest, address: rest.address + room, data: rest.data.subarray(room) };
      begin();
    }
    (parts.at(-1) as PlannedArea[]).push(rest);
  }
  return parts.flatMap((part, i) =>
    i + 1 < parts.length ? [...part, pauseArea("P", split.tokenAddress)] : part,
  );
}

/** One F area for each segment, exactly as long as the segment. */
export function firmwareAreas(segments: readonly Segment[]): PlannedArea[] {
  return segments.map(({ address, data }) => ({ type: "F", address, data }));
}

function pauseArea(type: "P" | "R", address: number): PlannedArea {
  return { type, address, data: new Uint8Array(pauseContentSizeBytes) };
}

function sizes(areas: readonly PlannedArea[]): Pick<AreaFields, "type" | "sizeBytes">[] {
  return areas.map((area) => ({ type: area.type, sizeBytes: contentSizeBytes(area) }));
}

function ramTooSmall({ ramSizeBytes }: SfiSplit, area: PlannedArea): StationError {
  return StationError.of("USAGE_INVALID", {
    detail: `a RAM size of ${ramSizeBytes} bytes is too small for a part with a ${area.type} area of ${contentSizeBytes(area)} bytes`,
  });
}
