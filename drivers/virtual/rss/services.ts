import type { ServiceCall } from "../chip/core.ts";
import { type RssServiceName, rssServiceNames } from "../models/rss-table.ts";

/** Routines that a debugger may let the core perform. */
export interface CallableServices {
  /** The service whose entry is at `address` (without the Thumb bit). */
  at(address: number): ServiceCall | undefined;
  byId(id: number): ServiceCall | undefined;
}

/** A part without any. */
export const noServices: CallableServices = { at: () => undefined, byId: () => undefined };

/** Modelled time of a service call. */
export const serviceMs = 2;

/** What each service of the table leaves in R0, with R0 of the call as argument. */
export type ServiceResults = Readonly<Record<RssServiceName, (argument: number) => number>>;

/**
 * A table of the seven services.
 * @param entry address of the service with this number in the table
 * @param registers reads R0 of the call and sets the result
 */
export function tableOfServices(
  entry: (index: number) => number,
  results: ServiceResults,
  registers: { argument(): number; setResult(value: number): void },
): CallableServices {
  const byId = (id: number): ServiceCall | undefined => {
    const name = rssServiceNames[id - 1];
    return (
      name && {
        id,
        durationMs: serviceMs,
        perform: () => registers.setResult(results[name](registers.argument())),
      }
    );
  };
  return {
    byId,
    at: (address) => byId(rssServiceNames.findIndex((_, index) => entry(index) === address) + 1),
  };
}

/** Services of two places. */
export function together(first: CallableServices, second: CallableServices): CallableServices {
  return {
    at: (address) => first.at(address) ?? second.at(address),
    byId: (id) => first.byId(id) ?? second.byId(id),
  };
}
