import { fromHex } from "../../src/bytes/hex.ts";
import { StationError } from "../../src/errors/station-error.ts";
import { type ChipName, chipNames, findChip } from "./chips.ts";
import type { Fault } from "./faults/script.ts";
import { type PersonalityName, personalityNames } from "./stlink/personalities.ts";

/** A virtual probe with a virtual chip, as a selector describes it. */
export interface VirtualConfig {
  readonly selector: string;
  readonly chip: ChipName;
  readonly probe: PersonalityName;
  /** Unique id of the chip, 12 bytes; another id is another chip with other keys. */
  readonly uid?: Uint8Array;
  /** Serial number of the probe, 24 upper-case hexadecimal digits; made from the chip's id when absent. */
  readonly serial?: string;
  /** File that keeps the chip between runs. */
  readonly stateFile?: string;
  /** File with a fault script. */
  readonly faultFile?: string;
  /** Faults besides those of the file. */
  readonly faults?: readonly Fault[];
  /** False: framing mistakes of the host stall instead of throwing, and AP0 is open without having been opened. */
  readonly strict?: boolean;
}

/**
 * Takes `virtual:<chip>[,key=value…]` apart. Keys: uid, serial, state, fault, probe, link. `link=model` (modelled times)
 * is what the bench always does.
 * @throws SELECTOR_INVALID, CHIP_UNKNOWN
 */
export function parseVirtualSelector(text: string): VirtualConfig {
  const match = /^virtual:([^,=]+)((?:,[^,]*)*)$/.exec(text);
  if (match === null) return refuse(text, "it has not the form virtual:<chip>[,key=value…]");
  const [, chipText = "", rest = ""] = match;
  const chip = findChip(chipText);
  if (chip === undefined)
    throw StationError.of("CHIP_UNKNOWN", { chip: chipText, known: chipNames.join(", ") });
  const settings = new Map<string, string>();
  for (const part of rest.split(",").slice(1)) {
    const [, key, value] =
      /^([a-z]+)=(.+)$/.exec(part) ?? refuse(text, `"${part}" has not the form key=value`);
    if (key === undefined || value === undefined) return refuse(text, `"${part}" has not the form key=value`);
    if (settings.has(key)) return refuse(text, `${key} is given twice`);
    settings.set(key, value);
  }
  return readSettings(text, chip, settings);
}

function readSettings(
  selector: string,
  chip: ChipName,
  settings: ReadonlyMap<string, string>,
): VirtualConfig {
  let config: VirtualConfig = { selector, chip, probe: "v3" };
  for (const [key, value] of settings) {
    switch (key) {
      case "uid":
        config = { ...config, uid: fromHex(hexDigits(selector, key, value)) };
        break;
      case "serial":
        config = { ...config, serial: hexDigits(selector, key, value).toUpperCase() };
        break;
      case "state":
        config = { ...config, stateFile: value };
        break;
      case "fault":
        config = { ...config, faultFile: value };
        break;
      case "probe": {
        const probe = personalityNames.find((name) => name === value);
        if (probe === undefined) return refuse(selector, `probe is one of ${personalityNames.join(", ")}`);
        config = { ...config, probe };
        break;
      }
      case "link":
        if (value !== "model") return refuse(selector, "link can only be model");
        break;
      default:
        return refuse(selector, `${key} is none of uid, serial, state, fault, probe, link`);
    }
  }
  return config;
}

function hexDigits(selector: string, key: string, value: string): string {
  return /^[0-9a-fA-F]{24}$/.test(value) ? value : refuse(selector, `${key} takes 24 hexadecimal digits`);
}

function refuse(selector: string, detail: string): never {
  throw StationError.of("SELECTOR_INVALID", { selector, detail });
}
