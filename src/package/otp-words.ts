import { toWords } from "../bytes/bytes.ts";
import { StationError } from "../errors/station-error.ts";

/** A run of OTP words and what it is for. */
export interface OtpField {
  readonly name: string;
  /** First and last word. */
  readonly words: readonly [first: number, last: number];
  readonly text: string;
  /** In the secrets file of SSP, so that the editor can set it. */
  readonly secret: boolean;
}

const field = (name: string, first: number, last: number, text: string, secret = false): OtpField => ({
  name,
  words: [first, last],
  text,
  secret,
});

/** OTP words by device id (TF-A's fuse maps for MP15 and MP13; CubeProgrammer's OTP descriptions for MP2). */
export const otpMaps: Readonly<Record<number, readonly OtpField[]>> = {
  1280: [
    field("closed", 0, 0, "bit 6: device closed"),
    field("monotonic", 4, 4, "monotonic counter"),
    field("ssp", 8, 8, "bit 8: SSP requested, bit 9: SSP succeeded"),
    field("pkh", 24, 31, "hash of the OEM public key"),
    field("certificate", 40, 55, "ST's signature of the chip certificate"),
    field("rma", 56, 56, "RMA password: unlock 14:0, relock 29:15"),
    field("mac", 57, 58, "MAC address"),
    field("customer", 59, 95, "OEM secrets", true),
  ],
  1281: [
    field("closed", 0, 0, "bits 5:0: device closed"),
    field("monotonic", 4, 4, "monotonic counter"),
    field("ssp", 9, 9, "bit 5: SSP requested, bit 6: SSP succeeded"),
    field("pkhth", 24, 31, "hash of the table of OEM public keys"),
    field("certificate", 40, 55, "ST's signature of the chip certificate"),
    field("rma", 56, 56, "RMA password"),
    field("mac", 57, 58, "MAC address"),
    field("customer", 59, 91, "OEM secrets", true),
    field("edmk", 92, 95, "encryption/decryption master key", true),
  ],
  1283: [
    field("certificate", 128, 151, "ST's signature of the chip certificate"),
    field("oem-key1", 152, 159, "hash of OEM key 1"),
    field("oem-key2", 160, 167, "hash of OEM key 2"),
    field("rma", 256, 259, "RMA password, 128 bits"),
    field("secrets", 260, 347, "OEM secrets"),
    field("edmk2", 348, 355, "encryption/decryption master key of key 2"),
    field("edmk1", 356, 363, "encryption/decryption master key of key 1"),
  ],
  1285: [
    field("rom-config", 10, 10, "boot ROM configuration, security counter, ST public-key id"),
    field("close", 18, 18, "secure boot, provisioning done, debug lock, RSSe attempts"),
    field("rsse-version", 21, 21, "RSSe monotonic version"),
    field("certificate", 128, 143, "ST's signature of the chip certificate"),
    field("oem-key1", 144, 151, "hash of OEM key 1"),
    field("oem-key2", 152, 159, "hash of OEM key 2"),
    field("customer", 176, 250, "OEM words"),
    field("mac", 251, 254, "MAC addresses"),
    field("rma", 256, 259, "RMA password, 128 bits"),
    field("secrets", 260, 359, "OEM secrets"),
    field("edmk2", 360, 363, "encryption/decryption master key of key 2"),
    field("edmk1", 364, 367, "encryption/decryption master key of key 1"),
  ],
};

/** The first OTP word of an SSP secrets file: OTP 59 (AN5054 14.3.1). */
export const firstSecretWord = 59;
export const lastSecretWord = 95;

/**
 * Writes bytes into a secrets file at OTP words.
 * @param secrets 148 bytes; not changed
 * @param where a field's name, `otpN` or `otpN..M`
 * @param bytes as they go into the file (each word little-endian); must fill the words exactly, or be shorter: then
 *   padded with zeros
 * @returns the new file
 * @throws USAGE_INVALID when the words do not exist or the bytes do not fit
 */
export function setSecretWords(
  secrets: Uint8Array,
  deviceId: number,
  where: string,
  bytes: Uint8Array,
): Uint8Array {
  const [first, last] = wordsOf(deviceId, where);
  const roomBytes = 4 * (last - first + 1);
  if (bytes.length === 0 || bytes.length > roomBytes) {
    throw StationError.of("USAGE_INVALID", {
      detail: `${where} holds ${roomBytes} bytes; ${bytes.length} were given`,
    });
  }
  const changed = secrets.slice();
  const offset = 4 * (first - firstSecretWord);
  changed.fill(0, offset, offset + roomBytes);
  changed.set(bytes, offset);
  return changed;
}

/** One word of a secrets file, for a listing. */
export interface SecretWord {
  readonly word: number;
  readonly field: string;
  readonly value: number;
  /** False for a zero word: the boot code skips it and does not lock it. */
  readonly written: boolean;
}

/** Every word of a secrets file with the field it belongs to. @param secrets 148 bytes */
export function listSecretWords(secrets: Uint8Array, deviceId: number): SecretWord[] {
  return toWords(secrets.slice()).map((value, i) => {
    const word = firstSecretWord + i;
    const found = otpMaps[deviceId]?.find(({ words: [first, last] }) => word >= first && word <= last);
    return { word, field: found?.name ?? "", value, written: value !== 0 };
  });
}

function wordsOf(deviceId: number, where: string): readonly [number, number] {
  const named = otpMaps[deviceId]?.find(({ name, secret }) => secret && name === where);
  if (named !== undefined) return named.words;
  const match = /^otp(\d{1,3})(?:\.\.(\d{1,3}))?$/.exec(where);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first < firstSecretWord || last > lastSecretWord || last < first) {
    const names = (otpMaps[deviceId] ?? []).filter(({ secret }) => secret).map(({ name }) => name);
    throw StationError.of("USAGE_INVALID", {
      detail: `${where} names no words of a secrets file: ${names.join(", ")}, otp${firstSecretWord}..${lastSecretWord}`,
    });
  }
  return [first, last];
}
