import type { PageFlash } from "../../models/flash-model.ts";
import type { BootPlace } from "../flash-part.ts";
import { optr } from "./bits.ts";
import type { PageOptions } from "./option-bytes.ts";

/**
 * Where a page part starts with pin BOOT0 low (RM0456 table 26, RM0351 2.6): nSWBOOT0 = 0 takes BOOT0 from nBOOT0.
 * @param blank the first word of flash is erased
 */
export function pageBootPlace(model: PageFlash, options: PageOptions, blank: boolean): BootPlace {
  const word = options.optr;
  const boot0 = (word & optr.nSwBoot0) === 0 && (word & optr.nBoot0) === 0;
  const bootloader: BootPlace = { kind: "bootloader", address: model.bootloader };
  const { trustZone } = model;
  if (trustZone === undefined) {
    return boot0 || blank ? bootloader : { kind: "vectors", address: model.base };
  }
  if (options.trustZone) {
    const secboot = options.word("secbootadd0r");
    const locked = (secboot & 1) === 1;
    const address = (secboot & 0xffffff80) >>> 0;
    // RSS ends in the bootloader when nobody asks it for anything.
    if ((boot0 && !locked) || address === trustZone.rss) return bootloader;
    return { kind: "vectors", address, secure: true };
  }
  const address = (options.word(boot0 ? "nsbootadd1r" : "nsbootadd0r") & 0xffffff80) >>> 0;
  return address >= model.bootloader && address < model.bootloader + 0x10000
    ? { kind: "bootloader", address }
    : { kind: "vectors", address };
}
