import { hexNumber } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import { padSegments } from "../firmware/padding.ts";
import { joinSegments, type Segment } from "../firmware/segments.ts";
import { packageRules } from "../install/package-rules.ts";
import { checkKey, checkNonce } from "../package/keys.ts";
import { publicKeyName } from "../package/known-keys.ts";
import { parseObKey } from "../package/obk.ts";
import { parseOptionCsv } from "../package/option-csv.ts";
import { parseSfi, type SfiPackage } from "../package/sfi.ts";
import { buildSfi, type OpaquePart } from "../package/sfi-build.ts";
import { checkPlaces } from "../package/sfi-places.ts";
import type { SfiSplit } from "../package/sfi-split.ts";
import { checkStructure, type SfiRules } from "../package/sfi-verify.ts";
import { type ExternalFirmware, externalRanges, type KeyArea, parseKeyAreaCsv } from "../package/sfix.ts";
import { moduleAddress } from "../package/smi.ts";
import type { DeviceManifest } from "../target/manifest-types.ts";
import { readSecret, writeOutput } from "./files.ts";
import { registerFileOf, registerNonceUse } from "./key-register-file.ts";
import { findManifest, loadManifests } from "./manifests.ts";
import { type InputLog, type PackageInputs, readImages, readModulesList } from "./package-inputs.ts";

/** A package that was made and written. */
export interface BuiltPackage {
  readonly package: SfiPackage;
  readonly manifest: DeviceManifest;
  /** The firmware key, for its id in the manifest. */
  readonly key: Uint8Array;
  readonly optionWords: readonly number[] | undefined;
  readonly segments: readonly Segment[];
  readonly external: readonly ExternalFirmware[];
  readonly keyAreas: readonly KeyArea[];
}

/** Area types that the format has; whether a chip takes them is the installer's question. */
const buildableTypes = ["F", "C", "P", "R", "M", "E", "K", "O", "S"] as const;

/**
 * Makes a package: reads and checks every input, builds, checks the result against the device's rules, notes the nonce
 * in the key's register and writes the file, in this order.
 * @throws what is wrong with an input; KEY_NONCE_REUSED; FORMAT_NOT_PUBLIC; PACKAGE_STRUCTURE
 */
export async function buildPackageFile(inputs: PackageInputs, log: InputLog): Promise<BuiltPackage> {
  const manifest = findManifest(await loadManifests(), inputs.deviceId);
  const protocolVersion = manifest.sfi.protocolVersions[0];
  if (protocolVersion === undefined) throw new RangeError("the device takes no protocol version");
  refuseUnpublished(inputs, hexNumber(manifest.device.id, 3));
  const rules: SfiRules = { ...packageRules(manifest), areaTypes: buildableTypes };
  const key = checkKey(await readSecret(inputs.key), inputs.key);
  const nonce = checkNonce(await readSecret(inputs.nonce), inputs.nonce);
  const optionWords = await readOptionWords(inputs, log, manifest);
  const segments = await readInternal(inputs, log, manifest, rules);
  const external = await readExternal(inputs, log);
  const keyAreas =
    inputs.keyAreas === undefined
      ? []
      : parseKeyAreaCsv(
          new TextDecoder().decode(await log.read("key areas", inputs.keyAreas)),
          inputs.keyAreas,
        );
  const opaque = await readOpaque(inputs, log);
  const split = splitOf(inputs, manifest);
  const bytes = buildSfi({
    segments,
    external,
    keyAreas,
    opaque,
    ...(optionWords === undefined ? {} : { optionWords }),
    key,
    nonce,
    imageVersion: inputs.imageVersion,
    protocolVersion,
    ...(split === undefined ? {} : { split }),
  });
  const pkg = parseSfi(bytes, inputs.out);
  throwFindings(pkg, rules);
  const register = inputs.register ?? registerFileOf(inputs.key);
  const use = { key, nonce, ivCount: pkg.areas.length + 1, image: pkg.digest };
  await registerNonceUse(register, use, inputs.out);
  await writeOutput(inputs.out, bytes);
  return { package: pkg, manifest, key, optionWords, segments, external, keyAreas };
}

/** All findings as one error: the first one itself when it is alone. @throws PACKAGE_STRUCTURE, PACKAGE_PROTOCOL */
export function throwFindings(pkg: SfiPackage, rules: SfiRules): void {
  const [first, ...more] = checkStructure(pkg, rules);
  if (first === undefined) return;
  if (more.length === 0) throw first;
  throw StationError.of("PACKAGE_STRUCTURE", {
    file: pkg.name,
    detail: [first, ...more]
      .map((finding) => String(finding.parameters["detail"] ?? finding.message))
      .join("; "),
  });
}

function refuseUnpublished(inputs: PackageInputs, device: string): void {
  if (inputs.hash) {
    throw StationError.of("FORMAT_NOT_PUBLIC", {
      what: `a package with a firmware hash (device ${device})`,
      detail: "where the hash stands in the file is published nowhere",
    });
  }
  if ((inputs.obKeys.length > 0 || inputs.ssfi !== undefined) && !inputs.allowAssumed) {
    throw StationError.of("FORMAT_NOT_PUBLIC", {
      what: "a package with OBKeys or an SSFI image",
      detail: "the letters of their areas (O, S) are assumed; --allow-assumed makes one for a virtual chip",
    });
  }
}

async function readOptionWords(inputs: PackageInputs, log: InputLog, manifest: DeviceManifest) {
  if (inputs.options === undefined) return undefined;
  const text = new TextDecoder().decode(await log.read("option bytes", inputs.options));
  const rows = manifest.sfi.csvRows.map(({ name }) => name);
  return parseOptionCsv(text, { source: inputs.options, rows });
}

async function readInternal(
  inputs: PackageInputs,
  log: InputLog,
  manifest: DeviceManifest,
  rules: SfiRules,
): Promise<Segment[]> {
  const images = await readImages(log, "firmware", inputs.firmware);
  checkPlaces(images, rules.flash, rules.device);
  return padSegments(joinSegments(images), {
    fillByte: inputs.fillByte,
    maximumGapBytes: inputs.mergeGapBytes,
    unitBytes: manifest.flash.wordBytes,
  });
}

async function readExternal(inputs: PackageInputs, log: InputLog): Promise<ExternalFirmware[]> {
  const firmware: ExternalFirmware[] = [];
  for (const { region, mode, keyAddress, ...file } of inputs.external) {
    const images = await readImages(log, "external firmware", [file]);
    checkPlaces(images, externalRanges, "external memory (0x7…, 0x9…)");
    firmware.push({ region, mode, keyAddress, segments: joinSegments(images) });
  }
  return firmware;
}

async function readOpaque(inputs: PackageInputs, log: InputLog): Promise<OpaquePart[]> {
  const parts: OpaquePart[] = [];
  const listed = inputs.modulesList === undefined ? [] : await readModulesList(log, inputs.modulesList);
  for (const { file, address } of [...inputs.modules, ...listed]) {
    const data = await log.read("module", file);
    parts.push({ type: "M", address: moduleAddress(data, address, file), data });
  }
  for (const file of inputs.obKeys) {
    const data = await log.read("OBKey", file);
    const { destination } = parseObKey(data, file);
    const name = publicKeyName(data);
    if (name !== undefined && !inputs.allowPublicKey) throw StationError.of("KEY_PUBLIC", { file, name });
    parts.push({ type: "O", address: destination, data });
  }
  if (inputs.ssfi !== undefined) {
    const data = await log.read("SSFI image", inputs.ssfi.file);
    parts.push({ type: "S", address: inputs.ssfi.address ?? 0, data });
  }
  return parts;
}

function splitOf(inputs: PackageInputs, manifest: DeviceManifest): SfiSplit | undefined {
  const { ramSizeBytes, tokenAddress } = inputs;
  if (ramSizeBytes === undefined && tokenAddress === undefined) return undefined;
  if (tokenAddress === undefined) {
    throw StationError.of("USAGE_INVALID", { detail: "--ram-size needs --token" });
  }
  return { ramSizeBytes: ramSizeBytes ?? manifest.sfi.ramSizeBytes, tokenAddress };
}
