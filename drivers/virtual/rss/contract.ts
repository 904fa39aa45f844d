/** Places and words of the install contract between host and RSS on device 0x450. */
export const contract = {
  licenseAddress: 0x24020800,
  /** Status word, and 4 behind it the value. */
  completionAddress: 0x24020a00,
  /** u32 areas of this part, u32 address of the first, u32 size of all, u32 0. */
  wrapperAddress: 0x24020c00,
  headerAddress: 0x24021000,
  areasAddress: 0x2402101c,
  /** Behind the last byte RSS takes areas from. */
  areasEnd: 0x24080000,
} as const;

export const rssStatus = { ok: 0xee000092, disabled: 0xee000091, error: 0 } as const;
export const partValue = { everything: 0x00, moreParts: 0x80 } as const;

/**
 * Values that say why a part was refused. 0xCC000007 has been seen on silicon for a license or image that was not
 * accepted; the others are this bench's own.
 */
export const refusal = {
  wrapper: 0xcc000001,
  imageHeader: 0xcc000002,
  areaSequence: 0xcc000003,
  areaPlace: 0xcc000004,
  flashNotErased: 0xcc000005,
  optionBytes: 0xcc000006,
  notAuthentic: 0xcc000007,
  continuation: 0xcc000008,
  version: 0xcc000009,
} as const;
export type Refusal = (typeof refusal)[keyof typeof refusal];

/** Version of the virtual RSS, 0x00JJNNPP: 2.0.1. */
export const rssVersion = 0x00020001;

/** DTCM that RSS uses as its own while it runs (STM32CubeH7 RSS_OTFD.h). Offset and size. */
export const rssScratch = { offset: 0x800, sizeBytes: 0x4800 } as const;
