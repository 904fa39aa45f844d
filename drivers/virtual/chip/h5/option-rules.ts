import { bitField } from "../../../../src/bytes/numbers.ts";
import type { H5Flash, OptionWords } from "../../models/flash-model.ts";
import { keyed, productState } from "./bits.ts";

/** PRODUCT_STATE of an OPTSR word. */
export function stateOf(words: OptionWords): number {
  return bitField(words["optsr"] ?? 0, 8, 8);
}

/** TZEN of an OPTSR2 word is the key for on. */
export function trustZoneOn(words: OptionWords): boolean {
  return bitField(words["optsr2"] ?? 0, 24, 8) === keyed.on;
}

/** States that may be written in each state: every closing one from Provisioning; what follows a closed one is no debugger's. */
const nextStates: ReadonlyMap<number, readonly number[]> = new Map([
  [productState.open, [productState.provisioning]],
  [
    productState.provisioning,
    [productState.irotProvisioned, productState.tzClosed, productState.closed, productState.locked],
  ],
  [productState.irotProvisioned, [productState.tzClosed, productState.closed, productState.locked]],
]);

/**
 * Why OPTSTART does not take a change over (OPTCHANGEERR); undefined: it does. Going back is for a regression with
 * debug authentication only.
 */
export function optionFault(model: H5Flash, current: OptionWords, wanted: OptionWords): string | undefined {
  const from = stateOf(current);
  const to = stateOf(wanted);
  if (to !== from && !(model.states.includes(to) && nextStates.get(from)?.includes(to))) {
    return `product state 0x${from.toString(16)} does not lead to 0x${to.toString(16)}`;
  }
  if (to === productState.tzClosed && !trustZoneOn(wanted)) return "TZ-Closed needs TZEN";
  if (model.trustZone) {
    const tzen = bitField(wanted["optsr2"] ?? 0, 24, 8);
    if (tzen !== keyed.on && tzen !== keyed.off) return "TZEN is 0xB4 or 0xC3";
    const movable = from === productState.open || from === productState.provisioning;
    if (trustZoneOn(current) !== trustZoneOn(wanted) && !movable) return "TZEN is fixed in this state";
  }
  const fixed = ["nsbootr", "secbootr"].find(
    (name) =>
      from !== productState.open &&
      bitField(current[name] ?? 0, 0, 8) === keyed.on &&
      current[name] !== wanted[name],
  );
  return fixed === undefined ? undefined : `${fixed} is locked`;
}
