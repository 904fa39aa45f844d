import { toWords } from "../../../../src/bytes/bytes.ts";
import type { PageFlash } from "../../models/flash-model.ts";
import type { ChipStore } from "../../store.ts";
import { type Stretch, touches } from "./areas.ts";
import type { PageOptions } from "./option-bytes.ts";

/** True when the page at an offset of the array belongs to the secure side: watermark, or a bit of SECBBxRy. */
export function isSecurePage(
  model: PageFlash,
  options: PageOptions,
  store: ChipStore,
  offset: number,
): boolean {
  if (!options.trustZone || model.trustZone === undefined) return false;
  const page: Stretch = { start: offset, end: offset + 1 };
  if (touches(model.trustZone.secureAreas, options.current(), model.bankBytes, page)) return true;
  const blocks = model.registers.secureBlocks;
  if (blocks === undefined) return false;
  const bank = Math.floor(offset / model.bankBytes);
  const number = Math.floor((offset % model.bankBytes) / model.sectorBytes);
  const at = 4 * (bank * blocks.count + Math.floor(number / 32));
  const [word = 0] = toWords(store.region("secureBlocks").slice(at, at + 4));
  return ((word >>> (number % 32)) & 1) === 1;
}

/** Offset of a SECBB register in its region of the store; undefined when the register is none of them. */
export function secureBlockPlace(model: PageFlash, offset: number): number | undefined {
  const blocks = model.registers.secureBlocks;
  for (const [bank, first] of (blocks?.offsets ?? []).entries()) {
    const number = (offset - first) / 4;
    if (blocks !== undefined && number >= 0 && number < blocks.count)
      return 4 * (bank * blocks.count + number);
  }
  return undefined;
}

/** True when the stretch lies in flash of WL's second core. */
export function isSecondCores(model: PageFlash, options: PageOptions, { end }: Stretch): boolean {
  if (model.secondCore === undefined) return false;
  const word = options.word(model.secondCore.word);
  const none = (word & 0x80) !== 0;
  return !none && end > (word & 0x7f) * model.sectorBytes;
}
