import { sha256Hex } from "../bytes/digest.ts";
import { asStationError, isStationError, StationError } from "../errors/station-error.ts";
import type { LicenseSource } from "../ports/index.ts";
import type { LicenseBroker } from "./license-broker.ts";
import { parseMultipart } from "./multipart.ts";

/** What reaches the service, after TLS has said who asks. */
export interface ServiceRequest {
  readonly method: string;
  /** Path without the query. */
  readonly path: string;
  readonly contentType: string;
  readonly body: Uint8Array;
  /** Common name of the client's certificate. */
  readonly client: string;
}

export interface ServiceAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
}

export interface ServiceOptions {
  readonly broker: LicenseBroker;
  readonly source: LicenseSource;
  /** Development licenses: clients with silicon are told before they ask. */
  readonly development: boolean;
  /** Licenses each client may have in all; undefined lets every client of the authority have any number. */
  readonly quotas: ReadonlyMap<string, number> | undefined;
  /** Told of every request, for the log: who, what, what came of it. Never license bytes. */
  readonly onRequest: (line: Readonly<Record<string, unknown>>) => void;
}

/** Statuses of errors that are not the service's own trouble; every other error is a 503. */
const statuses: Readonly<Record<string, number>> = {
  CERTIFICATE_INVALID: 400,
  USAGE_INVALID: 400,
  HSM_FIRMWARE_ID_WRONG: 409,
  LICENSE_QUOTA: 403,
  LICENSE_CLIENT_UNKNOWN: 403,
  LICENSE_SUSPECT: 409,
  LICENSE_BURNED: 409,
  LICENSE_RESERVED: 409,
};

/**
 * Answers one request.
 * - POST /v1/licenses {certificate: base64, packageDigest?, firmwareId?, jobId?}: {license: base64, issued, key}
 * - GET /v1/source: what the source says of itself
 * - POST /fw/sfi/<firmware id>/get/license: the form of ST's old example scripts (Examples/SFI/SFI_LicenseServer.bat):
 *   multipart with `dev_certificate_file`; the answer's body is the license
 * The same certificate gets the same license however often it is sent.
 */
export async function answerRequest(
  request: ServiceRequest,
  options: ServiceOptions,
): Promise<ServiceAnswer> {
  const log = { client: request.client, method: request.method, path: request.path };
  try {
    const answer = await route(request, options);
    options.onRequest({ ...log, status: answer.status });
    return answer;
  } catch (thrown) {
    const error = asStationError(thrown);
    const status = statuses[error.code] ?? 503;
    options.onRequest({ ...log, status, code: error.code });
    return json(status, { error: error.toRecord() });
  }
}

async function route(request: ServiceRequest, options: ServiceOptions): Promise<ServiceAnswer> {
  const { method, path } = request;
  if (method === "GET" && path === "/v1/source") return describeSource(options);
  if (method === "POST" && path === "/v1/licenses") return issueJson(request, options);
  const old = /^\/fw\/sfi\/([^/]+)\/get\/license$/.exec(path);
  if (method === "POST" && old !== null) return issueForm(decodeURIComponent(old[1] ?? ""), request, options);
  return json(404, { error: { code: "USAGE_INVALID", message: `there is no ${method} ${path}` } });
}

async function describeSource({ source, development }: ServiceOptions): Promise<ServiceAnswer> {
  const state = await source.inspect?.();
  return json(200, {
    source: source.name,
    development,
    ready: state?.ready ?? true,
    remaining: state?.remaining ?? null,
    firmwareId: state?.firmwareId ?? null,
    detail: state?.detail ?? "",
  });
}

async function issueJson(request: ServiceRequest, options: ServiceOptions): Promise<ServiceAnswer> {
  const { certificate, packageDigest, firmwareId } = readJsonRequest(request.body);
  const { license, issued, key } = await options.broker.obtain(
    { certificate, packageDigest: packageDigest ?? (await namedFirmware(options)), firmwareId },
    clientOf(request, options),
  );
  return json(200, { license: toBase64(license), issued, key });
}

async function issueForm(
  firmwareId: string,
  request: ServiceRequest,
  options: ServiceOptions,
): Promise<ServiceAnswer> {
  const parts = parseMultipart(request.contentType, request.body);
  const certificate = parts?.find(({ name }) => name === "dev_certificate_file")?.data;
  if (certificate === undefined) throw invalid("the form has no part dev_certificate_file");
  const packageDigest = await namedFirmware(options);
  const client = clientOf(request, options);
  const { license } = await options.broker.obtain({ certificate, packageDigest, firmwareId }, client);
  return { status: 200, contentType: "application/octet-stream", body: license };
}

/** Stands in for a package's digest where the source names its firmware, which then takes its place. */
async function namedFirmware({ source }: ServiceOptions): Promise<string> {
  if ((await source.inspect?.())?.firmwareId === undefined) {
    throw invalid("packageDigest is missing, and the source does not name its firmware");
  }
  return sha256Hex("");
}

function clientOf({ client }: ServiceRequest, { quotas }: ServiceOptions) {
  if (quotas === undefined) return { name: client, quota: undefined };
  const quota = quotas.get(client);
  if (quota === undefined) throw StationError.of("LICENSE_CLIENT_UNKNOWN", { client });
  return { name: client, quota };
}

function readJsonRequest(body: Uint8Array) {
  const value = parseJson(body);
  const { certificate, packageDigest, firmwareId } = value as Readonly<Record<string, unknown>>;
  if (typeof certificate !== "string" || !/^[A-Za-z0-9+/]+={0,2}$/.test(certificate)) {
    throw invalid("certificate is missing or no base64");
  }
  if (packageDigest !== undefined && !/^[0-9a-f]{64}$/.test(String(packageDigest))) {
    throw invalid("packageDigest is no SHA-256");
  }
  if (firmwareId !== undefined && typeof firmwareId !== "string") throw invalid("firmwareId is no text");
  return {
    certificate: fromBase64(certificate),
    packageDigest: packageDigest === undefined ? undefined : String(packageDigest),
    firmwareId,
  };
}

function parseJson(body: Uint8Array): object {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    if (typeof value === "object" && value !== null) return value;
  } catch (error) {
    if (!isStationError(error)) throw invalid("the body is no JSON", error);
  }
  throw invalid("the body is no object");
}

function invalid(detail: string, cause?: unknown): StationError {
  return StationError.of("USAGE_INVALID", { detail: `license request: ${detail}` }, { cause });
}

function json(status: number, value: unknown): ServiceAnswer {
  return {
    status,
    contentType: "application/json",
    body: new TextEncoder().encode(`${JSON.stringify(value)}\n`),
  };
}

/** Bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

/** Base64 as bytes. @throws RangeError */
export function fromBase64(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new RangeError("not base64", { cause });
  }
}
