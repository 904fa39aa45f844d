import { asciiText, equalBytes } from "../bytes/bytes.ts";
import { certificateSizeBytes } from "./certificate.ts";
import { licenseSizeBytes } from "./license.ts";
import { obkHeaderSizeBytes } from "./obk.ts";
import { sfiMagic } from "./sfi-layout.ts";
import { isSmi } from "./smi.ts";
import { isSsp } from "./ssp.ts";
import { isStm32Image } from "./stm32-image.ts";

/** Every kind of file that can be shown. */
export const fileFormats = [
  "sfi",
  "ssp",
  "stm32",
  "smi",
  "certificate",
  "license",
  "da-certificate",
  "da-password",
  "obk",
] as const;
export type FileFormat = (typeof fileFormats)[number];

/**
 * What a file is, by its first bytes and its length. A file that begins like a format but is damaged is of that
 * format; its reader then says what is wrong.
 * @returns undefined when it looks like none of them
 */
export function recognizeFile(bytes: Uint8Array): FileFormat | undefined {
  return tests.find(([, fits]) => fits(bytes))?.[0];
}

/** In this order: the formats with a magic first, those that only their lengths tell last. */
const tests: readonly (readonly [FileFormat, (bytes: Uint8Array) => boolean])[] = [
  [
    "sfi",
    (bytes) => bytes.length >= 4 && equalBytes(bytes.subarray(0, 8), sfiMagic.subarray(0, bytes.length)),
  ],
  ["ssp", isSsp],
  ["stm32", isStm32Image],
  ["smi", isSmi],
  [
    "certificate",
    (bytes) => bytes.length === certificateSizeBytes && /^[0-9A-F]{8}$/.test(beginning(bytes, 8)),
  ],
  ["license", (bytes) => bytes.length === licenseSizeBytes],
  ["da-password", (bytes) => bytes.length >= 8 && beginning(bytes, 4) === "\0\0\0\x80"],
  [
    "da-certificate",
    (bytes) => bytes.length >= 280 && /^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(beginning(bytes, 4096)),
  ],
  [
    "obk",
    (bytes) =>
      bytes.length > obkHeaderSizeBytes && (bytes[8] ?? 2) <= 1 && beginning(bytes, 12).endsWith("\0\0\0"),
  ],
];

function beginning(bytes: Uint8Array, count: number): string {
  return asciiText(bytes.subarray(0, count));
}
