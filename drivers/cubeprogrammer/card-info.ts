/** What the tool says about a card, as far as it says it. */
export interface CardInfo {
  readonly firmwareId?: string;
  /** Licenses left. */
  readonly counter?: number;
  /** ST_STATE, OEM_STATE, OPERATIONAL_STATE or UNKNOWN_STATE. */
  readonly state?: string;
  /** "1" or "2". */
  readonly version?: string;
  /** SFI, SMU, SSP. */
  readonly type?: string;
}

/** Labels of the values, whatever stands before and between (`HSM FW IDENTIFIER : …`, ST's provisioning scripts). */
const labels = {
  firmwareId: /\b(?:FW|FIRMWARE)\s*_?(?:IDENTIFIER|ID)\s*[:=]\s*(.+)$/i,
  counter: /\bCOUNTER(?:\s+VALUE)?\s*[:=]\s*(.+)$/i,
  state: /\b(?:STATE|STATUS)\s*[:=]\s*(.+)$/i,
  version: /\bHSM\s+VERSION\s*[:=]\s*(.+)$/i,
  type: /\b(?:HSM|CARD)\s+TYPE\s*[:=]\s*(.+)$/i,
} as const;

/**
 * Reads what the tool printed, by label and never by line number.
 * @param text output without colors
 */
export function parseCardInfo(text: string): CardInfo {
  const value = (label: keyof typeof labels): string | undefined => {
    for (const line of text.split("\n")) {
      const found = labels[label].exec(line)?.[1]?.trim();
      if (found !== undefined && found !== "") return found;
    }
    return undefined;
  };
  const firmwareId = value("firmwareId");
  const counter = parseCount(value("counter"));
  const state = parseState(value("state"));
  const version = /^V?([12])\b/i.exec(value("version") ?? "")?.[1];
  const type = /^\w+/.exec(value("type") ?? "")?.[0];
  return {
    ...(firmwareId === undefined ? {} : { firmwareId }),
    ...(counter === undefined ? {} : { counter }),
    ...(state === undefined ? {} : { state }),
    ...(version === undefined ? {} : { version }),
    ...(type === undefined ? {} : { type }),
  };
}

/**
 * A number of licenses. The tool prints with the locale of the machine, so `2000,00` is 2000; a group of three digits
 * could mean either and is not guessed at.
 */
function parseCount(text: string | undefined): number | undefined {
  const digits = /^(\d+)(?:[.,]0{1,2})?(?:\s|$)/.exec(text ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function parseState(text: string | undefined): string | undefined {
  const name = /\b(OPERATIONAL|OEM|ST|UNKNOWN)[_ ]STATE\b/i.exec(text ?? "")?.[1];
  return name === undefined ? undefined : `${name.toUpperCase()}_STATE`;
}
