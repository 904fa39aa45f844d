import { StationError } from "../errors/station-error.ts";

/*
 * STM32TrustedPackageCreator_CLI's words (AN5054 2.5.1, 2.5.2, 4.3.5 and ST's provisioning scripts), each mapped to
 * the station's own.
 */

/** How one of the vendor's options becomes one of ours. */
interface StpcOption {
  /** Its spellings, without dashes; the vendor takes one dash or two. */
  readonly names: readonly string[];
  /** Fewest and most values behind it. */
  readonly values: readonly [least: number, most: number];
  readonly words: (values: readonly string[]) => readonly string[];
}

const one = (names: readonly string[], option: string): StpcOption => ({
  names,
  values: [1, 1],
  words: ([value = ""]) => [option, value],
});

const sfiOptions: readonly StpcOption[] = [
  one(["devid", "deviceid"], "--device"),
  {
    names: ["fir", "firmware"],
    values: [1, 2],
    words: ([file = "", address]) => ["--firmware", address === undefined ? file : `${file}@${address}`],
  },
  { names: ["firx", "firmwx"], values: [4, 5], words: externalWords },
  one(["k", "key"], "--key"),
  one(["n", "nonce"], "--nonce"),
  one(["v", "ver"], "--image-version"),
  one(["ob", "obfile"], "--options"),
  one(["m", "module"], "--module"),
  one(["rs", "ramsize"], "--ram-size"),
  one(["ct", "token"], "--token"),
  one(["mcsv"], "--modules"),
  one(["ssfi"], "--ssfi"),
  {
    names: ["ob-keys"],
    values: [1, 64],
    words: (files) => files.flatMap((file) => ["--ob-key", file]),
  },
  { names: ["hash"], values: [1, 1], words: ([flag = ""]) => (flagOf(flag) ? ["--hash"] : []) },
  one(["o", "outfile"], "--out"),
];

const sspOptions: readonly StpcOption[] = [
  one(["ru", "rma_unlock"], "--rma-unlock"),
  one(["rr", "rma_relock"], "--rma-relock"),
  one(["b", "blob"], "--secrets"),
  one(["pk", "pubk"], "--public-key"),
  one(["k", "key"], "--key"),
  one(["n", "nonce"], "--nonce"),
  one(["o", "out"], "--out"),
];

const hsmOptions: readonly StpcOption[] = [
  { names: ["i"], values: [1, 1], words: ([slot = ""]) => ["--hsm", `slot=${slot}`] },
  one(["k", "key"], "--key"),
  one(["n", "nonce"], "--nonce"),
  one(["id"], "--firmware-id"),
  one(["mc"], "--max"),
  one(["pd"], "--personalization"),
  { names: ["info"], values: [0, 0], words: () => [] },
];

/** What the tool can be told to do; `-pb` and `-sign` make images that are no business of a secure install. */
const flows: Readonly<
  Record<string, { readonly command: readonly string[]; readonly options: readonly StpcOption[] }>
> = {
  sfi: { command: ["package", "build"], options: sfiOptions },
  ssp: { command: ["ssp", "build"], options: sspOptions },
  hsm: { command: ["hsm", "provision"], options: hsmOptions },
};

/**
 * The station's command line for the vendor's words.
 * @param words what stands behind the vendor tool's name
 * @throws USAGE_INVALID for a word that is not known, is given twice or lacks its value
 */
export function translateStpc(words: readonly string[]): string[] {
  const [first, ...rest] = words;
  const flow = optionName(first ?? "");
  if (flow === "obk") return obkCommand(rest);
  const known = flow === undefined ? undefined : flows[flow];
  if (known === undefined) {
    throw usage(`${first ?? "nothing"} is not understood; known: -sfi, -ssp, -obk, -hsm`);
  }
  const translated = translateOptions(rest, known.options, `-${flow}`);
  const command =
    flow === "hsm" && rest.some((word) => optionName(word) === "info") ? ["hsm", "info"] : known.command;
  return [...command, ...translated];
}

function translateOptions(words: readonly string[], options: readonly StpcOption[], flow: string): string[] {
  const repeatable = ["fir", "firx", "m", "ob-keys"];
  const seen = new Set<string>();
  const translated: string[] = [];
  for (let at = 0; at < words.length; ) {
    const word = words[at] as string;
    const name = optionName(word);
    const option = options.find(({ names }) => name !== undefined && names.includes(name.toLowerCase()));
    if (option === undefined) throw usage(`${word} is not a word of ${flow}`);
    const [canonical = ""] = option.names;
    if (seen.has(canonical) && !repeatable.includes(canonical)) throw usage(`${word} is given twice`);
    seen.add(canonical);
    at++;
    const values: string[] = [];
    while (
      at < words.length &&
      values.length < option.values[1] &&
      optionName(words[at] as string) === undefined
    ) {
      values.push(words[at++] as string);
    }
    if (values.length < option.values[0]) throw usage(`${word} lacks a value`);
    translated.push(...option.words(values));
  }
  return translated;
}

/** `-obk file.xml [out.obk]`; without a name the result lies beside the description. */
function obkCommand(words: readonly string[]): string[] {
  const [file, ...more] = words;
  if (file === undefined || more.length > 1 || words.some((word) => optionName(word) !== undefined)) {
    throw usage("-obk takes one XML file and, if wanted, the name of the .obk");
  }
  return ["obk", "create", file, "--kind", "xml", "--out", more[0] ?? `${file.replace(/\.xml$/i, "")}.obk`];
}

/** `-firx FILE [ADDRESS] REGION MODE KEYADDRESS`: the address only for a plain binary. */
function externalWords(values: readonly string[]): string[] {
  const [file = "", ...numbers] = values;
  const settings = numbers.slice(-3).join(",");
  const address = numbers.length === 4 ? `@${numbers[0]}` : "";
  return ["--external", `${file}${address},${settings}`];
}

/** A word's name without its dashes; undefined for a value (a negative number is none of the vendor's values). */
function optionName(word: string): string | undefined {
  return /^--?([A-Za-z][\w-]*)$/.exec(word)?.[1];
}

function flagOf(text: string): boolean {
  if (text !== "0" && text !== "1") throw usage(`-hash takes 0 or 1, not ${text}`);
  return text === "1";
}

function usage(detail: string): StationError {
  return StationError.of("USAGE_INVALID", { detail: `stpc: ${detail}` });
}
