import type { Argv } from "yargs";
import { parseNumber } from "../bytes/numbers.ts";
import { StationError } from "../errors/station-error.ts";
import type { Arguments } from "./command.ts";

function usage(detail: string): StationError {
  return StationError.of("USAGE_INVALID", { detail });
}

/** An option's text, or undefined. @throws USAGE_INVALID when it was given twice */
export function textOption(args: Arguments, name: string): string | undefined {
  const value = args[name];
  if (value === undefined) return undefined;
  if (Array.isArray(value)) throw usage(`--${name} was given more than once`);
  return String(value);
}

/** An option that must be there. @throws USAGE_INVALID */
export function requiredText(args: Arguments, name: string): string {
  const value = textOption(args, name);
  if (value === undefined || value === "") throw usage(`--${name} is missing`);
  return value;
}

/** A repeatable option's texts. */
export function textList(args: Arguments, name: string): string[] {
  const value = args[name];
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}

/** A number, decimal or 0x hexadecimal. @throws USAGE_INVALID */
export function numberOption(args: Arguments, name: string, maximum = 0xffffffff): number | undefined {
  const text = textOption(args, name);
  if (text === undefined) return undefined;
  return toNumber(text, `--${name}`, maximum);
}

/** A number that must be there. @throws USAGE_INVALID */
export function requiredNumber(args: Arguments, name: string, maximum = 0xffffffff): number {
  return toNumber(requiredText(args, name), `--${name}`, maximum);
}

/** Text as a number, decimal or 0x hexadecimal. @throws USAGE_INVALID naming `what` */
export function toNumber(text: string, what: string, maximum = 0xffffffff): number {
  const value = parseNumber(text);
  if (value === undefined || value > maximum) {
    throw usage(
      `${what} ${text} is no number (decimal or 0x hexadecimal, at most 0x${maximum.toString(16)})`,
    );
  }
  return value;
}

/** `FILE` or `FILE@ADDRESS`. @throws USAGE_INVALID when what follows the @ is no number */
export function fileWithAddress(text: string): { readonly file: string; readonly address?: number } {
  const at = text.lastIndexOf("@");
  if (at <= 0) return { file: text };
  const tail = text.slice(at + 1);
  // A folder name may hold an @; only something that looks like a number is an address.
  if (!/^(0x)?[0-9a-fA-F]+$/.test(tail)) return { file: text };
  return { file: text.slice(0, at), address: toNumber(tail, "the address behind @") };
}

/** Options of every command that talks to a target. */
export function targetOptions(builder: Argv): Argv {
  return builder
    .option("probe", {
      type: "string",
      array: true,
      requiresArg: true,
      nargs: 1,
      describe: "usb:<serial>, usb@<bus>-<ports>, virtual:<chip>[,key=value…] or replay:<trace> (SFI_PROBE)",
    })
    .option("trace", {
      type: "string",
      requiresArg: true,
      describe: "write every USB transfer to this new file; licenses are left out of it",
    })
    .option("clock", { type: "string", describe: "highest SWD clock in kHz", default: "24000" })
    .option("mode", { choices: ["normal", "hot-plug", "under-reset"] as const, describe: "how to connect" });
}

/** The probe selectors of the command line, else SFI_PROBE's, else none. */
export function probeSelectors(args: Arguments, env: NodeJS.ProcessEnv): string[] {
  const given = textList(args, "probe");
  if (given.length > 0) return given;
  const inherited = env["SFI_PROBE"];
  return inherited === undefined || inherited === "" ? [] : [inherited];
}

/** The one probe selector of a command that works on one probe. @throws USAGE_INVALID for several */
export function oneProbeSelector(args: Arguments, env: NodeJS.ProcessEnv): string | undefined {
  const selectors = probeSelectors(args, env);
  if (selectors.length > 1) throw usage("this command takes one --probe");
  return selectors[0];
}
