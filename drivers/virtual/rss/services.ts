import type { ServiceCall } from "../chip/core.ts";
import { optsrBits } from "../chip/option-rules.ts";
import { type RssServiceName, rssServiceEntry, rssServiceNames } from "../chip/system-memory.ts";
import { rssStatus, rssVersion } from "./contract.ts";

/** What the services of the RSS API need of the chip. */
export interface ServiceHost {
  register(number: 0 | 1): number;
  setResult(value: number): void;
  optsr(): number;
  certificate(): Uint8Array;
  /** Writes into RAM; false where there is none. */
  writeRam(address: number, data: Uint8Array): boolean;
}

/** What each service leaves in R0. Services that need secure user code to call them fail over a debugger. */
const results: Readonly<Record<RssServiceName, (host: ServiceHost) => number>> = {
  getVersion: () => rssVersion,
  getStatus: (host) => ((host.optsr() >>> optsrBits.security) & 1 ? rssStatus.ok : rssStatus.disabled),
  getCertificate: (host) =>
    host.writeRam(host.register(0), host.certificate()) ? rssStatus.ok : rssStatus.error,
  getCertificateSize: (host) => host.certificate().length,
  setVectors: () => rssStatus.error,
  exitSecureArea: () => rssStatus.error,
  resetAndInitializeSecureAreas: () => rssStatus.error,
};

/** Modelled time of a service call. */
const serviceMs = 2;

/** The service number `id` (1 for the first of the table). */
export function rssServiceById(id: number, host: ServiceHost): ServiceCall | undefined {
  const name = rssServiceNames[id - 1];
  return name && { id, durationMs: serviceMs, perform: () => host.setResult(results[name](host)) };
}

/** The service whose entry is at `address` (without the Thumb bit). */
export function rssServiceAt(address: number, host: ServiceHost): ServiceCall | undefined {
  return rssServiceById(
    rssServiceNames.findIndex((_, index) => rssServiceEntry(index) === address) + 1,
    host,
  );
}
