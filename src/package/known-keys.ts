import { sha256Hex } from "../bytes/digest.ts";

/**
 * Keys, passwords and files that everybody has, by the SHA-256 of their bytes (or its first digits, where only those
 * are published): from STMicroelectronics/STM32CubeH5 and STM32CubeH7RS, ROT_Provisioning. A part that is provisioned
 * with one of them can be opened by anybody.
 */
const published: readonly (readonly [digest: string, name: string])[] = [
  ["cc05b01317775c86", "root key of ST's debug-authentication example"],
  ["03bdbb039407d5fa", "intermediate key of ST's debug-authentication example"],
  ["f540ef4867fd5f7b", "leaf key of ST's debug-authentication example"],
  ["32bef4c3fa2430a4", "authentication key (secure) of ST's OEMiRoT example"],
  ["b17c1b18a0d8a866", "authentication key (non-secure) of ST's OEMiRoT example"],
  ["05c9fcbb04cfd7b5", "encryption key of ST's OEMiRoT example"],
  [
    "184aa46d813411727da0dc9e64186bb9907289b5aab4b320d26fff5ea45d8e3d",
    'ST\'s example password "0123456789012345"',
  ],
  ["fff3a9bcdd37363d703c1c4f9512533686157868f0d4f16a0f02d0f1da24f9a2", "ST's example password for STM32H503"],
  ["774e73f4c0ec7f96", "password file of ST's examples"],
  ["72d78f18f82fd460", "DA_Config.obk of ST's STM32H5 examples"],
  ["2cafcf533300aebe", "DA_Config.obk of ST's STM32H563 examples"],
  ["30770a7e4a9b1627", "DA_Config.obk of ST's STM32H7RS examples"],
  ["6a7cb696a0516049", "OEMiRoT_Config.obk of ST's STM32H5 examples"],
  ["8e2c4952b9e1d561", "DA_ConfigWithPassword.obk of ST's STM32H5 examples"],
  ["f4d40b1b669a635e", "DA_ConfigWithPassword.obk of ST's STM32H563 examples"],
  ["257184728584747f", "DA_ConfigWithPassword.obk of ST's STM32H7RS examples"],
];

/**
 * What a key, password, public key (X then Y) or file is known as.
 * @returns undefined when its SHA-256 is in no published list
 */
export function publicKeyName(bytes: Uint8Array): string | undefined {
  return publicDigestName(sha256Hex(bytes));
}

/** The same for a SHA-256 that stands in a file instead of the key. @param digest 64 hexadecimal digits */
export function publicDigestName(digest: string): string | undefined {
  return published.find(([known]) => digest.startsWith(known))?.[1];
}
