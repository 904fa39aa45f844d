import { failedEntries } from "./entries-failed.ts";
import { hsmEntries } from "./entries-hsm.ts";
import { inputEntries } from "./entries-input.ts";
import { ledgerEntries } from "./entries-ledger.ts";
import { licenseEntries } from "./entries-license.ts";
import { refusedEntries } from "./entries-refused.ts";
import { stationEntries } from "./entries-station.ts";
import { usageEntries } from "./entries-usage.ts";
import type { CatalogueEntry } from "./entry.ts";

/** Every error the station can end with, by its permanent name. docs/errors.md is generated from it. */
export const catalogue = {
  ...usageEntries,
  ...stationEntries,
  ...inputEntries,
  ...refusedEntries,
  ...licenseEntries,
  ...hsmEntries,
  ...ledgerEntries,
  ...failedEntries,
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof catalogue;

type ParameterNames<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterNames<Rest>
  : never;

/** The parameters that an entry's message and remedy name. */
export type ErrorParameters<Code extends ErrorCode> = {
  readonly [Name in ParameterNames<`${(typeof catalogue)[Code]["message"]} ${(typeof catalogue)[Code]["remedy"]}`>]:
    | string
    | number;
};
