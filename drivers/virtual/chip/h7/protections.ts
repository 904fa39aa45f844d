import type { H7Flash } from "../../models/flash-model.ts";
import type { FlashCells } from "../flash-cells.ts";
import { protectedArea } from "./option-rules.ts";

/** Why a part of the array may not be read. */
export type ReadRefusal = "pcrop" | "secure" | "ecc";

/** Gives one option word by its name, 0 for one the part has not. */
export type WordOf = (name: string) => number;

/** The first reason why a debugger may not read the stretch. */
export function readRefusal(
  cells: FlashCells,
  offset: number,
  sizeBytes: number,
  word: WordOf,
): ReadRefusal | undefined {
  if (hits(cells, offset, sizeBytes, "prar", word)) return "pcrop";
  if (hits(cells, offset, sizeBytes, "scar", word)) return "secure";
  return cells.hasBadUnit(offset, sizeBytes) ? "ecc" : undefined;
}

/** True when a protection forbids to erase or program in the sector (number within the bank). */
export function isSectorProtected(
  cells: FlashCells,
  model: H7Flash,
  bank: 0 | 1,
  sector: number,
  word: WordOf,
): boolean {
  const bit = Math.floor(sector / model.sectorsPerWrpBit);
  if (((word(`wpsn${bank + 1}`) >>> bit) & 1) === 0) return true;
  const offset = bank * model.bankBytes + sector * model.sectorBytes;
  return (
    hits(cells, offset, model.sectorBytes, "prar", word) ||
    hits(cells, offset, model.sectorBytes, "scar", word)
  );
}

/** True when the stretch of the array touches the area that the word of that name defines in each bank. */
function hits(
  { geometry }: FlashCells,
  offset: number,
  sizeBytes: number,
  name: "prar" | "scar",
  word: WordOf,
): boolean {
  for (let bank = 0; bank < geometry.banks; bank++) {
    const area = protectedArea(word(`${name}${bank + 1}`), geometry.bankBytes);
    const base = bank * geometry.bankBytes;
    if (area && offset < base + area.end && offset + sizeBytes > base + area.start) return true;
  }
  return false;
}
