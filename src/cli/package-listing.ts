import { hex32 } from "../bytes/hex.ts";
import { packageRules } from "../install/package-rules.ts";
import { flashMap, type MemoryMap } from "../package/flash-map.ts";
import type { SfiPackage } from "../package/sfi.ts";
import { areaTypes } from "../package/sfi-layout.ts";
import { partsOf } from "../package/sfi-verify.ts";
import type { DeviceManifest } from "../target/manifest-types.ts";

/** "sfix" for a package with external flash, else "sfi". */
export function packageFormat(pkg: SfiPackage): "sfi" | "sfix" {
  return pkg.areas.some(({ type }) => type === "E" || type === "K") ? "sfix" : "sfi";
}

/** A package's areas as a table. */
export function packageText(pkg: SfiPackage): string {
  const partOf = new Map(
    partsOf(pkg).flatMap(({ number, areas }) => areas.map(({ index }) => [index, number])),
  );
  return [
    `${packageFormat(pkg).toUpperCase()} protocol ${pkg.protocolVersion}, image version ${pkg.imageVersion}, ${pkg.areas.length} areas, ${pkg.sizeBytes} bytes`,
    `sha256 ${pkg.digest}`,
    "area type  part     address   size in bytes",
    ...pkg.areas.map(
      ({ index, type, address, sizeBytes }) =>
        `${String(index).padStart(4)}    ${type}  ${String(partOf.get(index)).padStart(4)}  ${hex32(address)}  ${String(sizeBytes).padStart(14)}  ${areaTypes[type]}`,
    ),
  ].join("\n");
}

/** The package's map over the device's flash, or over windows when the device is not known. */
export function packageMap(pkg: SfiPackage, manifest: DeviceManifest | undefined): MemoryMap[] {
  const memories =
    manifest === undefined
      ? []
      : packageRules(manifest).flash.map((range) => ({ ...range, sectorBytes: manifest.flash.sectorBytes }));
  return flashMap(pkg, memories);
}
