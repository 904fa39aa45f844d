import { bitField, withBitField } from "../../../../src/bytes/numbers.ts";
import type { OptionWords } from "../../models/flash-model.ts";

/** Bit positions in FLASH_OPTSR (RM0433 4.9.8). */
export const optsrBits = {
  rdp: 8,
  stRamSize: 19,
  security: 21,
  /** "SFI process started". */
  rss1: 26,
  optChangeError: 30,
  swapBank: 31,
} as const;

/** RDP level of a FLASH_OPTSR word: 0xAA level 0, 0xCC level 2, everything else level 1 (RM0433 table 19). */
export function rdpLevel(optsr: number): 0 | 1 | 2 {
  const byte = bitField(optsr, optsrBits.rdp, 8);
  return byte === 0xaa ? 0 : byte === 0xcc ? 2 : 1;
}

/** True when SECURITY is 1. */
export function securityOn(optsr: number): boolean {
  return bitField(optsr, optsrBits.security, 1) === 1;
}

/** A protected stretch of one bank, in bytes from the start of the bank; `end` is the first byte behind it. */
export interface ProtectedArea {
  readonly start: number;
  readonly end: number;
}

/**
 * The area a PRAR or SCAR word defines: unit 256 bytes, both ends included; equal ends protect the whole bank;
 * start above end is no area (RM0433 4.9.10).
 */
export function protectedArea(word: number, bankBytes: number): ProtectedArea | undefined {
  const start = bitField(word, 0, 12);
  const end = bitField(word, 16, 12);
  if (start > end) return undefined;
  return start === end ? { start: 0, end: bankBytes } : { start: start * 256, end: (end + 1) * 256 };
}

/** DMEP or DMES: the area goes with the next regression. */
function goesWithRegression(word: number): boolean {
  return bitField(word, 31, 1) === 1;
}

/** What programming the option bytes would do; words of a bank the part has not are passed over. */
export type OptionChange =
  | { readonly kind: "refused"; readonly reason: string }
  | {
      readonly kind: "accepted";
      readonly next: OptionWords;
      /** RDP 1 to 0: both banks are erased, but for the areas of `kept` (per bank). */
      readonly regression: boolean;
      readonly kept: readonly (readonly ProtectedArea[])[];
    };

/**
 * The rules of FLASH_OPTCR.OPTSTART on the H7 (RM0433 4.4.6, 4.5): RDP 2 is permanent; SECURITY is cleared and PCROP
 * or a secure area is taken away only together with a regression from RDP 1 to 0, and only with DMEP or DMES set.
 * @param current what holds now
 * @param wanted the programming registers, implemented bits only
 * @param bankBytes size of a bank
 */
export function evaluateOptionChange(
  current: OptionWords,
  wanted: OptionWords,
  bankBytes: number,
): OptionChange {
  const optsr = current["optsr"] ?? 0;
  const next = wanted["optsr"] ?? 0;
  const from = rdpLevel(optsr);
  const regression = from === 1 && rdpLevel(next) === 0;
  if (from === 2) return { kind: "refused", reason: "RDP level 2 is permanent" };
  if (securityOn(optsr) && !securityOn(next) && !regression) {
    return { kind: "refused", reason: "SECURITY is cleared by a regression only" };
  }
  const kept: ProtectedArea[][] = [[], []];
  for (const { name, bank } of protections) {
    const before = current[name];
    const after = wanted[name];
    if (before === undefined || after === undefined) continue;
    const reason = areaFault(before, after, regression, bankBytes);
    if (reason !== undefined) return { kind: "refused", reason: `${name}: ${reason}` };
    const area = protectedArea(before, bankBytes);
    if (area && !removable(before, after)) kept[bank]?.push(area);
    if (name.startsWith("scar") && protectedArea(after, bankBytes) && !securityOn(next)) {
      return { kind: "refused", reason: `${name}: a secure area needs SECURITY` };
    }
  }
  return { kind: "accepted", next: wanted, regression, kept };
}

const protections = [
  { name: "prar1", bank: 0 },
  { name: "prar2", bank: 1 },
  { name: "scar1", bank: 0 },
  { name: "scar2", bank: 1 },
] as const;

/** DMEP may be set in the same write that removes the area. */
function removable(current: number, wanted: number): boolean {
  return goesWithRegression(current) || goesWithRegression(wanted);
}

function areaFault(
  current: number,
  wanted: number,
  regression: boolean,
  bankBytes: number,
): string | undefined {
  const before = protectedArea(current, bankBytes);
  if (before === undefined) return undefined;
  if (regression && removable(current, wanted)) return undefined;
  const after = protectedArea(wanted, bankBytes);
  const contains = after !== undefined && after.start <= before.start && after.end >= before.end;
  if (!contains) return regression ? "kept, because DMEP or DMES is 0" : "may only grow";
  return goesWithRegression(current) && !goesWithRegression(wanted)
    ? "DMEP or DMES may not be cleared"
    : undefined;
}

/** `optsr` with the bit "SFI process started" cleared. */
export function withoutSfiStarted(optsr: number): number {
  return withBitField(optsr, optsrBits.rss1, 1, 0);
}

/** SECURITY, "SFI process started" and ST_RAM_SIZE 3 are set and RDP is 0xAA: a reset may start an install. */
export function installArmed(optsr: number): boolean {
  const armed = bitField(optsr, optsrBits.security, 1) & bitField(optsr, optsrBits.rss1, 1);
  return armed === 1 && bitField(optsr, optsrBits.stRamSize, 2) === 3 && rdpLevel(optsr) === 0;
}
