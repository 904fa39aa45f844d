import { Agent, request as httpsRequest } from "node:https";
import { isStationError, StationError } from "../../src/errors/station-error.ts";
import { fromBase64, toBase64 } from "../../src/license/service.ts";
import type { LicenseSource } from "../../src/ports/index.ts";

/** A service and how the two prove who they are. All PEM. */
export interface HttpSourceOptions {
  /** https://host:port */
  readonly url: string;
  /** The authority of the service's certificate; undefined takes the system's. */
  readonly authority?: Uint8Array | undefined;
  readonly certificate: Uint8Array;
  readonly key: Uint8Array;
  /** An HSM behind the service may take its time. */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 120_000;
const answerLimitBytes = 65_536;

interface Answer {
  readonly status: number;
  readonly value: Readonly<Record<string, unknown>>;
}

/**
 * A license service as a source. It keeps the account and gives the same license for the same certificate, so a request
 * whose answer was lost is asked again without fear.
 */
export function httpLicenseSource(options: HttpSourceOptions): LicenseSource {
  const { url, authority, certificate, key } = options;
  const agent = new Agent({
    keepAlive: false,
    cert: Buffer.from(certificate),
    key: Buffer.from(key),
    minVersion: "TLSv1.2",
    ...(authority === undefined ? {} : { ca: Buffer.from(authority) }),
  });
  const failed = (detail: string, cause?: unknown) =>
    StationError.of("LICENSE_SERVICE_FAILED", { url, detail }, { cause });

  const ask = (method: string, path: string, body?: string) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = httpsRequest(new URL(path, url), {
        agent,
        method,
        timeout: options.timeoutMs ?? defaultTimeoutMs,
        headers: { "content-type": "application/json", "content-length": body?.length ?? 0 },
      });
      sent.on("timeout", () => sent.destroy(new Error("it did not answer in time")));
      sent.on("error", (error) => reject(failed(error.message, error)));
      sent.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (data: string) => {
          text += data;
          if (text.length > answerLimitBytes) sent.destroy(new Error("its answer is too long"));
        });
        response.on("error", (error) => reject(failed(error.message, error)));
        response.on("end", () => {
          try {
            resolve({ status: response.statusCode ?? 0, value: JSON.parse(text) });
          } catch (error) {
            reject(failed("its answer is no JSON", error));
          }
        });
      });
      sent.end(body);
    });

  const asked = async (method: string, path: string, body?: string) => {
    const { status, value } = await ask(method, path, body);
    if (status === 200) return value;
    const { code, message } = (value["error"] ?? {}) as { code?: unknown; message?: unknown };
    throw failed(`${String(code ?? status)}: ${String(message ?? "no reason given")}`);
  };

  const describe = () => asked("GET", "/v1/source");

  return {
    name: `service:${new URL(url).host}`,
    counted: true,
    idempotent: true,
    async check(real) {
      const { development } = await describe();
      if (real && development === true) throw StationError.of("LICENSE_DEVELOPMENT", { source: url });
    },
    async inspect() {
      const { ready, remaining, firmwareId, detail } = await describe();
      return {
        ready: ready === true,
        remaining: typeof remaining === "number" ? remaining : undefined,
        firmwareId: typeof firmwareId === "string" ? firmwareId : undefined,
        detail: String(detail ?? ""),
      };
    },
    // Asking again costs nothing at all; that the service itself said no is final.
    outcomeOf: (error) =>
      isStationError(error, "LICENSE_SERVICE_FAILED") && error.cause === undefined ? "not-sent" : "unknown",
    async issue({ certificate, packageDigest, firmwareId }) {
      const message = { certificate: toBase64(certificate), packageDigest, firmwareId };
      const { license } = await asked("POST", "/v1/licenses", JSON.stringify(message));
      if (typeof license !== "string") throw failed("its answer holds no license");
      return fromBase64(license);
    },
  };
}
