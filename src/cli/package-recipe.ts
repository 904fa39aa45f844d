import { dirname, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { parseNumber } from "../bytes/numbers.ts";
import { StationError } from "../errors/station-error.ts";
import { textOption } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import { readInputText } from "./files.ts";
import type { ExternalFile, PackageInputs, PlacedFile } from "./package-inputs.ts";

/** A recipe, ready to be built. */
export interface Recipe {
  readonly inputs: PackageInputs;
  /** Throws INPUT_DIGEST_DIFFERS or RECIPE_INVALID when a file is not the pinned one. */
  readonly checkDigest: (file: string, sha256: string) => void;
}

/** Options that say what the recipe says already. */
const recipeOptions = [
  ...["device", "firmware", "external", "key-areas", "modules", "module", "ob-key", "ssfi", "options"],
  ...["ram-size", "token", "hash"],
];

type Fields = Readonly<Record<string, unknown>>;

const topKeys = [
  ...["schema", "device", "firmware", "external", "keyAreas", "modules", "obKeys", "options", "key", "nonce"],
  ...["imageVersion", "ramSize", "token", "padding", "mergeGap", "register", "out", "allowAssumed"],
];

/**
 * Reads a recipe, JSON or YAML (of which JSON is a part): one file that says what a package is made of and pins every
 * input by its SHA-256. Names are relative to the recipe's folder. docs/formats.md lists the keys.
 * @param args --out, --key and --nonce take the place of the recipe's
 * @throws RECIPE_INVALID, FILE_UNREADABLE, USAGE_INVALID
 */
export async function readRecipe(file: string, args: Arguments): Promise<Recipe> {
  const double = recipeOptions.find((name) => args[name] !== undefined);
  if (double !== undefined) {
    throw StationError.of("USAGE_INVALID", { detail: `--${double} belongs into the recipe` });
  }
  const text = await readInputText(file);
  let value: unknown;
  try {
    value = parseYaml(text, { uniqueKeys: true, maxAliasCount: 0 });
  } catch (error) {
    const detail = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw StationError.of("RECIPE_INVALID", { file, path: "$", detail }, { cause: error });
  }
  return decodeRecipe(value, file, args);
}

function decodeRecipe(value: unknown, file: string, args: Arguments): Recipe {
  const invalid = (path: string, detail: string) => StationError.of("RECIPE_INVALID", { file, path, detail });
  const folder = resolve(dirname(file));
  const pins = new Map<string, string | undefined>();

  const fields = (given: unknown, path: string, keys: readonly string[]): Fields => {
    if (typeof given !== "object" || given === null || Array.isArray(given))
      throw invalid(path, "must be a map");
    const unknown = Object.keys(given).find((key) => !keys.includes(key));
    if (unknown !== undefined) throw invalid(`${path}.${unknown}`, `unknown key; known: ${keys.join(", ")}`);
    return given as Fields;
  };
  const text = (given: unknown, path: string): string => {
    if (typeof given !== "string" || given === "") throw invalid(path, "must be text");
    return given;
  };
  const number = (given: unknown, path: string, maximum = 0xffffffff): number => {
    const read =
      typeof given === "number" ? given : typeof given === "string" ? parseNumber(given) : undefined;
    if (read === undefined || !Number.isInteger(read) || read < 0 || read > maximum) {
      throw invalid(path, `must be a whole number from 0 to 0x${maximum.toString(16)}`);
    }
    return read;
  };
  const list = <T>(given: unknown, path: string, decode: (item: unknown, path: string) => T): T[] => {
    if (given === undefined) return [];
    if (!Array.isArray(given)) throw invalid(path, "must be a list");
    return given.map((item: unknown, i) => decode(item, `${path}[${i}]`));
  };
  const optional = <T>(given: unknown, path: string, decode: (item: unknown, path: string) => T) =>
    given === undefined ? undefined : decode(given, path);
  /** A file with its digest; `more` keys are decoded by the caller. */
  const pinned = (given: unknown, path: string, more: readonly string[] = []): Fields & { file: string } => {
    const item = fields(given, path, ["file", "sha256", ...more]);
    const name = resolve(folder, text(item["file"], `${path}.file`));
    const sha256 = item["sha256"];
    if (sha256 !== undefined && (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/i.test(sha256))) {
      throw invalid(`${path}.sha256`, "must be 64 hexadecimal digits");
    }
    pins.set(name, sha256?.toLowerCase());
    return { ...item, file: name };
  };
  const placed = (
    given: unknown,
    path: string,
    more: readonly string[] = [],
  ): PlacedFile & { item: Fields } => {
    const item = pinned(given, path, ["address", ...more]);
    const address = optional(item["address"], `${path}.address`, number);
    return { file: item.file, item, ...(address === undefined ? {} : { address }) };
  };
  const placedFile = (given: unknown, path: string): PlacedFile => {
    const { item: _, ...rest } = placed(given, path);
    return rest;
  };
  const external = (given: unknown, path: string): ExternalFile => {
    const { item, ...rest } = placed(given, path, ["region", "mode", "keyAddress"]);
    return {
      ...rest,
      region: number(item["region"], `${path}.region`, 7),
      mode: number(item["mode"], `${path}.mode`, 3),
      keyAddress: number(item["keyAddress"], `${path}.keyAddress`),
    };
  };
  const fileOnly = (given: unknown, path: string): string => pinned(given, path).file;
  const secret = (name: "key" | "nonce"): string => {
    const given = textOption(args, name);
    return given ?? resolve(folder, text(top[name], `$.${name}`));
  };

  const top = fields(value, "$", topKeys);
  if (number(top["schema"] ?? -1, "$.schema") !== 1) throw invalid("$.schema", "must be 1");
  const padding = top["padding"] === undefined ? 0xff : number(top["padding"], "$.padding", 0xff);
  if (padding !== 0 && padding !== 0xff) throw invalid("$.padding", "must be 0xFF or 0x00");
  const out = textOption(args, "out");
  const register = textOption(args, "register") ?? optional(top["register"], "$.register", text);
  const inputs: PackageInputs = {
    deviceId: number(top["device"], "$.device", 0xfff),
    firmware: list(top["firmware"], "$.firmware", placedFile),
    external: list(top["external"], "$.external", external),
    keyAreas: optional(top["keyAreas"], "$.keyAreas", fileOnly),
    modulesList: undefined,
    modules: list(top["modules"], "$.modules", placedFile),
    obKeys: list(top["obKeys"], "$.obKeys", fileOnly),
    ssfi: undefined,
    options: optional(top["options"], "$.options", fileOnly),
    key: secret("key"),
    nonce: secret("nonce"),
    imageVersion: number(top["imageVersion"] ?? 0, "$.imageVersion", 255),
    ramSizeBytes: optional(top["ramSize"], "$.ramSize", number),
    tokenAddress: optional(top["token"], "$.token", number),
    fillByte: padding,
    mergeGapBytes: number(top["mergeGap"] ?? 0, "$.mergeGap"),
    hash: false,
    allowAssumed: args["allow-assumed"] === true || top["allowAssumed"] === true,
    allowPublicKey: args["allow-public-key"] === true,
    register: register === undefined ? undefined : resolve(folder, register),
    out: out ?? resolve(folder, text(top["out"], "$.out")),
    folder,
  };
  return {
    inputs,
    checkDigest: (name, actual) => {
      const expected = pins.get(name);
      if (expected === undefined) throw invalid(name, `sha256 is missing; the file has ${actual}`);
      if (expected !== actual) {
        throw StationError.of("INPUT_DIGEST_DIFFERS", { file: name, recipe: file, expected, actual });
      }
    },
  };
}
