/** Values of the second completion word when a part went well. */
export const partValue = { everything: 0x00, moreParts: 0x80 } as const;

/** Why a part was refused. */
export type Refusal =
  | "wrapper"
  | "imageHeader"
  | "areaSequence"
  | "areaPlace"
  | "flashNotErased"
  | "optionBytes"
  | "notAuthentic"
  | "continuation"
  | "version";

/** Names of all refusals; the number in the store is the place in this list plus 1. */
export const refusals: readonly Refusal[] = [
  "wrapper",
  "imageHeader",
  "areaSequence",
  "areaPlace",
  "flashNotErased",
  "optionBytes",
  "notAuthentic",
  "continuation",
  "version",
];

/** The words an install service speaks in. */
export interface ResultWords {
  readonly ok: number;
  /** First completion word of a refusal, and result of a service that failed. */
  readonly error: number;
  /** Second completion word of a refusal. */
  valueOf(refusal: Refusal): number;
}

/**
 * H7 (STM32CubeH7 RSS.h). 0xCC000007 has been seen on silicon for a license or image that was not accepted; the other
 * values are this bench's own.
 */
export const romWords: ResultWords & { readonly disabled: number } = {
  ok: 0xee000092,
  disabled: 0xee000091,
  error: 0,
  valueOf: (refusal) => 0xcc000001 + refusals.indexOf(refusal),
};

/** The other families (CMSIS RSSLIB_SUCCESS and RSSLIB_ERROR): 1 for what was refused, 2 for option bytes. */
export const loadedWords: ResultWords = {
  ok: 0xeaeaeaea,
  error: 0xf5f5f5f5,
  valueOf: (refusal) => (refusal === "optionBytes" ? 2 : 1),
};

/** Version of the virtual RSS in the ROM of the H7, 0x00JJNNPP: 2.0.1. */
export const romRssVersion = 0x00020001;

/** Word that asks for an install in RSSCMDR. */
export const installCommand = 0xa5;

/** DTCM that the RSS of the H7 uses as its own while it runs (STM32CubeH7 RSS_OTFD.h). Offset and size. */
export const rssScratch = { offset: 0x800, sizeBytes: 0x4800 } as const;
