/** CR of the page controllers (RM0351 3.7.5, RM0438 6.9.9, RM0456 7.9.9, RM0453 4.10.6). */
export const cr = {
  pg: 1 << 0,
  per: 1 << 1,
  mer1: 1 << 2,
  pageShift: 3,
  bker: 1 << 11,
  mer2: 1 << 15,
  strt: 1 << 16,
  optstrt: 1 << 17,
  oblLaunch: 1 << 27,
  optlock: 1 << 30,
  lock: 0x80000000,
  /** Bits that stay as written; STRT, OPTSTRT and OBL_LAUNCH clear themselves. */
  writable: 0x0304cfff,
} as const;

/** SR; flags are cleared by writing 1. */
export const sr = {
  eop: 1 << 0,
  operr: 1 << 1,
  progerr: 1 << 3,
  wrperr: 1 << 4,
  pgaerr: 1 << 5,
  sizerr: 1 << 6,
  pgserr: 1 << 7,
  bsy: 1 << 16,
  oem1lock: 1 << 18,
  oem2lock: 1 << 19,
} as const;

/** Flags that stop programming until they are cleared. */
export const srErrorMask = sr.operr | sr.progerr | sr.wrperr | sr.pgaerr | sr.sizerr | sr.pgserr;

/** OPTR bits with one place on all page parts, and those of the TrustZone families. */
export const optr = {
  nSwBoot0: 1 << 26,
  nBoot0: 1 << 27,
  nBoot1: 1 << 23,
  swapBank: 1 << 20,
  tzen: 0x80000000,
} as const;

/** Typical durations in milliseconds (datasheets of L5 and U5, rounded). */
export const times = { unitMs: 0.09, pageMs: 22, bankMs: 50, optionMs: 20, regressionMs: 600 } as const;

/** Read-out protection levels; 0.5 only with TrustZone. */
export type Level = 0 | 0.5 | 1 | 2;

/** Level of an OPTR word: 0xAA level 0, 0xCC level 2, with TrustZone 0x55 level 0.5, everything else level 1. */
export function levelOf(word: number, trustZone: boolean): Level {
  const byte = word & 0xff;
  if (byte === 0xaa) return 0;
  if (byte === 0xcc) return 2;
  return trustZone && byte === 0x55 ? 0.5 : 1;
}
