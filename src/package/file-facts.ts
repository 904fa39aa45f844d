import { asciiText } from "../bytes/bytes.ts";
import { sha256Hex } from "../bytes/digest.ts";
import { hex32, hexNumber, toHex } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import { parseCertificate } from "./certificate.ts";
import { chainFindings, chainPermissions, parseDaChain } from "./da-certificate.ts";
import { decodeDebugAuthentication, parsePasswordFile } from "./da-objects.ts";
import { permissionNames } from "./da-permissions.ts";
import { publicDigestName, publicKeyName } from "./known-keys.ts";
import { parseLicense } from "./license.ts";
import { describeDestination, parseObKey } from "./obk.ts";
import { type FileFormat, recognizeFile } from "./recognize.ts";
import { parseSmi } from "./smi.ts";
import { parseSsp, sspDevices } from "./ssp.ts";
import { binaryTypeName, parseStm32Image } from "./stm32-image.ts";

/** One line of a table: what, and its value. */
export type Fact = readonly [name: string, value: string | number | boolean];

/** A file as people read it. */
export interface FileFacts {
  readonly format: Exclude<FileFormat, "sfi">;
  readonly facts: readonly Fact[];
}

/**
 * The table of any known file but an SFI package (which has a table of its own). Secrets are never in it.
 * @param source file name for messages
 * @throws INPUT_INVALID, CERTIFICATE_INVALID, LICENSE_LENGTH when the file is damaged or is none of the formats
 */
export function factsOf(bytes: Uint8Array, source: string): FileFacts {
  const format = recognizeFile(bytes);
  if (format === undefined || format === "sfi") {
    throw StationError.of("INPUT_INVALID", {
      file: source,
      format: "secure package, key object, certificate or license",
      position: "offset 0",
      detail: "it begins like none of them",
    });
  }
  const published = publicKeyName(bytes);
  const common: Fact[] = [
    ["size in bytes", bytes.length],
    ["sha256", sha256Hex(bytes)],
    ...(published === undefined ? [] : ([["PUBLISHED", published]] as const)),
  ];
  return { format, facts: [...common, ...readers[format](bytes, source)] };
}

const readers: Record<Exclude<FileFormat, "sfi">, (bytes: Uint8Array, source: string) => Fact[]> = {
  ssp: (bytes, source) => {
    const { device, oemKey, secretSizeBytes, tag } = parseSsp(bytes, source);
    return [
      ["device", sspDevices[device].name],
      [device === "mp15" ? "OEM public key" : "OEM key table hash", toHex(oemKey)],
      ["secrets in bytes", secretSizeBytes],
      ["tag", toHex(tag)],
    ];
  },
  stm32: (bytes, source) => {
    const image = parseStm32Image(bytes, source);
    return [
      ["header version", image.headerVersion],
      ["binary type", `${hexNumber(image.binaryType, 2)} ${binaryTypeName(image.binaryType)}`],
      ["image version", image.imageVersion],
      ["payload in bytes", image.sizeBytes],
      ["load address", hex32(image.loadAddress)],
      ["entry point", hex32(image.entryPoint)],
      ["signed", image.signed],
      ["encrypted", image.encrypted],
      ["checksum right", image.checksumRight],
    ];
  },
  smi: (bytes, source) => {
    const { address, sizeBytes } = parseSmi(bytes, source);
    return [
      ["address", hex32(address)],
      ["content in bytes", sizeBytes],
    ];
  },
  certificate: (bytes, source) => {
    const { productId, deviceIdText, publicKey } = parseCertificate(bytes, source);
    return [
      ["product id", productId],
      ["device id", `0x${deviceIdText}`],
      ["public key", toHex(publicKey)],
    ];
  },
  license: (bytes, source) => {
    const { type, sessionId, protocolVersion, minimumVersion, development } = parseLicense(bytes, source);
    return [
      ["type", type],
      ["session id", sessionId],
      ["version", protocolVersion],
      ["minimum version", hexNumber(minimumVersion)],
      ["development", development],
    ];
  },
  "da-certificate": (bytes, source) => {
    const chain = parseDaChain(asciiText(bytes), source);
    const findings = chainFindings(chain);
    return [
      ...chain.flatMap(({ role, permissions, publicKey, socClass }, i): Fact[] => {
        const published = publicKeyName(publicKey);
        return [
          [`certificate ${i + 1}`, `${role}, SoC class ${socClass === 0 ? "any" : hex32(socClass)}`],
          [`  permissions`, permissionNames(permissions).join(" ") || "none"],
          [`  key hash`, sha256Hex(publicKey)],
          ...(published === undefined ? [] : ([["  PUBLISHED", published]] as const)),
        ];
      }),
      ["granted by all", permissionNames(chainPermissions(chain)).join(" ") || "none"],
      ["signatures", findings.length === 0 ? "all right" : findings.join("; ")],
    ];
  },
  "da-password": (bytes, source) => {
    const password = parsePasswordFile(bytes, source);
    const published = publicKeyName(password);
    return [
      ["password in bytes", password.length],
      ...(published === undefined ? [] : ([["PUBLISHED", published]] as const)),
    ];
  },
  obk: (bytes, source) => {
    const key = parseObKey(bytes, source);
    const { family, text } = describeDestination(key.destination);
    const debug = decodeDebugAuthentication(key);
    const published = debug === undefined ? undefined : publicDigestName(toHex(debug.secretHash));
    return [
      ["destination", `${hex32(key.destination)} ${family ?? "?"} ${text}`],
      ["payload in bytes", key.payload.length],
      ["stored encrypted", key.encrypted],
      ["payload begins with its SHA-256", key.hashed],
      ...(debug === undefined
        ? []
        : ([
            ["debug authentication", debug.method ?? "by certificate or password: TZEN of the part decides"],
            ["key or password hash", toHex(debug.secretHash)],
            ["permissions", permissionNames(debug.permissions).join(" ") || "none"],
          ] as const)),
      ...(published === undefined ? [] : ([["PUBLISHED", published]] as const)),
    ];
  },
};
