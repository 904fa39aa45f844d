import { sha256Hex } from "../bytes/digest.ts";
import { asStationError, isStationError, StationError } from "../errors/station-error.ts";
import { certificateSizeBytes } from "../package/certificate.ts";
import type { LicenseRequest, LicenseSource, LicenseSourceState, LicenseStore } from "../ports/index.ts";
import { contradicts, isGiven } from "./file-source.ts";
import { checkUsable } from "./usable.ts";

/** What the broker is about to do or has done; for the journal. Never holds license bytes, only their digest. */
export type LicenseEvent =
  /** A license is about to be asked for; for a counted source this is the point of no return. */
  | { readonly kind: "intent"; readonly source: string; readonly counted: boolean; readonly key: string }
  /** The source gave one and it is on stable storage. */
  | {
      readonly kind: "stored";
      readonly source: string;
      readonly counted: boolean;
      readonly key: string;
      readonly digest: string;
    }
  /** An earlier license for the same chip and package is used; nothing was asked for. */
  | { readonly kind: "reused"; readonly key: string; readonly digest: string };

/** One request for a license. */
export interface ObtainLicenseOptions {
  readonly request: LicenseRequest;
  readonly source: LicenseSource;
  readonly store: LicenseStore;
  /** True when the chip is silicon: development licenses are refused; false: genuine ones are. */
  readonly real: boolean;
  /** Called in order; awaited, so that an intent is durable before a license is spent. */
  readonly onEvent: (event: LicenseEvent) => void | Promise<void>;
}

/** A license that is safely stored and may be used. */
export interface ObtainedLicense {
  /** 136 bytes. */
  readonly license: Uint8Array;
  readonly origin: "store" | "issued";
  /** True when this call cost one license of a limited number. */
  readonly spent: boolean;
}

/**
 * Name under which the license for a chip and firmware is kept: 64 hexadecimal digits, SHA-256 over the whole
 * certificate and the package's digest; where the source names its firmware, over the protocol, that name and the
 * certificate instead. Only the static protocol exists here: a license of the live one is for one session and is never
 * kept (AN5054 4.3).
 * @throws RangeError when the certificate has not 136 bytes or the digest not 64 digits
 */
export function licenseStoreKey({ certificate, packageDigest, firmwareId }: LicenseRequest): string {
  if (certificate.length !== certificateSizeBytes || !/^[0-9a-f]{64}$/.test(packageDigest)) {
    throw new RangeError("a license is asked for with a whole certificate and the SHA-256 of a package");
  }
  if (firmwareId === undefined) return sha256Hex(certificate, packageDigest);
  return sha256Hex(`sfi license\0static\0${firmwareId}\0`, certificate);
}

/**
 * The request with the firmware that the source names. One that the operator demanded must be it.
 * @throws HSM_FIRMWARE_ID_WRONG
 */
export function requestFor(
  source: LicenseSource,
  request: LicenseRequest,
  state: LicenseSourceState | undefined,
): LicenseRequest {
  const actual = state?.firmwareId;
  const expected = request.firmwareId;
  if (actual === undefined) return request;
  if (expected !== undefined && expected !== actual) {
    throw StationError.of("HSM_FIRMWARE_ID_WRONG", { source: source.name, actual, expected });
  }
  return { ...request, firmwareId: actual };
}

/**
 * Everything about the license that can be told to fail before one is asked for: the source, the store, a license the
 * operator brought, and one that is stored already.
 * @returns the stored license, or undefined when one has to be asked for
 * @throws LICENSE_MISMATCH when the operator brought a license and another one is stored for this chip and package
 * @throws LICENSE_DEVELOPMENT, LICENSE_GENUINE_ON_VIRTUAL, LICENSE_LENGTH when the license is none for this chip
 * @throws LICENSE_STORE_FAILED, LICENSE_STORE_DAMAGED from the store, and whatever the source throws
 */
export async function checkLicense(
  options: Omit<ObtainLicenseOptions, "onEvent">,
): Promise<Uint8Array | undefined> {
  return (await findLicense(options)).stored;
}

/** A chip that has its license needs no source: with the firmware named, one that cannot be reached is not asked. */
async function identified({ request, source, store }: Omit<ObtainLicenseOptions, "onEvent">) {
  const named = request.firmwareId !== undefined;
  if (named && (await store.load(licenseStoreKey(request))) !== undefined) return request;
  try {
    return requestFor(source, request, await source.inspect?.());
  } catch (error) {
    const firmwareId = await store.firmwareOf?.(request);
    if (firmwareId === undefined || isStationError(error, "HSM_FIRMWARE_ID_WRONG")) throw error;
    return { ...request, firmwareId };
  }
}

async function findLicense(options: Omit<ObtainLicenseOptions, "onEvent">) {
  const { source, store, real } = options;
  const request = await identified(options);
  const key = licenseStoreKey(request);
  if (isGiven(source)) checkUsable(source.given, source.name, real);
  const stored = await store.load(key);
  if (stored === undefined) {
    await source.check(real);
    await store.checkWritable();
    return { key, request, stored: undefined };
  }
  checkUsable(stored, `store:${key}`, real);
  if (contradicts(source, stored)) {
    const detail = `another license is stored for this chip and package (${key}); it is not replaced`;
    throw StationError.of("LICENSE_MISMATCH", { source: source.name, detail });
  }
  return { key, request, stored };
}

/**
 * Gets the license for a chip and package: the stored one if there is one, else one from the source, which is on stable
 * storage before it is returned. So no chip's license is bought twice, and none is lost by an interruption.
 *
 * @throws what checkLicense throws; other errors of the source as LICENSE_SOURCE_FAILED. After a counted source has
 *   issued, every error says `licenseSpent`.
 */
export async function obtainLicense(options: ObtainLicenseOptions): Promise<ObtainedLicense> {
  const { source, store, real, onEvent } = options;
  const { key, request, stored } = await findLicense(options);
  if (stored !== undefined) {
    await onEvent({ kind: "reused", key, digest: sha256Hex(stored) });
    return { license: stored, origin: "store", spent: false };
  }
  await onEvent({ kind: "intent", source: source.name, counted: source.counted, key });
  const license = await issue(source, request);
  try {
    checkUsable(license, source.name, real);
    // Stored before anything else can fail, the journal included: it may have cost money.
    await store.save(key, license);
    const digest = sha256Hex(license);
    await onEvent({ kind: "stored", source: source.name, counted: source.counted, key, digest });
  } catch (error) {
    throw asStationError(error).in({ licenseSpent: source.counted });
  }
  return { license, origin: "issued", spent: source.counted };
}

async function issue(source: LicenseSource, request: LicenseRequest): Promise<Uint8Array> {
  try {
    return await source.issue(request);
  } catch (error) {
    if (isStationError(error)) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    throw StationError.of("LICENSE_SOURCE_FAILED", { source: source.name, detail }, { cause: error });
  }
}
