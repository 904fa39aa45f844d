import { readdir } from "node:fs/promises";
import { StationError } from "../errors/station-error.ts";
import { parseCertificate } from "../package/certificate.ts";
import { systemDetail } from "./files.ts";

/** Devices whose product ids are printed in ST's documents (AN5054 4.3.4, 4.3.5 and the RSSe packages). */
const knownProducts: Readonly<Record<string, { readonly device: string; readonly version1: boolean }>> = {
  "45002001": { device: "STM32H74x/H75x", version1: true },
  "45403017": { device: "STM32U375/U385", version1: false },
  "46201002": { device: "STM32L45x/L46x", version1: true },
  "47201003": { device: "STM32L5", version1: true },
  "49202013": { device: "STM32WBA5", version1: false },
  "49701005": { device: "STM32WL5x", version1: true },
};

/** Which personalization file a card for this chip needs. */
export interface PersonalizationSuggestion {
  readonly productId: string;
  /** Device, when its product id is a published one. */
  readonly device: string | null;
  readonly flow: string;
  /** Name to look for; `*` stands for license and security version. */
  readonly pattern: string;
  /** Matching files of --packages. */
  readonly files: readonly string[];
  readonly text: string;
}

/**
 * From a chip's certificate to the personalization file of its cards: the file's name begins with the product id that
 * the certificate begins with (AN5054 4.3.4: ProductID_FlowType_LicenseVersion_SecurityVersion.enc.bin).
 * @throws CERTIFICATE_INVALID, FILE_UNREADABLE, USAGE_INVALID
 */
export async function suggestPersonalization(
  certificate: Uint8Array,
  source: string,
  { flow, packages }: { readonly flow: string; readonly packages: string | undefined },
): Promise<PersonalizationSuggestion> {
  if (!/^[A-Za-z]{3,4}$/.test(flow)) {
    throw StationError.of("USAGE_INVALID", { detail: `--flow ${flow} is none of SFI, SFIA, SSP, SMU` });
  }
  const { productId } = parseCertificate(certificate, source);
  // The flow's field has four characters; a short one is filled with a dot: 47201003_SFI._01000000_00000000.enc.bin.
  const field = flow.toUpperCase().padEnd(4, ".");
  const pattern = `${productId}_${field}_*.enc.bin`;
  const files = packages === undefined ? [] : await matching(packages, `${productId}_${field}_`);
  const known = knownProducts[productId];
  const text = [
    `product id   ${productId}${known === undefined ? "" : ` (${known.device})`}`,
    `file         ${pattern} in ST's folder PersoPackages`,
    ...files.map((file) => `found        ${file}`),
    ...(packages !== undefined && files.length === 0
      ? [`nothing in ${packages} matches; update ST's tools`]
      : []),
    known?.version1 === true
      ? "note         an STM32HSM-V1 card needs none for this device; a V2 card does"
      : "note         needs an STM32HSM-V2 card",
  ].join("\n");
  return { productId, device: known?.device ?? null, flow: flow.toUpperCase(), pattern, files, text };
}

/** Names may begin with the device, as in STM32WBA5_49202013_SFIA_01000000_00000000.enc.bin. */
async function matching(folder: string, part: string): Promise<string[]> {
  try {
    const names = await readdir(folder, { recursive: true });
    return names.filter((name) => name.includes(part) && name.endsWith(".enc.bin")).sort();
  } catch (error) {
    throw StationError.of("FILE_UNREADABLE", { file: folder, detail: systemDetail(error) }, { cause: error });
  }
}
