/** FLASH_CR1/2 (RM0433 4.9.4, RM0455 4.9.4): what all parts have; FW, START and SNB are data of the part. */
export const cr = {
  lock: 1 << 0,
  pg: 1 << 1,
  ser: 1 << 2,
  ber: 1 << 3,
  psize: 4,
  eopie: 1 << 16,
} as const;

/** FLASH_SR1/2 (RM0433 4.9.5). */
export const sr = {
  bsy: 1 << 0,
  wbne: 1 << 1,
  qw: 1 << 2,
  eop: 1 << 16,
  wrpErr: 1 << 17,
  pgsErr: 1 << 18,
  strbErr: 1 << 19,
  incErr: 1 << 21,
  opErr: 1 << 22,
  rdpErr: 1 << 23,
  rdsErr: 1 << 24,
  dbeccErr: 1 << 26,
} as const;

/** Flags that stop further programming until they are cleared. */
export const srErrorMask = sr.wrpErr | sr.pgsErr | sr.strbErr | sr.incErr | sr.opErr;

/** FLASH_OPTCR (RM0433 4.9.7). */
export const optcr = {
  lock: 1 << 0,
  start: 1 << 1,
  mer: 1 << 4,
  errorInterrupt: 1 << 30,
} as const;

/** Typical durations in milliseconds of a flash operation at one PSIZE (DS12110 table 59, rounded). */
export interface FlashTimes {
  readonly wordMs: number;
  readonly sectorMs: number;
  readonly bankMs: number;
  readonly optionMs: number;
  /** Option change with the erasure of both banks. */
  readonly regressionMs: number;
}

const timesOfPsize: readonly FlashTimes[] = [
  { wordMs: 0.29, sectorMs: 2000, bankMs: 13_000, optionMs: 100, regressionMs: 5000 },
  { wordMs: 0.18, sectorMs: 1800, bankMs: 10_000, optionMs: 100, regressionMs: 5000 },
  { wordMs: 0.13, sectorMs: 1100, bankMs: 8000, optionMs: 100, regressionMs: 5000 },
  { wordMs: 0.1, sectorMs: 1000, bankMs: 8000, optionMs: 100, regressionMs: 5000 },
];
const fastest: FlashTimes = { wordMs: 0.1, sectorMs: 1000, bankMs: 8000, optionMs: 100, regressionMs: 5000 };

/** @param psize CR.PSIZE, 0..3 */
export function flashTimes(psize: number): FlashTimes {
  return timesOfPsize[psize] ?? fastest;
}

/** Key states: 0 waits for the first key, 1 for the second, 2 takes no key until the next reset. */
export function nextKeyState(state: number, value: number, keys: readonly [number, number]): number | "open" {
  if (state === 0 && value === keys[0]) return 1;
  return state === 1 && value === keys[1] ? "open" : 2;
}
