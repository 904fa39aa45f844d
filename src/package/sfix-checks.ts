import { hex32 } from "../bytes/hex.ts";
import { areaName, type SfiArea, type SfiPackage } from "./sfi.ts";
import { externalPrefixSizeBytes, externalRanges } from "./sfix.ts";

/** External flash: sizes, places and overlaps of E areas, and that they never share a part with others (AN5054 2.3). */
export function externalFindings({ areas }: SfiPackage): string[] {
  const external = areas.filter(({ type }) => type === "E");
  const sorted = [...external].sort((a, b) => a.address - b.address);
  return [
    ...external.flatMap(placeFindings),
    ...sorted.slice(1).flatMap((area, i) => {
      const before = sorted[i] as SfiArea;
      return area.address < externalEnd(before)
        ? [`${areaName(before)} and ${areaName(area)} overlap at ${hex32(area.address)}`]
        : [];
    }),
    ...(external.length > 0 && !areas.some(({ type }) => type === "P")
      ? ["it has external flash but no P and R areas, which such a package always has"]
      : []),
  ];
}

/** K areas: pairs of words, and external flash to use the keys for (AN5054 2.3, "Area K"). */
export function keyFindings({ areas }: SfiPackage): string[] {
  const keys = areas.filter(({ type }) => type === "K");
  return [
    ...keys.slice(1).map((area) => `${areaName(area)} is one K area too many`),
    ...keys
      .filter(({ sizeBytes }) => sizeBytes === 0 || sizeBytes % 8 !== 0)
      .map(
        (area) => `${areaName(area)} holds ${area.sizeBytes} bytes, no whole number of sizes and addresses`,
      ),
    ...(keys.length > 0 && !areas.some(({ type }) => type === "E")
      ? [`${areaName(keys[0] as SfiArea)} makes keys, but there is no external flash that uses them`]
      : []),
  ];
}

function placeFindings(area: SfiArea): string[] {
  if (area.sizeBytes <= externalPrefixSizeBytes) {
    return [`${areaName(area)} holds ${area.sizeBytes} bytes: region settings and no firmware`];
  }
  const inside = externalRanges.some(
    ({ address, sizeBytes }) => area.address >= address && externalEnd(area) <= address + sizeBytes,
  );
  return inside ? [] : [`${areaName(area)} at ${hex32(area.address)} lies outside external flash`];
}

function externalEnd({ address, sizeBytes }: SfiArea): number {
  return address + sizeBytes - externalPrefixSizeBytes;
}
