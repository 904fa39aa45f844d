import type { Argv } from "yargs";
import { hex32, hexNumber } from "../../bytes/hex.ts";
import { StationError } from "../../errors/station-error.ts";
import { packageRules } from "../../install/package-rules.ts";
import { installVariant } from "../../install/variants.ts";
import { parseOptionCsv } from "../../package/option-csv.ts";
import { parseSfi, type SfiPackage } from "../../package/sfi.ts";
import { buildSfi } from "../../package/sfi-build.ts";
import { checkStructure, openSfi, partsOf } from "../../package/sfi-verify.ts";
import type { DeviceManifest } from "../../target/manifest-types.ts";
import { decodeOptionBytes, optionWordsFromCsv } from "../../target/option-bytes.ts";
import { numberOption, requiredNumber, requiredText, textList, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { readInputText, writeOutput } from "../files.ts";
import { findManifest, loadManifests } from "../manifests.ts";
import { packageJson, readFirmwareFiles, readPackageFile, readPackageKey } from "../package-files.ts";
import { developmentRsseFor } from "../rsse-file.ts";

export function build(yargs: Argv): Argv {
  return yargs
    .positional("action", { choices: ["build", "inspect", "verify", "rsse"] as const })
    .positional("file", { type: "string", describe: "inspect, verify: the package" })
    .option("device", { type: "string", describe: "device id, e.g. 0x450" })
    .option("firmware", {
      type: "string",
      array: true,
      nargs: 1,
      describe: "build: FILE[@ADDRESS], repeatable",
    })
    .option("key", { type: "string", describe: "file with the 16-byte firmware key" })
    .option("nonce", { type: "string", describe: "file with the 12-byte nonce" })
    .option("options", { type: "string", describe: "build: option-byte CSV" })
    .option("image-version", { type: "string", describe: "build: 0..255", default: "0" })
    .option("ram-size", { type: "string", describe: "build: RAM for one part; splits what is larger" })
    .option("token", { type: "string", describe: "build: continuation-token address, needed to split" })
    .option("hash", { type: "boolean", describe: "build: integrity hash (STM32H73x)" })
    .option("out", { type: "string", describe: "build: the package to write" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  switch (args["action"]) {
    case "build":
      return buildPackage(args, context);
    case "verify":
      return verifyPackage(args, context);
    case "rsse":
      return buildRsse(args, context);
    default:
      return inspectPackage(args, context);
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
  const manifest = findManifest(await loadManifests(), requiredNumber(args, "device", 0xfff));
  const protocolVersion = manifest.sfi.protocolVersions[0];
  if (protocolVersion === undefined) throw new RangeError("the device takes no protocol version");
  if (args["hash"] === true) {
    throw StationError.of("USAGE_INVALID", {
      detail: `device ${hexNumber(manifest.device.id, 3)} takes no packages with a hash`,
    });
  }
  const key = await readPackageKey(args);
  if (key === undefined) throw StationError.of("USAGE_INVALID", { detail: "--key and --nonce are missing" });
  const csvFile = requiredText(args, "options");
  const rows = manifest.sfi.csvRows.map(({ name }) => name);
  const optionWords = parseOptionCsv(await readInputText(csvFile), { source: csvFile, rows });
  const firmware = textList(args, "firmware");
  if (firmware.length === 0) throw StationError.of("USAGE_INVALID", { detail: "--firmware is missing" });
  const out = requiredText(args, "out");
  const bytes = buildSfi({
    ...key,
    segments: await readFirmwareFiles(firmware),
    optionWords,
    imageVersion: requiredNumber(args, "image-version", 255),
    protocolVersion,
    ...splitOption(args, manifest),
  });
  const pkg = parseSfi(bytes, out);
  throwFindings(pkg, manifest);
  await writeOutput(out, bytes);
  printResult(context, packageJson(pkg), () => packageText(pkg));
  return 0;
}

function splitOption(args: Arguments, manifest: DeviceManifest) {
  const ramSizeBytes = numberOption(args, "ram-size");
  const tokenAddress = numberOption(args, "token");
  if (ramSizeBytes === undefined && tokenAddress === undefined) return {};
  if (tokenAddress === undefined)
    throw StationError.of("USAGE_INVALID", { detail: "--ram-size needs --token" });
  return { split: { ramSizeBytes: ramSizeBytes ?? manifest.sfi.ramSizeBytes, tokenAddress } };
}

async function inspectPackage(args: Arguments, context: CommandContext): Promise<number> {
  const pkg = await readPackageFile(packageName(args));
  printResult(context, packageJson(pkg), () => packageText(pkg));
  return 0;
}

async function verifyPackage(args: Arguments, context: CommandContext): Promise<number> {
  const pkg = await readPackageFile(packageName(args));
  const device = numberOption(args, "device", 0xfff);
  const manifest = device === undefined ? undefined : findManifest(await loadManifests(), device);
  if (manifest !== undefined) throwFindings(pkg, manifest);
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

function packageName(args: Arguments): string {
  const file = textOption(args, "file");
  if (file === undefined) throw StationError.of("USAGE_INVALID", { detail: "name the package file" });
  return file;
}

function throwFindings(pkg: SfiPackage, manifest: DeviceManifest): void {
  const [first, ...more] = checkStructure(pkg, packageRules(manifest));
  if (first === undefined) return;
  if (more.length === 0) throw first;
  throw StationError.of("PACKAGE_STRUCTURE", {
    file: pkg.name,
    detail: [first, ...more]
      .map((finding) => String(finding.parameters["detail"] ?? finding.message))
      .join("; "),
  });
}

function packageText(pkg: SfiPackage): string {
  const partOf = new Map(
    partsOf(pkg).flatMap(({ number, areas }) => areas.map(({ index }) => [index, number])),
  );
  return [
    `SFI protocol ${pkg.protocolVersion}, image version ${pkg.imageVersion}, ${pkg.areas.length} areas, ${pkg.sizeBytes} bytes`,
    `sha256 ${pkg.digest}`,
    "area type  part     address   size in bytes",
    ...pkg.areas.map(
      ({ index, type, address, sizeBytes }) =>
        `${String(index).padStart(4)}    ${type}  ${String(partOf.get(index)).padStart(4)}  ${hex32(address)}  ${String(sizeBytes).padStart(14)}`,
    ),
  ].join("\n");
}
