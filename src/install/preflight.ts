import { hex32, hexNumber } from "../bytes/hex.ts";
import { isStationError, StationError } from "../errors/station-error.ts";
import { checkLicense } from "../license/broker.ts";
import { parseCertificate } from "../package/certificate.ts";
import { checkStructure } from "../package/sfi-verify.ts";
import { firstNotBlank } from "../target/flash.ts";
import { flashRanges } from "../target/flash-layout.ts";
import type { OptionBytes } from "../target/option-bytes.ts";
import { readSecurityState } from "../target/security.ts";
import { expectedOptionBytes } from "./expectation.ts";
import { packageRules } from "./package-rules.ts";
import { endFindings, preconditionFindings, rsseFindings, versionFindings } from "./preflight-family.ts";
import { type InstallSession, need } from "./session.ts";

/**
 * What speaks against the job on this device, before anything is asked of the chip but its identity: the package, the
 * option bytes it will set, the RSSe binary, the versions in the part.
 */
export function packageFindings(session: InstallSession): StationError[] {
  const { job } = session;
  const { identity } = need(session.found, "the chip");
  const findings = checkStructure(job.package, packageRules(identity.manifest, identity));
  if (job.expectation !== undefined) {
    try {
      expectedOptionBytes(job.expectation, identity.manifest);
    } catch (error) {
      if (!(error instanceof StationError)) throw error;
      findings.push(error);
      return findings;
    }
  }
  const { real } = need(session.probe, "the probe").identity;
  return [
    ...findings,
    ...endFindings(job, identity.manifest),
    ...rsseFindings(job.rsse, identity.manifest, real),
    ...versionFindings(identity),
  ];
}

/**
 * What speaks against the chip as it is: security extension, RDP, pending install, protections, flash content.
 * All of it is read; the slowest check (a blank flash) comes last and only when the others passed.
 */
export async function chipFindings(
  session: InstallSession,
  optionBytes: OptionBytes,
): Promise<StationError[]> {
  const { debug, identity } = need(session.found, "the chip");
  const { manifest, variant } = identity;
  const { preconditions } = manifest.sfi;
  if (preconditions.facets.security === true && !variant.facets.security) {
    return [StationError.of("DEVICE_NO_SECURITY", { device: `${manifest.device.name} (${variant.name})` })];
  }
  const security = readSecurityState(manifest, variant, optionBytes);
  const findings: StationError[] = preconditionFindings(identity, optionBytes);
  if (security.rdpLevel !== preconditions.rdpLevel) {
    return [StationError.of("READOUT_PROTECTED", { level: security.rdpName })];
  }
  if (security.sfiPending) {
    findings.push(
      StationError.of("SFI_PENDING", { detail: `${manifest.protections.sfiPendingField} is set` }),
    );
  }
  const active = [
    ...(preconditions.noPcropArea ? security.pcropAreas : []),
    ...(preconditions.noSecureArea ? security.secureAreas : []),
    ...(preconditions.noWriteProtection ? security.writeProtected : []),
  ];
  findings.push(
    ...active.map(({ name, address, sizeBytes }) =>
      StationError.of("PROTECTION_ACTIVE", {
        protection: name,
        range: `${hex32(address)}..${hex32(address + sizeBytes - 1)}`,
      }),
    ),
  );
  if (findings.length > 0 || !preconditions.blankFlash) return findings;
  const ranges = flashRanges(manifest, variant, identity.flashSizeBytes);
  const address = await firstNotBlank(debug.memory(), manifest, ranges);
  return address === undefined ? [] : [StationError.of("FLASH_NOT_BLANK", { address: hex32(address) })];
}

/** What speaks against the certificate the chip gave. */
export function certificateFindings(certificate: Uint8Array, session: InstallSession): StationError[] {
  const { identity } = need(session.found, "the chip");
  const { productIds } = identity.manifest.sfi;
  const { productId } = parseCertificate(certificate, "the chip's certificate");
  const device = hexNumber(identity.deviceId, 3).slice(2);
  if (productIds.length === 0 ? productId.startsWith(device) : productIds.includes(productId)) return [];
  return [
    StationError.of("DEVICE_WRONG", {
      actual: `product ${productId}`,
      expected: `product ${productIds.join(" or ") || `${device}…`} of device ${hexNumber(identity.deviceId, 3)}`,
    }),
  ];
}

/** What speaks against the license, its source and its store, before anything is changed for it. */
export async function licenseFindings(
  certificate: Uint8Array,
  session: InstallSession,
): Promise<StationError[]> {
  const { licenseSource: source, licenseStore: store } = session.ports;
  const request = { certificate, packageDigest: session.job.package.digest };
  try {
    await checkLicense({ request, source, store, real: need(session.probe, "the probe").identity.real });
    return [];
  } catch (error) {
    if (!isStationError(error) || error.exit !== 6) throw error;
    return [error];
  }
}
