import type { OptionWords, PageArea } from "../../models/flash-model.ts";

/** A stretch of the array, in bytes from its start; `end` is the first byte behind it. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** The stretch an area's words define, both ends included; undefined when start is above end. */
export function stretchOf(area: PageArea, words: OptionWords, bankBytes: number): Stretch | undefined {
  const mask = 2 ** area.bits - 1;
  const first = ((words[area.startWord] ?? 0) >>> area.startShift) & mask;
  const last = ((words[area.endWord] ?? 0) >>> area.endShift) & mask;
  if (first > last) return undefined;
  const base = area.bank * bankBytes;
  return { start: base + first * area.unitBytes, end: base + (last + 1) * area.unitBytes };
}

/** True when a stretch touches one of the areas. */
export function touches(
  areas: readonly PageArea[],
  words: OptionWords,
  bankBytes: number,
  { start, end }: Stretch,
): boolean {
  return areas.some((area) => {
    const own = stretchOf(area, words, bankBytes);
    return own !== undefined && start < own.end && end > own.start;
  });
}
