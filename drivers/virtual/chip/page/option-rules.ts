import type { OptionWord, OptionWords, PageFlash } from "../../models/flash-model.ts";
import { stretchOf } from "./areas.ts";
import { type Level, levelOf, optr } from "./bits.ts";

/** What a change of the option bytes does. */
export type OptionChange =
  | { readonly kind: "refused"; readonly reason: string }
  | {
      readonly kind: "accepted";
      readonly next: OptionWords;
      /** all: the whole array and backup memories are erased; nonSecure: what no watermark covers. */
      readonly erases: "nothing" | "nonSecure" | "all";
    };

/** Keys a debugger has proved to know. */
export interface KeyState {
  readonly firstLocked: boolean;
  readonly secondLocked: boolean;
  readonly firstKnown: boolean;
  readonly secondKnown: boolean;
}

/**
 * The rules of OPTSTRT on the page controllers: RDP (RM0456 7.6.2, RM0438 6.6.2, RM0453 4.6), TrustZone (AN5347), keys,
 * boot lock, PCROP, locked write protection.
 * @param current what is programmed
 * @param wanted what is to be programmed, bits that exist only
 */
export function evaluateOptionChange(
  model: PageFlash,
  words: readonly OptionWord[],
  current: OptionWords,
  wanted: OptionWords,
  keys: KeyState,
): OptionChange {
  const before = stateOf(current, model);
  const after = stateOf(wanted, model);
  const reason =
    levelFault(before.level, after, keys) ??
    trustZoneFault(model, before, after) ??
    bootLockFault(model, current, wanted, before.level, after.level) ??
    lockedFault(model, current, wanted, isRegression(before.level, after.level)) ??
    pcropFault(model, current, wanted, isRegression(before.level, after.level));
  if (reason !== undefined) return { kind: "refused", reason };
  if (!isRegression(before.level, after.level)) return { kind: "accepted", next: wanted, erases: "nothing" };
  const leaves = before.tzen && !after.tzen;
  return {
    kind: "accepted",
    next: leaves ? withoutTrustZone(model, words, wanted) : wanted,
    erases: after.level === 0.5 ? "nonSecure" : "all",
  };
}

interface State {
  readonly level: Level;
  readonly tzen: boolean;
}

function stateOf(words: OptionWords, model: PageFlash): State {
  const word = words["optr"] ?? 0;
  const trustZone = model.trustZone !== undefined;
  return { level: levelOf(word, trustZone), tzen: trustZone && (word & optr.tzen) !== 0 };
}

function isRegression(from: Level, to: Level): boolean {
  return to < from;
}

function levelFault(from: Level, to: State, keys: KeyState): string | undefined {
  if (from === 2) return "RDP level 2 is permanent";
  if (to.level === 0.5 && !to.tzen) return "RDP level 0.5 needs TZEN";
  if (from !== 1) return undefined;
  if (to.level === 0 && keys.firstLocked && !keys.firstKnown) return "OEM1KEY guards the way to level 0";
  if (to.level === 0.5 && keys.secondLocked && !keys.secondKnown)
    return "OEM2KEY guards the way to level 0.5";
  return undefined;
}

function trustZoneFault({ trustZone }: PageFlash, from: State, to: State): string | undefined {
  if (trustZone === undefined || from.tzen === to.tzen) return undefined;
  if (to.tzen) return from.level === 0 ? undefined : "TZEN is set at RDP level 0 only";
  const enough = from.level === 1 || (from.level === 0.5 && trustZone.clearsFromHalf);
  return enough && to.level === 0 ? undefined : "TZEN is cleared by a regression to level 0 only";
}

function bootLockFault(
  { bootLock }: PageFlash,
  current: OptionWords,
  wanted: OptionWords,
  from: Level,
  to: Level,
): string | undefined {
  if (bootLock === undefined) return undefined;
  const bit = (words: OptionWords) => ((words[bootLock.word] ?? 0) >>> bootLock.bit) & 1;
  if (bit(current) === 0 || bit(wanted) === 1) return undefined;
  const allowed =
    (bootLock.clears === "level0" && to === 0) ||
    (bootLock.clears === "regression" && from === 1 && to === 0);
  return allowed ? undefined : "BOOT_LOCK cannot be cleared so";
}

/** Write protection whose UNLOCK bit is 0 stays as it is until a regression to level 0. */
function lockedFault(
  { trustZone }: PageFlash,
  current: OptionWords,
  wanted: OptionWords,
  regression: boolean,
): string | undefined {
  const fixed = (trustZone?.lockableWords ?? []).find((name) => {
    const before = current[name] ?? 0;
    return before >>> 31 === 0 && before !== wanted[name];
  });
  return fixed !== undefined && !regression ? `${fixed} is locked until a regression` : undefined;
}

/** PCROP may only grow, but for a regression with PCROP_RDP (bit 31 of the end word). */
function pcropFault(
  { pcrop, bankBytes }: PageFlash,
  current: OptionWords,
  wanted: OptionWords,
  regression: boolean,
): string | undefined {
  const removable = regression && (current[pcrop[0]?.endWord ?? ""] ?? 0) >>> 31 === 1;
  if (removable) return undefined;
  const shrunk = pcrop.some((area) => {
    const before = stretchOf(area, current, bankBytes);
    const after = stretchOf(area, wanted, bankBytes);
    return before !== undefined && !(after && after.start <= before.start && after.end >= before.end);
  });
  return shrunk ? "PCROP may only grow" : undefined;
}

/** With TZEN the watermarks, hidden areas and write protections go back to the factory's (AN5347). */
function withoutTrustZone(
  { trustZone, writeProtection }: PageFlash,
  words: readonly OptionWord[],
  wanted: OptionWords,
): OptionWords {
  const names = new Set([
    ...words.filter(({ secure }) => secure).map(({ name }) => name),
    ...writeProtection.map(({ startWord }) => startWord),
    ...(trustZone?.lockableWords ?? []),
  ]);
  return Object.fromEntries(
    words.map(({ name, factory }) => [name, names.has(name) ? factory : (wanted[name] ?? 0)]),
  );
}
