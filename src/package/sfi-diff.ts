import { equalBytes, firstDifference } from "../bytes/bytes.ts";
import { hex32, hexNumber } from "../bytes/hex.ts";
import { areaName, type SfiArea, type SfiPackage } from "./sfi.ts";
import type { OpenedSfi } from "./sfi-verify.ts";

/** One difference between two packages. */
export interface SfiDifference {
  /** "protocol version", "area 2 (F) at 0x08000000 size", … */
  readonly what: string;
  readonly a: string;
  readonly b: string;
}

/**
 * What differs between two packages, without their keys: header, areas by type and place, and whether ciphertext and
 * tag are the same. Areas are matched by type, address and how often that pair came before.
 * @returns none when the files are the same
 */
export function diffPackages(a: SfiPackage, b: SfiPackage): SfiDifference[] {
  const header = (
    [
      ["protocol version", a.protocolVersion, b.protocolVersion],
      ["image version", a.imageVersion, b.imageVersion],
      ["number of areas", a.areas.length, b.areas.length],
      ["size in bytes", a.sizeBytes, b.sizeBytes],
    ] as const
  ).flatMap(([what, left, right]) => (left === right ? [] : [{ what, a: String(left), b: String(right) }]));
  const tags = equalBytes(a.headerTag, b.headerTag)
    ? []
    : [{ what: "image header tag", a: "one", b: "another" }];
  const [left, right] = [byPlace(a), byPlace(b)];
  const places = [...new Set([...left.keys(), ...right.keys()])];
  return [...header, ...tags, ...places.flatMap((place) => diffArea(left.get(place), right.get(place)))];
}

/** What differs between the contents of two opened packages: firmware byte by byte, option words by row. */
export function diffContents(a: OpenedSfi, b: OpenedSfi, rows: readonly string[] = []): SfiDifference[] {
  const options = Array.from({ length: Math.max(a.optionWords.length, b.optionWords.length) }, (_, i) => i)
    .filter((i) => a.optionWords[i] !== b.optionWords[i])
    .map((i) => ({
      what: `option word ${rows[i] ?? i + 1}`,
      a: wordText(a.optionWords[i]),
      b: wordText(b.optionWords[i]),
    }));
  const addresses = new Set([...a.firmware, ...b.firmware].map(({ address }) => address));
  const firmware = [...addresses]
    .sort((left, right) => left - right)
    .flatMap((address) => {
      const [left, right] = [a, b].map(({ firmware: segments }) =>
        segments.find((segment) => segment.address === address),
      );
      if (left === undefined || right === undefined) {
        const text = (data: Uint8Array | undefined) =>
          data === undefined ? "missing" : `${data.length} bytes`;
        return [{ what: `firmware at ${hex32(address)}`, a: text(left?.data), b: text(right?.data) }];
      }
      const at = firstDifference(left.data, right.data);
      if (at === -1) return [];
      const byte = (data: Uint8Array) => (at < data.length ? hexNumber(data[at] as number, 2) : "end");
      return [{ what: `firmware from ${hex32(address + at)}`, a: byte(left.data), b: byte(right.data) }];
    });
  return [...options, ...firmware];
}

function byPlace({ areas }: SfiPackage): Map<string, SfiArea> {
  const places = new Map<string, SfiArea>();
  for (const area of areas) {
    let count = 0;
    while (places.has(`${area.type} ${area.address} ${count}`)) count++;
    places.set(`${area.type} ${area.address} ${count}`, area);
  }
  return places;
}

function diffArea(a: SfiArea | undefined, b: SfiArea | undefined): SfiDifference[] {
  const name = nameOf((a ?? b) as SfiArea);
  if (a === undefined || b === undefined) {
    const text = (area: SfiArea | undefined) => (area === undefined ? "missing" : `${area.sizeBytes} bytes`);
    return [{ what: name, a: text(a), b: text(b) }];
  }
  if (a.sizeBytes !== b.sizeBytes) {
    return [{ what: `${name} size`, a: String(a.sizeBytes), b: String(b.sizeBytes) }];
  }
  const at = firstDifference(a.content, b.content);
  if (at !== -1) return [{ what: `${name} encrypted content`, a: `differs from byte ${at} on`, b: "" }];
  return equalBytes(a.tag, b.tag) ? [] : [{ what: `${name} tag`, a: "one", b: "another" }];
}

function nameOf(area: SfiArea): string {
  return `${areaName(area)} at ${hex32(area.address)}`;
}

function wordText(word: number | undefined): string {
  return word === undefined ? "missing" : hex32(word);
}
