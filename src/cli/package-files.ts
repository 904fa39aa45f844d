import { existsSync } from "node:fs";
import { basename } from "node:path";
import { hex32, toHex } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import { readFirmware } from "../firmware/read-firmware.ts";
import { joinSegments, type Segment } from "../firmware/segments.ts";
import { createExpectation, type Expectation } from "../install/expectation.ts";
import { checkKey, checkNonce } from "../package/keys.ts";
import { parseOptionCsv } from "../package/option-csv.ts";
import { parseSfi, type SfiPackage } from "../package/sfi.ts";
import { openSfi } from "../package/sfi-verify.ts";
import type { DeviceManifest } from "../target/manifest-types.ts";
import { fileWithAddress, requiredText, textList, textOption } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import { readInput, readInputText, readSecret } from "./files.ts";
import { packageFormat } from "./package-listing.ts";
import { expectedWordsOf, manifestFileOf } from "./package-manifest.ts";

/** Key and nonce of a package. */
export interface PackageKey {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
}

/** The package of --package or a positional. @throws FILE_UNREADABLE, PACKAGE_CORRUPT */
export async function readPackageFile(file: string): Promise<SfiPackage> {
  return parseSfi(await readInput(file), file);
}

/** --key and --nonce, both or neither. @throws USAGE_INVALID, KEY_LENGTH, KEY_FILE_EXPOSED */
export async function readPackageKey(args: Arguments): Promise<PackageKey | undefined> {
  if (textOption(args, "key") === undefined && textOption(args, "nonce") === undefined) return undefined;
  const keyFile = requiredText(args, "key");
  const nonceFile = requiredText(args, "nonce");
  return {
    key: checkKey(await readSecret(keyFile), keyFile),
    nonce: checkNonce(await readSecret(nonceFile), nonceFile),
  };
}

/** The firmware files of a repeatable option, joined. @throws FIRMWARE_*, FILE_UNREADABLE */
export async function readFirmwareFiles(texts: readonly string[]): Promise<Segment[]> {
  const images = await Promise.all(
    texts.map(async (text) => {
      const { file, address } = fileWithAddress(text);
      return readFirmware(await readInput(file), {
        source: file,
        ...(address === undefined ? {} : { address }),
      });
    }),
  );
  return joinSegments(images);
}

/**
 * What the chip must hold afterwards: --expect, the package opened with its key, the manifest that lies beside the
 * package, in that order of precedence, and --expect-firmware; what is given twice must agree.
 * @throws EXPECTATION_INVALID when two of them contradict each other
 */
export async function readExpectation(
  args: Arguments,
  pkg: SfiPackage,
  key: PackageKey | undefined,
  manifest: DeviceManifest,
): Promise<Expectation | undefined> {
  const csvFile = textOption(args, "expect");
  const rows = manifest.sfi.csvRows.map(({ name }) => name);
  const fromCsv =
    csvFile === undefined
      ? undefined
      : parseOptionCsv(await readInputText(csvFile), { source: csvFile, rows });
  const opened = key === undefined ? undefined : openSfi(pkg, key.key, key.nonce);
  const firmwareFiles = textList(args, "expect-firmware");
  const fromFiles = firmwareFiles.length === 0 ? undefined : await readFirmwareFiles(firmwareFiles);
  requireAgreement(fromCsv, opened?.optionWords, csvFile ?? "", rows);
  const manifestFile = manifestFileOf(pkg.name);
  const fromManifest =
    csvFile === undefined && existsSync(manifestFile)
      ? expectedWordsOf(await readInputText(manifestFile), pkg.digest, rows, manifestFile)
      : undefined;
  requireAgreement(fromManifest, opened?.optionWords, manifestFile, rows);
  const optionWords = fromCsv ?? opened?.optionWords ?? fromManifest;
  if (optionWords === undefined) return undefined;
  const openedSource = opened === undefined ? undefined : "the package opened with its key";
  return createExpectation({
    optionWords,
    firmware: fromFiles ?? opened?.firmware,
    source: csvFile ?? openedSource ?? `the package's manifest ${basename(manifestFile)}`,
  });
}

function requireAgreement(
  fromCsv: readonly number[] | undefined,
  fromPackage: readonly number[] | undefined,
  file: string,
  rows: readonly string[],
): void {
  if (fromCsv === undefined || fromPackage === undefined) return;
  const wrong = fromCsv.findIndex((word, i) => word !== fromPackage[i]);
  if (wrong === -1) return;
  throw StationError.of("EXPECTATION_INVALID", {
    detail: `${rows[wrong] ?? "a row"} is ${hex32(fromCsv[wrong] ?? 0)} in ${file} and ${hex32(fromPackage[wrong] ?? 0)} in the package`,
  });
}

/** A package as the command line's contract prints it. */
export function packageJson(pkg: SfiPackage) {
  return {
    format: packageFormat(pkg),
    protocolVersion: pkg.protocolVersion,
    imageVersion: pkg.imageVersion,
    totalAreas: pkg.areas.length,
    headerTag: toHex(pkg.headerTag),
    sizeBytes: pkg.sizeBytes,
    sha256: pkg.digest,
    areas: pkg.areas.map(({ index, type, version, sizeBytes, address, tag }) => ({
      index,
      type,
      version,
      sizeBytes,
      address: hex32(address),
      tag: toHex(tag),
    })),
  };
}
