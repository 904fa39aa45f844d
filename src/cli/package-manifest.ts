import { basename, relative, sep } from "node:path";
import { sha256Hex } from "../bytes/digest.ts";
import { hex32, hexNumber } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import { installVariant } from "../install/variants.ts";
import { keyIdOf } from "../package/key-register.ts";
import { areaTypes } from "../package/sfi-layout.ts";
import { partsOf } from "../package/sfi-verify.ts";
import { decodeOptionBytes, optionWordsFromCsv } from "../target/option-bytes.ts";
import type { BuiltPackage } from "./package-build.ts";
import type { InputRecord } from "./package-inputs.ts";
import { packageFormat } from "./package-listing.ts";
import { version } from "./version.ts";

/** Where a package's manifest lies: beside it. */
export function manifestFileOf(packageFile: string): string {
  return `${packageFile}.manifest.json`;
}

/**
 * What went into a package and what the chip will be after it: the text of the manifest file. No time and no absolute
 * path stands in it, so that the same inputs give the same bytes anywhere. Key and nonce appear as the key's register
 * id only.
 * @param folder names of inputs are given relative to it
 */
export function packageManifest(built: BuiltPackage, inputs: readonly InputRecord[], folder: string): string {
  const { package: pkg, manifest, optionWords, segments, external, keyAreas } = built;
  const rows = manifest.sfi.csvRows;
  const fields =
    optionWords === undefined
      ? []
      : decodeOptionBytes(manifest, installVariant(manifest), optionWordsFromCsv(manifest, optionWords));
  const place = ({ address, data }: { readonly address: number; readonly data: Uint8Array }) => ({
    address: hex32(address),
    sizeBytes: data.length,
    sha256: sha256Hex(data),
  });
  const value = {
    schema: 1,
    kind: "sfi-package-manifest",
    tool: `sfi ${version}`,
    package: {
      file: basename(pkg.name),
      sha256: pkg.digest,
      sizeBytes: pkg.sizeBytes,
      format: packageFormat(pkg),
      protocolVersion: pkg.protocolVersion,
      imageVersion: pkg.imageVersion,
      parts: partsOf(pkg).length,
      areas: pkg.areas.map(({ index, type, address, sizeBytes }) => ({
        index,
        type,
        meaning: areaTypes[type],
        address: hex32(address),
        sizeBytes,
      })),
    },
    device: { id: hexNumber(manifest.device.id, 3), name: manifest.device.name },
    keyId: keyIdOf(built.key),
    inputs: inputs.map(({ role, file, sha256, sizeBytes }) => ({
      role,
      file: relative(folder, file).split(sep).join("/"),
      sha256,
      sizeBytes,
    })),
    after: {
      optionWords: rows.map(({ name }, i) => ({ row: name, value: hex32(optionWords?.[i] ?? 0) })),
      optionBytes: fields.map(({ name, value: bits, text }) => ({ name, value: hexNumber(bits), text })),
      firmware: segments.map(place),
      external: external.flatMap(({ region, mode, keyAddress, segments: pieces }) =>
        pieces.map((piece) => ({ ...place(piece), region, mode, keyAddress: hex32(keyAddress) })),
      ),
      keyAreas: keyAreas.map(({ address, sizeBytes }) => ({ address: hex32(address), sizeBytes })),
    },
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}

/**
 * The option words that a manifest promises for a package.
 * @param text the manifest file
 * @param packageDigest SHA-256 of the package; a manifest of another package is refused
 * @param rows the device's CSV rows, which must be the manifest's
 * @throws EXPECTATION_INVALID
 */
export function expectedWordsOf(
  text: string,
  packageDigest: string,
  rows: readonly string[],
  file: string,
): number[] {
  const invalid = (detail: string) =>
    StationError.of("EXPECTATION_INVALID", { detail: `${file}: ${detail}` });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw StationError.of("EXPECTATION_INVALID", { detail: `${file} is no JSON` }, { cause: error });
  }
  const manifest = value as {
    readonly kind?: unknown;
    readonly package?: { readonly sha256?: unknown };
    readonly after?: { readonly optionWords?: unknown };
  } | null;
  if (manifest?.kind !== "sfi-package-manifest") throw invalid("it is no package manifest");
  if (manifest.package?.sha256 !== packageDigest) throw invalid("it belongs to another package");
  const words = manifest.after?.optionWords;
  if (!Array.isArray(words) || words.length !== rows.length)
    throw invalid("its option words are not the device's");
  return words.map((word: unknown, i) => {
    const { row, value: bits } = (word ?? {}) as { readonly row?: unknown; readonly value?: unknown };
    if (row !== rows[i] || typeof bits !== "string" || !/^0x[0-9A-F]{8}$/.test(bits)) {
      throw invalid(`option word ${i + 1} is not ${rows[i]} with a 32-bit value`);
    }
    return Number(bits);
  });
}
