import { l462, wl55 } from "./models/cortex-m4-parts.ts";
import { h503, h533, h573 } from "./models/h5.ts";
import { h7b3, h735, h743, h753 } from "./models/h7.ts";
import { h7s7 } from "./models/h7rs.ts";
import type { ChipModel } from "./models/model.ts";
import { l562, u5a9, u5g9, u545, u585, wba55, wba65 } from "./models/trustzone.ts";

/** The built-in chips by the name used in `virtual:<chip>`. */
export const chipModels = {
  ...{ h753, h743, h7b3, h735 },
  ...{ l562, u545, u585, u5a9, u5g9, wba55, wba65 },
  ...{ wl55, l462 },
  ...{ h573, h533, h503 },
  h7s7,
} as const satisfies Record<string, ChipModel>;
export type ChipName = keyof typeof chipModels;

/** Names of the built-in chips. */
export const chipNames = Object.keys(chipModels) as readonly ChipName[];

/** The chip of a name or a device id as users write it (`h753`, `0x450`): the family's first; undefined when there is none. */
export function findChip(text: string): ChipName | undefined {
  const key = text.toLowerCase();
  return chipNames.find((name) => name === key || `0x${chipModels[name].deviceId.toString(16)}` === key);
}
