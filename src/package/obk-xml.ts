import { asciiBytes, asciiText, concatBytes, equalBytes } from "../bytes/bytes.ts";
import { sha256 } from "../bytes/digest.ts";
import { alignUp, parseNumber } from "../bytes/numbers.ts";
import { StationError } from "../errors/station-error.ts";
import { encodePermissions, parsePermissions } from "./da-permissions.ts";
import { encodeObKey, obkHashSizeBytes, zeroPadded } from "./obk.ts";
import { keyOfPem, privateKeyDer, privateKeyOfPem, publicKeyDer } from "./pem-keys.ts";
import { childText, parseXml, type XmlElement } from "./xml.ts";

/** A description that waits for the files it names. */
export interface ObkDescription {
  /** As they stand in the XML; relative to it. */
  readonly fileNames: readonly string[];
  /**
   * @param files content by name
   * @param check called with every key, password and file content; throws for those that may not be used
   */
  readonly build: (
    files: ReadonlyMap<string, Uint8Array>,
    check: (bytes: Uint8Array, name: string) => void,
  ) => Uint8Array;
}

/** Widest integer element, in bytes. */
const widestBytes = 4096;

/**
 * Reads an OBKey description of STM32TrustedPackageCreator (`-obk file.xml`). Its elements are emitted in the order in
 * which they stand (ROT_Provisioning of STM32CubeH5 and STM32CubeH7RS; ST's files rebuilt byte for byte).
 * @throws INPUT_INVALID with the line
 */
export function objectFromXml(text: string, source: string): ObkDescription {
  const root = parseXml(text, source);
  const invalid = (element: XmlElement, detail: string) =>
    StationError.of("INPUT_INVALID", {
      file: source,
      format: "OBKey description",
      position: `line ${element.line}`,
      detail,
    });
  if (root.name !== "Obdata") throw invalid(root, `the root element is ${root.name} instead of Obdata`);
  const info = root.children.find(({ name }) => name === "Info");
  if (info === undefined) throw invalid(root, "Info is missing");
  const numberOf = (element: XmlElement, child: string, fallback?: number): number => {
    const given = childText(element, child);
    const value = given === undefined ? fallback : parseNumber(given);
    if (value === undefined || value > 0xffffffff) throw invalid(element, `${child} is no number`);
    return value;
  };
  const elements = root.children.filter((element) => element !== info);
  const fileNames = elements
    .filter(({ name }) => name === "File")
    .map((element) => childText(element, "Value") ?? "");

  const build: ObkDescription["build"] = (files, check) => {
    const alignBytes = Math.max(1, numberOf(info, "GlobalAlign", 1));
    if (alignBytes > widestBytes) throw invalid(info, "GlobalAlign is too large");
    let hashed = false;
    let debug = false;
    const pieces = elements.flatMap((element): Uint8Array[] => {
      if (element.name === "Hash") {
        hashed = true;
        return [];
      }
      if (element.name === "DA") {
        debug = true;
        return [];
      }
      const piece = emit(element, debug, files, check);
      const align = Math.max(1, numberOf(element, "Align", 1));
      if (align > widestBytes) throw invalid(element, "Align is too large");
      return [zeroPadded(piece, alignUp(piece.length, align))];
    });
    const body = concatBytes(...pieces);
    const hashBytes = hashed ? obkHashSizeBytes : 0;
    const wholeBytes = alignUp(hashBytes + body.length + (debug ? 16 : 0), alignBytes);
    const padded = zeroPadded(body, wholeBytes - hashBytes);
    const payload = hashed ? concatBytes(sha256(padded), padded) : padded;
    if (payload.length === 0) throw invalid(root, "it describes no bytes");
    // Without a destination the result is a bare binary without the 12-byte header.
    if (childText(info, "ObDestAddress") === undefined) return payload;
    const encrypted = numberOf(info, "DoEncryption", 1) !== 0;
    return encodeObKey({ destination: numberOf(info, "ObDestAddress"), encrypted, payload });
  };

  const emit = (
    element: XmlElement,
    debug: boolean,
    files: ReadonlyMap<string, Uint8Array>,
    check: (bytes: Uint8Array, name: string) => void,
  ): Uint8Array => {
    const value = childText(element, "Value") ?? "";
    switch (element.name) {
      case "File":
        return emitFile(element, debug, files.get(value) ?? new Uint8Array(0), value, check);
      case "Text": {
        if (!/^[\x20-\x7e]*$/.test(value)) throw invalid(element, "the text is not ASCII");
        const password = asciiBytes(value);
        check(password, source);
        return debug ? sha256(password) : password;
      }
      case "Permission": {
        const mask = parsePermissions(value);
        if (mask === undefined) throw invalid(element, "the permission is no mask");
        return debug
          ? encodePermissions(mask)
          : encodePermissions(mask).subarray(0, numberOf(element, "Width", 4));
      }
      case "Data":
      case "Bool":
      case "List": {
        const width = numberOf(element, "Width", 4);
        if (width > widestBytes) throw invalid(element, "Width is too large");
        return littleEndian(numberOf(element, "Value"), width);
      }
      default:
        throw invalid(element, `${element.name} is not known`);
    }
  };

  const emitFile = (
    element: XmlElement,
    debug: boolean,
    content: Uint8Array,
    name: string,
    check: (bytes: Uint8Array, name: string) => void,
  ): Uint8Array => {
    const type = childText(element, "Type") ?? "";
    if (!equalBytes(content.subarray(0, 11), asciiBytes("-----BEGIN "))) {
      if (type === "Public") throw invalid(element, `${name} is no PEM key`);
      check(content, name);
      return content;
    }
    const pem = asciiText(content);
    if (debug || type === "Public") {
      const { publicKey } = keyOfPem(pem, name);
      check(publicKey, name);
      return debug ? sha256(publicKey) : publicKeyDer(publicKey);
    }
    const { privateKey } = privateKeyOfPem(pem, name);
    check(privateKey, name);
    return privateKeyDer(privateKey);
  };

  return { fileNames, build };
}

function littleEndian(value: number, width: number): Uint8Array {
  return Uint8Array.from({ length: width }, (_, i) => (i < 6 ? Math.floor(value / 2 ** (8 * i)) & 0xff : 0));
}
