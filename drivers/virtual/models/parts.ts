import { asciiBytes } from "../../../src/bytes/bytes.ts";
import type { MemoryRegion, RegionAlias } from "./model.ts";
import type { BufferPlaces } from "./rss-model.ts";

/** Unique id of a chip that is given none: its name, 12 characters. */
export function uidOf(name: string): Uint8Array {
  return asciiBytes(`VIRTUAL-${name.toUpperCase()}`.padEnd(12, "-").slice(0, 12));
}

/** Bits of an option word that exist, each as lowest bit and width. */
export function bits(...fields: readonly (readonly [lowest: number, width: number])[]): number {
  return fields.reduce((mask, [lowest, width]) => (mask | ((2 ** width - 1) << lowest)) >>> 0, 0);
}

/** Distance from a non-secure alias of RAM or peripherals to the secure one; flash has its own. */
export const secureAlias = { ram: 0x10000000, flash: 0x04000000 } as const;

/** RAM with its secure alias. */
export function trustZoneRam(
  name: string,
  base: number,
  sizeBytes: number,
  accessPorts: readonly number[],
): MemoryRegion {
  const aliases: readonly RegionAlias[] = [{ base: base + secureAlias.ram, secure: true }];
  return { name, base, sizeBytes, kind: "volatile", accessPorts, aliases };
}

/**
 * Buffers of the families with an RSSe, all from one base: license +0x800, completion +0xA00, wrapper +0xC00, header
 * +0x1000, areas behind it.
 * @param end first address behind what areas may fill
 */
export function buffersFrom(base: number, end: number): BufferPlaces {
  return {
    license: base + 0x800,
    completion: base + 0xa00,
    wrapper: base + 0xc00,
    header: base + 0x1000,
    areas: base + 0x101c,
    areasEnd: end,
  };
}
