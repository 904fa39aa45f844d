import { isAbsolute } from "node:path";
import { StationError } from "../errors/station-error.ts";
import { toNumber } from "./arguments.ts";

/** A real card, through the vendor's command-line tool. */
export interface CardSelector {
  readonly kind: "card";
  readonly slot: number;
  /** Path of STM32_Programmer_CLI; searched when undefined. */
  readonly tool: string | undefined;
  readonly firmwareId: string | undefined;
}

/** A token behind any PKCS#11 module: development licenses. */
export interface TokenModuleSelector {
  readonly kind: "token";
  readonly module: string;
  readonly token: { readonly label: string; readonly serial?: string } | undefined;
  readonly firmwareId: string | undefined;
}

/** The vendor's PKCS#11 module, to look at. */
export interface VendorModuleSelector {
  readonly kind: "vendor-module";
  readonly module: string;
}

export type HsmSelector = CardSelector | TokenModuleSelector | VendorModuleSelector;

/** What --hsm takes; for help texts. */
export const hsmForms =
  "slot=N[,tool=PATH][,firmware-id=ID] | module=/abs/path.so,token=LABEL[,serial=S][,firmware-id=ID] | stm32hsm=/abs/path.so";

const known = {
  card: ["slot", "tool", "firmware-id"],
  token: ["module", "token", "serial", "firmware-id"],
  "vendor-module": ["stm32hsm"],
} as const;

/**
 * Reads the value of --hsm: `key=value` pairs with commas between them.
 * @throws USAGE_INVALID
 */
export function parseHsmSelector(text: string): HsmSelector {
  const values = new Map<string, string>();
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    const key = pair.slice(0, at);
    if (at < 1 || at === pair.length - 1) throw usage(text, `${pair || "nothing"} is no key=value`);
    if (values.has(key)) throw usage(text, `${key} is there twice`);
    values.set(key, pair.slice(at + 1));
  }
  const firmwareId = values.get("firmware-id");
  if (values.has("slot")) {
    requireKnown(text, values, "card");
    const slot = toNumber(values.get("slot") ?? "", "slot", 0xff);
    return { kind: "card", slot, tool: values.get("tool"), firmwareId };
  }
  if (values.has("module")) {
    requireKnown(text, values, "token");
    const label = values.get("token");
    const serial = values.get("serial");
    if (label === undefined && serial !== undefined) throw usage(text, "serial needs token");
    const token = label === undefined ? undefined : { label, ...(serial === undefined ? {} : { serial }) };
    return { kind: "token", module: absolute(text, values.get("module") ?? ""), token, firmwareId };
  }
  if (values.has("stm32hsm")) {
    requireKnown(text, values, "vendor-module");
    return { kind: "vendor-module", module: absolute(text, values.get("stm32hsm") ?? "") };
  }
  throw usage(text, "none of slot, module, stm32hsm is in it");
}

function requireKnown(text: string, values: ReadonlyMap<string, string>, kind: keyof typeof known): void {
  const allowed: readonly string[] = known[kind];
  const unknown = [...values.keys()].find((key) => !allowed.includes(key));
  if (unknown !== undefined) throw usage(text, `${unknown} does not belong there`);
}

/** The loader searches its own folders for a name without a path, and finds another file or none. */
function absolute(text: string, path: string): string {
  if (!isAbsolute(path)) throw usage(text, `${path} is no absolute path`);
  return path;
}

function usage(text: string, detail: string): StationError {
  return StationError.of("USAGE_INVALID", { detail: `--hsm ${text}: ${detail}; it takes ${hsmForms}` });
}
