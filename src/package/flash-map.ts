import { alignDown } from "../bytes/numbers.ts";
import { areaName, type SfiPackage } from "./sfi.ts";
import { tokenSizeBytes } from "./sfi-layout.ts";
import { partsOf } from "./sfi-verify.ts";
import { externalPrefixSizeBytes } from "./sfix.ts";

/** A stretch of the map. */
export interface MapSpan {
  readonly kind: "area" | "gap" | "token";
  readonly address: number;
  readonly sizeBytes: number;
  /** "area 3 (F)", "free" or "continuation token". */
  readonly name: string;
  /** Part of the package, for areas. */
  readonly part?: number;
}

/** One memory with everything that a package puts into it, without holes between the spans. */
export interface MemoryMap {
  readonly address: number;
  readonly sizeBytes: number;
  /** Size of an erase unit; sector boundaries are its multiples from the memory's start. */
  readonly sectorBytes: number | undefined;
  readonly spans: readonly MapSpan[];
}

/** A memory that areas may lie in. */
export interface MapMemory {
  readonly address: number;
  readonly sizeBytes: number;
  readonly sectorBytes?: number;
}

/** External flash is shown in windows of this size around what lies in it. */
const windowBytes = 0x10000;

/**
 * Where a package's areas lie, memory by memory.
 * @param memories the device's flash; without them, and for areas outside them, windows around the areas
 */
export function flashMap(pkg: SfiPackage, memories: readonly MapMemory[]): MemoryMap[] {
  const partOf = new Map(partsOf(pkg).flatMap(({ number, areas }) => areas.map((area) => [area, number])));
  const placed = pkg.areas
    .filter(({ type }) => type === "F" || type === "M" || type === "E")
    .map((area): MapSpan => {
      const prefixBytes = area.type === "E" ? externalPrefixSizeBytes : 0;
      const sizeBytes = Math.max(0, area.sizeBytes - prefixBytes);
      return {
        kind: "area",
        address: area.address,
        sizeBytes,
        name: areaName(area),
        part: partOf.get(area) ?? 1,
      };
    });
  const tokens = [...new Set(pkg.areas.filter(({ type }) => type === "P").map(({ address }) => address))].map(
    (address): MapSpan => ({ kind: "token", address, sizeBytes: tokenSizeBytes, name: "continuation token" }),
  );
  const spans = [...placed, ...tokens].sort((a, b) => a.address - b.address);
  const outside = spans.filter((span) => !memories.some((memory) => holds(memory, span.address)));
  return [...memories, ...windowsAround(outside)].map((memory) => ({
    address: memory.address,
    sizeBytes: memory.sizeBytes,
    sectorBytes: memory.sectorBytes,
    spans: withGaps(
      memory,
      spans.filter(({ address }) => holds(memory, address)),
    ),
  }));
}

/** How much of a memory is taken, 0 to 1. */
export function usedFraction({ spans, sizeBytes }: MemoryMap): number {
  const usedBytes = spans.filter(({ kind }) => kind !== "gap").reduce((sum, span) => sum + span.sizeBytes, 0);
  return usedBytes / sizeBytes;
}

function withGaps(memory: MapMemory, spans: readonly MapSpan[]): MapSpan[] {
  const filled: MapSpan[] = [];
  let at = memory.address;
  const gapTo = (address: number) => {
    if (address > at) filled.push({ kind: "gap", address: at, sizeBytes: address - at, name: "free" });
  };
  for (const span of spans) {
    gapTo(span.address);
    filled.push(span);
    at = Math.max(at, span.address + span.sizeBytes);
  }
  gapTo(memory.address + memory.sizeBytes);
  return filled;
}

function windowsAround(spans: readonly MapSpan[]): MapMemory[] {
  const windows: { address: number; sizeBytes: number }[] = [];
  for (const { address, sizeBytes } of spans) {
    const start = alignDown(address, windowBytes);
    const end = alignDown(address + Math.max(1, sizeBytes) - 1, windowBytes) + windowBytes;
    const last = windows.at(-1);
    if (last !== undefined && start <= last.address + last.sizeBytes) {
      last.sizeBytes = Math.max(last.sizeBytes, end - last.address);
    } else windows.push({ address: start, sizeBytes: end - start });
  }
  return windows;
}

function holds({ address, sizeBytes }: MapMemory, at: number): boolean {
  return at >= address && at < address + sizeBytes;
}
