/** FLASH_NSCR and FLASH_SECCR (RM0481 7.11.10). */
export const cr = {
  lock: 1 << 0,
  pg: 1 << 1,
  ser: 1 << 2,
  ber: 1 << 3,
  fw: 1 << 4,
  start: 1 << 5,
  snbShift: 6,
  mer: 1 << 15,
  eopie: 1 << 16,
  bksel: 0x80000000,
  /** Bits that stay as written; FW and START clear themselves. */
  writable: 0xa0ffbfcf,
} as const;

/** FLASH_NSSR and FLASH_SECSR; flags are cleared through NSCCR and SECCCR at the same bits. */
export const sr = {
  bsy: 1 << 0,
  wbne: 1 << 1,
  eop: 1 << 16,
  wrperr: 1 << 17,
  pgserr: 1 << 18,
  strberr: 1 << 19,
  incerr: 1 << 20,
  optchangeerr: 1 << 23,
} as const;
export const srErrorMask = sr.wrperr | sr.pgserr | sr.strberr | sr.incerr;

/** FLASH_OPTCR. */
export const optcr = { lock: 1 << 0, start: 1 << 1 } as const;

/** PRODUCT_STATE in OPTSR[15:8] (RM0481 table 62). */
export const productState = {
  open: 0xed,
  provisioning: 0x17,
  irotProvisioned: 0x2e,
  tzClosed: 0xc6,
  closed: 0x72,
  locked: 0x5c,
} as const;

/** TZEN in OPTSR2[31:24], and the other words with a key for on and off. */
export const keyed = { on: 0xb4, off: 0xc3 } as const;

/** Typical durations in milliseconds (DS14258, rounded). */
export const times = { unitMs: 0.06, sectorMs: 2, bankMs: 30, optionMs: 30 } as const;
