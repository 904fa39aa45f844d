import { StationError } from "../../src/errors/station-error.ts";
import type { Cryptoki, Handle } from "./native.ts";
import type { TokenInfo, TokenSelector } from "./protocol.ts";

/** A token and the slot it is in now. */
export interface PresentToken {
  readonly slot: Handle;
  readonly info: TokenInfo;
}

/** Every token the module shows. */
export function presentTokens(cryptoki: Cryptoki): PresentToken[] {
  return cryptoki.C_GetSlotList(true).map((slot) => {
    const { label, serialNumber, manufacturerID, model, flags } = cryptoki.C_GetTokenInfo(slot);
    return {
      slot,
      info: {
        label: trimmed(label),
        serial: trimmed(serialNumber),
        manufacturer: trimmed(manufacturerID),
        model: trimmed(model),
        flags,
      },
    };
  });
}

/**
 * The one token that the selector names.
 * @throws HSM_TOKEN_NOT_FOUND, HSM_TOKEN_AMBIGUOUS
 */
export function selectToken(tokens: readonly PresentToken[], wanted: TokenSelector): PresentToken {
  const labelled = tokens.filter(({ info }) => info.label === wanted.label);
  const matching = labelled.filter(
    ({ info }) => wanted.serial === undefined || info.serial === wanted.serial,
  );
  const [found, second] = matching;
  if (found === undefined) {
    const present = tokens
      .filter(({ info }) => info.label !== "")
      .map(({ info }) => `${info.label} (serial ${info.serial || "none"})`);
    throw StationError.of("HSM_TOKEN_NOT_FOUND", {
      token: wanted.serial === undefined ? wanted.label : `${wanted.label} (serial ${wanted.serial})`,
      present: present.join(", ") || "none",
    });
  }
  if (second !== undefined) {
    const serials = matching.map(({ info }) => info.serial).join(", ");
    throw StationError.of("HSM_TOKEN_AMBIGUOUS", { token: wanted.label, serials });
  }
  return found;
}

/** Text fields are padded with blanks; some modules pad with zero bytes. */
export function trimmed(text: string): string {
  return text.split("\0", 1)[0]?.trim() ?? "";
}
