import type { Argv } from "yargs";
import { hex32, hexNumber } from "../../bytes/hex.ts";
import { StationError } from "../../errors/station-error.ts";
import { packageRules } from "../../install/package-rules.ts";
import { installVariant } from "../../install/variants.ts";
import { factsOf } from "../../package/file-facts.ts";
import { mapSvg, mapText } from "../../package/flash-map-draw.ts";
import { recognizeFile } from "../../package/recognize.ts";
import { parseSfi } from "../../package/sfi.ts";
import { diffContents, diffPackages } from "../../package/sfi-diff.ts";
import { openSfi } from "../../package/sfi-verify.ts";
import type { DeviceManifest } from "../../target/manifest-types.ts";
import { decodeOptionBytes, optionWordsFromCsv } from "../../target/option-bytes.ts";
import { numberOption, requiredNumber, requiredText, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { printFacts } from "../facts-listing.ts";
import { readInput, writeOutput } from "../files.ts";
import { findManifest, loadManifests } from "../manifests.ts";
import { buildPackageFile, throwFindings } from "../package-build.ts";
import { packageBuildOptions, packageInputs } from "../package-build-options.ts";
import { packageJson, readPackageFile, readPackageKey } from "../package-files.ts";
import { inputLog } from "../package-inputs.ts";
import { packageMap, packageText } from "../package-listing.ts";
import { manifestFileOf, packageManifest } from "../package-manifest.ts";
import { readRecipe } from "../package-recipe.ts";
import { developmentRsseFor } from "../rsse-file.ts";

export function build(yargs: Argv): Argv {
  return packageBuildOptions(yargs)
    .positional("action", { choices: ["build", "inspect", "verify", "diff", "rsse"] as const })
    .positional("file", { type: "string", describe: "inspect, verify, diff: the file" })
    .positional("other", { type: "string", describe: "diff: the file to compare with" })
    .option("map", { type: "boolean", describe: "inspect: where the areas lie, as text" })
    .option("svg", {
      type: "string",
      describe: "inspect: where the areas lie, as a picture, into this file",
    });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  if (args["action"] !== "diff" && args["other"] !== undefined) {
    throw StationError.of("USAGE_INVALID", { detail: "only diff takes two files" });
  }
  switch (args["action"]) {
    case "build":
      return buildPackage(args, context);
    case "verify":
      return verifyPackage(args, context);
    case "diff":
      return diff(args, context);
    case "rsse":
      return buildRsse(args, context);
    default:
      return inspect(args, context);
  }
}

/** A development RSSe binary: marked, and taken by virtual chips only. */
async function buildRsse(args: Arguments, context: CommandContext): Promise<number> {
  const manifest = findManifest(await loadManifests(), requiredNumber(args, "device", 0xfff));
  const out = requiredText(args, "out");
  const bytes = developmentRsseFor(manifest);
  await writeOutput(out, bytes);
  const family = manifest.sfi.rsse?.family ?? "";
  printResult(
    context,
    { file: out, sizeBytes: bytes.length, family, development: true },
    () => `${out}: ${bytes.length} bytes, development RSSe for virtual ${family} chips`,
  );
  return 0;
}

async function buildPackage(args: Arguments, context: CommandContext): Promise<number> {
  const recipeFile = textOption(args, "recipe");
  const recipe = recipeFile === undefined ? undefined : await readRecipe(recipeFile, args);
  const inputs = recipe?.inputs ?? packageInputs(args);
  const log = inputLog(recipe?.checkDigest);
  const built = await buildPackageFile(inputs, log);
  const json = packageJson(built.package);
  if (recipe === undefined && args["manifest"] !== true) {
    printResult(context, json, () => packageText(built.package));
    return 0;
  }
  const manifest = manifestFileOf(inputs.out);
  await writeOutput(manifest, packageManifest(built, log.records, inputs.folder));
  printResult(context, { ...json, manifest }, () => `${packageText(built.package)}\nmanifest ${manifest}`);
  return 0;
}

async function inspect(args: Arguments, context: CommandContext): Promise<number> {
  const file = fileName(args, "file");
  const bytes = await readInput(file);
  if (recognizeFile(bytes) !== "sfi" && recognizeFile(bytes) !== undefined) {
    printFacts(context, file, factsOf(bytes, file));
    return 0;
  }
  const pkg = parseSfi(bytes, file);
  const map = packageMap(pkg, await optionalManifest(args));
  const svg = textOption(args, "svg");
  if (svg !== undefined) await writeOutput(svg, mapSvg(map, `${file} (${pkg.digest.slice(0, 16)})`));
  const json = args["map"] === true ? { ...packageJson(pkg), map } : packageJson(pkg);
  printResult(context, json, () =>
    [packageText(pkg), ...(args["map"] === true ? ["", mapText(map)] : [])].join("\n"),
  );
  return 0;
}

async function diff(args: Arguments, context: CommandContext): Promise<number> {
  const [a, b] = [
    await readPackageFile(fileName(args, "file")),
    await readPackageFile(fileName(args, "other")),
  ];
  const key = await readPackageKey(args);
  const rows = (await optionalManifest(args))?.sfi.csvRows.map(({ name }) => name);
  const contents =
    key === undefined
      ? []
      : diffContents(openSfi(a, key.key, key.nonce), openSfi(b, key.key, key.nonce), rows);
  const differences = [...diffPackages(a, b), ...contents];
  const same = a.digest === b.digest;
  printResult(context, { same, differences }, () =>
    differences.length === 0
      ? "no difference"
      : differences
          .map(({ what, a: left, b: right }) => `${what}: ${left}${right === "" ? "" : ` | ${right}`}`)
          .join("\n"),
  );
  return 0;
}

async function verifyPackage(args: Arguments, context: CommandContext): Promise<number> {
  const pkg = await readPackageFile(fileName(args, "file"));
  const manifest = await optionalManifest(args);
  if (manifest !== undefined) throwFindings(pkg, packageRules(manifest));
  const key = await readPackageKey(args);
  const opened = key === undefined ? undefined : openSfi(pkg, key.key, key.nonce);
  const after =
    opened === undefined || manifest === undefined
      ? undefined
      : decodeOptionBytes(
          manifest,
          installVariant(manifest),
          optionWordsFromCsv(manifest, opened.optionWords),
        );
  const checked = [
    "container",
    ...(manifest === undefined ? [] : ["device rules"]),
    ...(opened === undefined ? [] : ["every tag"]),
  ];
  const json = {
    ...packageJson(pkg),
    checked,
    ...(after === undefined
      ? {}
      : { optionBytes: after.map(({ name, value, text }) => ({ name, value: hexNumber(value), text })) }),
    ...(opened === undefined
      ? {}
      : {
          firmware: opened.firmware.map(({ address, data }) => ({
            address: hex32(address),
            sizeBytes: data.length,
          })),
        }),
  };
  printResult(context, json, () =>
    [
      packageText(pkg),
      `checked: ${checked.join(", ")}`,
      ...(manifest === undefined ? ["not checked: device rules (--device)"] : []),
      ...(opened === undefined ? ["not checked: tags (--key, --nonce)"] : []),
      ...(after ?? []).map(({ name, value, text }) => `afterwards ${name} ${hexNumber(value)} ${text}`),
    ].join("\n"),
  );
  return 0;
}

async function optionalManifest(args: Arguments): Promise<DeviceManifest | undefined> {
  const device = numberOption(args, "device", 0xfff);
  return device === undefined ? undefined : findManifest(await loadManifests(), device);
}

function fileName(args: Arguments, which: "file" | "other"): string {
  const file = textOption(args, which);
  if (file === undefined) throw StationError.of("USAGE_INVALID", { detail: "name the package file" });
  return file;
}
