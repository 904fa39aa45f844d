import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { StationError } from "../../src/errors/station-error.ts";
import { answerRequest, type ServiceAnswer, type ServiceOptions } from "../../src/license/service.ts";

/** More than a certificate in any form needs. */
const bodyLimitBytes = 65_536;
const requestTimeoutMs = 30_000;

/** Where the service listens and how it and its clients prove who they are. All PEM. */
export interface ServerOptions extends ServiceOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly key: Uint8Array;
  readonly certificate: Uint8Array;
  /** The authority whose certificates clients must have; the common name is the station's name. */
  readonly clientAuthority: Uint8Array;
}

export interface LicenseServer {
  readonly port: number;
  /** Takes no more requests and ends when the running ones have been answered. */
  close(): Promise<void>;
}

/**
 * The license service over HTTPS. A client without a certificate of the authority does not get past TLS.
 * @throws LICENSE_SERVICE_FAILED when it cannot listen
 */
export async function startLicenseServer(options: ServerOptions): Promise<LicenseServer> {
  const server = createServer(
    {
      key: Buffer.from(options.key),
      cert: Buffer.from(options.certificate),
      ca: Buffer.from(options.clientAuthority),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      requestTimeout: requestTimeoutMs,
    },
    (request, response) => {
      answer(request, options).then(
        (sent) => send(response, sent),
        // Only a connection that broke while the body was read ends up here: there is nobody to answer.
        () => response.destroy(),
      );
    },
  );
  const url = `https://${options.host}:${options.port}`;
  const port = await new Promise<number>((resolve, reject) => {
    server.once("error", (error) =>
      reject(StationError.of("LICENSE_SERVICE_FAILED", { url, detail: error.message }, { cause: error })),
    );
    server.listen(options.port, options.host, () => resolve((server.address() as AddressInfo).port));
  });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

async function answer(request: IncomingMessage, options: ServiceOptions): Promise<ServiceAnswer> {
  const body = await readBody(request);
  if (body === undefined) {
    return { status: 413, contentType: "text/plain", body: new TextEncoder().encode("too large\n") };
  }
  const { subject } = (request.socket as TLSSocket).getPeerCertificate();
  const client = String(subject?.CN ?? "");
  return answerRequest(
    {
      method: request.method ?? "",
      path: new URL(request.url ?? "/", "https://service").pathname,
      contentType: request.headers["content-type"] ?? "",
      body,
      client,
    },
    options,
  );
}

async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    sizeBytes += chunk.length;
    if (sizeBytes > bodyLimitBytes) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function send(response: ServerResponse, { status, contentType, body }: ServiceAnswer): void {
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": body.length,
    "cache-control": "no-store",
    ...(status === 413 ? { connection: "close" } : {}),
  });
  response.end(body);
}
