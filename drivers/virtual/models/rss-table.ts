/** RSS API table of the H7 (STM32CubeH7 RSS.h): seven function addresses in system memory. */
export const rssTableAddress = 0x1ff09500;
const firstService = 0x1ff0a100;
const serviceStrideBytes = 0x40;

/** The services of the RSS API in the order of the table; a development RSSe has the same. */
export const rssServiceNames = [
  "getVersion",
  "getStatus",
  "getCertificate",
  "getCertificateSize",
  "setVectors",
  "exitSecureArea",
  "resetAndInitializeSecureAreas",
] as const;
export type RssServiceName = (typeof rssServiceNames)[number];

/** Entry of a service of the H7 without the Thumb bit. */
export function rssServiceEntry(index: number): number {
  return firstService + index * serviceStrideBytes;
}
