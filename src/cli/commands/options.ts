import type { Argv } from "yargs";
import { hex32, hexNumber } from "../../bytes/hex.ts";
import { StationError } from "../../errors/station-error.ts";
import { installVariant } from "../../install/variants.ts";
import { formatOptionCsv, parseOptionCsv } from "../../package/option-csv.ts";
import type { DeviceManifest, FieldValues } from "../../target/manifest-types.ts";
import {
  applyFields,
  csvWordsOf,
  type DecodedField,
  decodeOptionBytes,
  defaultOptionBytes,
  diffOptionBytes,
  type OptionBytes,
  optionWordsFromCsv,
} from "../../target/option-bytes.ts";
import { writeOptionBytes } from "../../target/option-controller.ts";
import { checkOptionOrder, checkSecureBoot } from "../../target/option-order.ts";
import { requiredNumber, targetOptions, textList, textOption, toNumber } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { requireApproval } from "../consent.ts";
import { type CommandContext, printResult } from "../context.ts";
import { readInputText, writeOutput } from "../files.ts";
import { findManifest, loadManifests } from "../manifests.ts";
import { withTarget } from "../target.ts";

export function build(yargs: Argv): Argv {
  return targetOptions(
    yargs
      .positional("action", { choices: ["show", "set", "csv", "diff"] as const })
      .positional("words", {
        type: "string",
        array: true,
        describe: "set: NAME=VALUE…; csv: FILE, or NAME=VALUE… with --out; diff: two files",
      })
      .option("raw", { type: "boolean", describe: "show: register words too" })
      .option("dry-run", { type: "boolean", describe: "set: say what would change" })
      .option("approve", { type: "string", describe: "set: digest of an irreversible change" })
      .option("set", { type: "string", array: true, nargs: 1, describe: "csv: NAME=VALUE, repeatable" })
      .option("device", { type: "string", describe: "csv: device id, e.g. 0x450" })
      .option("out", { type: "string", describe: "csv: write a valid file of this device's defaults here" }),
  );
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const words = ((args["words"] as string[] | undefined) ?? []).map(String);
  if (args["action"] === "csv") return csv(args, context, words);
  if (args["action"] === "set") return set(args, context, words);
  if (args["action"] === "diff") return diff(args, context, words);
  await withTarget(args, context, "hot-plug", async ({ identity, readOptionBytes }) => {
    const optionBytes = await readOptionBytes();
    const fields = decodeOptionBytes(identity.manifest, identity.variant, optionBytes);
    printFields(context, fields, args["raw"] === true ? optionBytes : undefined);
  });
  return 0;
}

async function set(args: Arguments, context: CommandContext, words: readonly string[]): Promise<number> {
  const fields = assignments(words);
  await withTarget(args, context, "normal", async ({ identity, debug, clock, probe, readOptionBytes }) => {
    const { manifest, variant } = identity;
    const now = await readOptionBytes();
    const wanted = applyFields(manifest, variant, now, fields, { hidden: false });
    checkOptionOrder(manifest, variant, now, wanted);
    await checkSecureBoot(debug.memory(), manifest, variant, now, wanted);
    const changes = diffOptionBytes(manifest, variant, now, wanted);
    const json = changes.map(({ field, from, to }) => ({
      field,
      from: hexNumber(from),
      to: hexNumber(to),
    }));
    const text = () =>
      json.map(({ field, from, to }) => `${field}  ${from} -> ${to}`).join("\n") || "nothing to change";
    if (args["dry-run"] === true) {
      printResult(context, { changes: json, written: false }, text);
      return;
    }
    requireApproval({ uid: identity.uid, changes: json }, probe.identity, textOption(args, "approve"));
    await writeOptionBytes(debug, clock, manifest, variant, wanted);
    printResult(context, { changes: json, written: true }, text);
  });
  return 0;
}

/** Makes a file from names (with --out or --set), or shows what one means. */
async function csv(args: Arguments, context: CommandContext, given: readonly string[]): Promise<number> {
  const manifest = findManifest(await loadManifests(), requiredNumber(args, "device"));
  const variant = installVariant(manifest);
  const out = textOption(args, "out");
  const settings = textList(args, "set");
  if (out !== undefined || settings.length > 0)
    return createCsv(manifest, context, out, [...given, ...settings]);
  const [file, ...more] = given;
  if (file === undefined || more.length > 0) {
    throw StationError.of("USAGE_INVALID", {
      detail: "options csv takes one FILE, or --out with NAME=VALUE…",
    });
  }
  const optionBytes = await readCsv(manifest, file);
  printFields(context, decodeOptionBytes(manifest, variant, optionBytes), optionBytes);
  return 0;
}

/** A valid file of the device's defaults with `words` applied; to stdout when no file is named. */
async function createCsv(
  manifest: DeviceManifest,
  context: CommandContext,
  out: string | undefined,
  words: readonly string[],
): Promise<number> {
  const variant = installVariant(manifest);
  const defaults = defaultOptionBytes(manifest, variant);
  const optionBytes = applyFields(manifest, variant, defaults, assignments(words), {
    hidden: false,
    readOnly: true,
  });
  const names = manifest.sfi.csvRows.map(({ name }) => name);
  const values = csvWordsOf(manifest, variant, optionBytes);
  const text = formatOptionCsv(names, values);
  if (out !== undefined) await writeOutput(out, text);
  const rows = names.map((name, i) => ({ name, value: hex32(values[i] ?? 0) }));
  printResult(context, { file: out ?? null, rows }, () => text);
  return 0;
}

/** The fields in which two files of one device differ. */
async function diff(args: Arguments, context: CommandContext, files: readonly string[]): Promise<number> {
  const manifest = findManifest(await loadManifests(), requiredNumber(args, "device"));
  const [first, second, ...more] = files;
  if (first === undefined || second === undefined || more.length > 0) {
    throw StationError.of("USAGE_INVALID", { detail: "options diff takes two CSV files" });
  }
  const [a, b] = [await readCsv(manifest, first), await readCsv(manifest, second)];
  const changes = diffOptionBytes(manifest, installVariant(manifest), a, b).map(({ field, from, to }) => ({
    field,
    a: hexNumber(from),
    b: hexNumber(to),
  }));
  printResult(
    context,
    { same: changes.length === 0, changes },
    () =>
      changes.map(({ field, a: left, b: right }) => `${field}  ${left} | ${right}`).join("\n") ||
      "no difference",
  );
  return 0;
}

async function readCsv(manifest: DeviceManifest, file: string): Promise<OptionBytes> {
  const rows = manifest.sfi.csvRows.map(({ name }) => name);
  return optionWordsFromCsv(manifest, parseOptionCsv(await readInputText(file), { source: file, rows }));
}

function assignments(words: readonly string[]): FieldValues {
  if (words.length === 0) return {};
  return Object.fromEntries(
    words.map((word) => {
      const [name, value, ...rest] = word.split("=");
      if (!name || value === undefined || rest.length > 0) {
        throw StationError.of("USAGE_INVALID", { detail: `${word} is not NAME=VALUE` });
      }
      return [name, toNumber(value, name)];
    }),
  );
}

function printFields(context: CommandContext, fields: readonly DecodedField[], raw?: OptionBytes): void {
  const registers = [...(raw?.words ?? [])].map(([register, value]) => [register, hex32(value)] as const);
  const json = {
    fields: fields.map(({ name, register, value, text }) => ({
      name,
      register,
      value: hexNumber(value),
      text,
    })),
    ...(raw === undefined ? {} : { registers: Object.fromEntries(registers) }),
  };
  const width = Math.max(...fields.map(({ name }) => name.length));
  printResult(context, json, () =>
    [
      ...fields.map(
        ({ name, value, text }) => `${name.padEnd(width)}  ${hexNumber(value).padEnd(8)} ${text}`,
      ),
      ...registers.map(([register, value]) => `${register.padEnd(width)}  ${value}`),
    ].join("\n"),
  );
}
