import type { Argv } from "yargs";
import { StationError } from "../errors/station-error.ts";
import {
  fileWithAddress,
  numberOption,
  requiredNumber,
  requiredText,
  textList,
  textOption,
  toNumber,
} from "./arguments.ts";
import type { Arguments } from "./command.ts";
import type { ExternalFile, PackageInputs } from "./package-inputs.ts";

/** The options of `package build`, shared with the compatible form. */
export function packageBuildOptions(yargs: Argv): Argv {
  const list = { type: "string", array: true, nargs: 1 } as const;
  return yargs
    .option("recipe", { type: "string", describe: "build: recipe file (JSON or YAML) that names all inputs" })
    .option("manifest", { type: "boolean", describe: "build: write OUT.manifest.json beside the package" })
    .option("device", { type: "string", describe: "device id, e.g. 0x450" })
    .option("firmware", { ...list, describe: "build: FILE[@ADDRESS], repeatable" })
    .option("external", {
      ...list,
      describe: "build: FILE[@ADDRESS],REGION,MODE,KEYADDRESS for external flash",
    })
    .option("key-areas", { type: "string", describe: "build: .kcsv file of key areas (SFIx)" })
    .option("modules", { type: "string", describe: "build: .mcsv list of modules" })
    .option("module", { ...list, describe: "build: FILE[@ADDRESS] of a module, repeatable" })
    .option("ob-key", { ...list, describe: "build: OBKey file (H5, H7RS), repeatable" })
    .option("ssfi", { type: "string", describe: "build: ST's SSFI image, FILE[@ADDRESS]" })
    .option("key", { type: "string", describe: "file with the 16-byte firmware key" })
    .option("nonce", { type: "string", describe: "file with the 12-byte nonce" })
    .option("register", { type: "string", describe: "build: the key's register (default: KEY.register)" })
    .option("options", { type: "string", describe: "build: option-byte CSV" })
    .option("image-version", { type: "string", describe: "build: 0..255", default: "0" })
    .option("ram-size", { type: "string", describe: "build: RAM for one part; splits what is larger" })
    .option("token", { type: "string", describe: "build: continuation-token address, needed to split" })
    .option("padding", {
      type: "string",
      describe: "build: 0xFF or 0x00 between merged segments",
      default: "0xFF",
    })
    .option("merge-gap", {
      type: "string",
      describe: "build: merge segments with gaps of at most this many bytes",
      default: "0",
    })
    .option("hash", { type: "boolean", describe: "build: integrity hash (STM32H73x)" })
    .option("allow-assumed", { type: "boolean", describe: "build: use area letters that are not published" })
    .option("allow-public-key", { type: "boolean", describe: "build: take ST's example keys, for a bench" })
    .option("out", { type: "string", describe: "build: the package to write" });
}

/** A package's inputs from the command line. @throws USAGE_INVALID */
export function packageInputs(args: Arguments): PackageInputs {
  const deviceId = requiredNumber(args, "device", 0xfff);
  if (textOption(args, "key") === undefined && textOption(args, "nonce") === undefined) {
    throw StationError.of("USAGE_INVALID", { detail: "--key and --nonce are missing" });
  }
  const firmware = textList(args, "firmware").map(fileWithAddress);
  const external = textList(args, "external").map(externalFile);
  if (firmware.length === 0 && external.length === 0) {
    throw StationError.of("USAGE_INVALID", { detail: "--firmware is missing" });
  }
  const ssfi = textOption(args, "ssfi");
  return {
    deviceId,
    firmware,
    external,
    keyAreas: textOption(args, "key-areas"),
    modulesList: textOption(args, "modules"),
    modules: textList(args, "module").map(fileWithAddress),
    obKeys: textList(args, "ob-key"),
    ssfi: ssfi === undefined ? undefined : fileWithAddress(ssfi),
    options: requiredText(args, "options"),
    key: requiredText(args, "key"),
    nonce: requiredText(args, "nonce"),
    imageVersion: requiredNumber(args, "image-version", 255),
    ramSizeBytes: numberOption(args, "ram-size"),
    tokenAddress: numberOption(args, "token"),
    fillByte: paddingByte(requiredNumber(args, "padding", 0xff)),
    mergeGapBytes: requiredNumber(args, "merge-gap"),
    hash: args["hash"] === true,
    allowAssumed: args["allow-assumed"] === true,
    allowPublicKey: args["allow-public-key"] === true,
    register: textOption(args, "register"),
    out: requiredText(args, "out"),
    folder: process.cwd(),
  };
}

/** 0xFF or 0x00, as the vendor's tool offers (AN5054 2.6.4). @throws USAGE_INVALID */
export function paddingByte(value: number): number {
  if (value === 0x00 || value === 0xff) return value;
  throw StationError.of("USAGE_INVALID", { detail: "--padding is 0xFF or 0x00" });
}

function externalFile(text: string): ExternalFile {
  const match = /^(.+),([^,]+),([^,]+),([^,]+)$/.exec(text);
  if (match === null) {
    throw StationError.of("USAGE_INVALID", {
      detail: `--external ${text} is not FILE[@ADDRESS],REGION,MODE,KEYADDRESS`,
    });
  }
  const [, file, region, mode, keyAddress] = match as unknown as [string, string, string, string, string];
  return {
    ...fileWithAddress(file),
    region: toNumber(region, "the region", 7),
    mode: toNumber(mode, "the region mode", 3),
    keyAddress: toNumber(keyAddress, "the key address"),
  };
}
