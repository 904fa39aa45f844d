import { hex32, hexNumber } from "../bytes/hex.ts";
import { alignDown, alignUp } from "../bytes/numbers.ts";
import { areaName, type SfiArea, type SfiPackage } from "./sfi.ts";
import { type AreaType, areaTypes, pauseContentSizeBytes, tokenSizeBytes } from "./sfi-layout.ts";
import type { SfiRules } from "./sfi-verify.ts";
import { externalFindings, keyFindings } from "./sfix-checks.ts";

type Check = (pkg: SfiPackage, rules: SfiRules) => string[];

/** An address range; `end` is the first address behind it. */
interface Range {
  readonly start: number;
  readonly end: number;
}

const installableTypes: readonly AreaType[] = ["F", "C", "P", "R"];

/** Every rule that concerns areas, in the order in which findings are shown. */
const checks: readonly Check[] = [
  numbering,
  types,
  firmwarePlaces,
  firmwareOverlaps,
  externalFindings,
  keyFindings,
  optionArea,
  pausePairs,
  tokenPlaces,
];

/** What is wrong with the package's areas: one sentence a finding. */
export function areaFindings(pkg: SfiPackage, rules: SfiRules): string[] {
  return checks.flatMap((check) => check(pkg, rules));
}

/** Index, image version and total count stand in every area and must agree (AN5054 2.2, figure 4). */
function numbering({ areas, imageVersion }: SfiPackage): string[] {
  return areas.flatMap((area, i) => {
    const where = `the area at offset ${area.offset}`;
    return [
      ...(area.index === i + 1 ? [] : [`${where} has index ${area.index} instead of ${i + 1}`]),
      ...(area.version === imageVersion
        ? []
        : [`${where} is of image version ${area.version}, the first of ${imageVersion}`]),
      ...(area.totalAreas === areas.length
        ? []
        : [`${where} counts ${area.totalAreas} areas, the image header ${areas.length}`]),
    ];
  });
}

function types({ areas }: SfiPackage, rules: SfiRules): string[] {
  const accepted = rules.areaTypes ?? installableTypes;
  return areas
    .filter(({ type }) => !accepted.includes(type))
    .map((area) => `${areaName(area)} is a ${areaTypes[area.type]} area, which cannot be installed here`);
}

/** "All SFI areas must be located in flash memory" (AN5054 2.2, note). */
function firmwarePlaces({ areas }: SfiPackage, rules: SfiRules): string[] {
  const flash = mergedFlash(rules);
  return firmware(areas).flatMap((area) => {
    if (area.sizeBytes === 0) return [`${areaName(area)} is empty`];
    return isInside(rangeOf(area), flash)
      ? []
      : [`${areaName(area)} at ${span(area)} lies outside the flash of device ${rules.device}`];
  });
}

function firmwareOverlaps({ areas }: SfiPackage, { flashWordBytes = 1 }: SfiRules): string[] {
  const sorted = firmware(areas).sort((a, b) => a.address - b.address);
  const findings: string[] = [];
  let furthest: SfiArea | undefined;
  for (const area of sorted) {
    if (furthest !== undefined) {
      const end = rangeOf(furthest).end;
      if (area.address < end) {
        findings.push(`${areaName(furthest)} and ${areaName(area)} overlap at ${hex32(area.address)}`);
      } else if (alignDown(area.address, flashWordBytes) < alignUp(end, flashWordBytes)) {
        findings.push(
          `${areaName(furthest)} and ${areaName(area)} share the ${flashWordBytes}-byte flash word at ${hex32(alignDown(area.address, flashWordBytes))}`,
        );
      }
    }
    if (furthest === undefined || rangeOf(area).end > rangeOf(furthest).end) furthest = area;
  }
  return findings;
}

/** The C area: once, last, at address 0, one word for each row of the CSV (AN5054 2.5.1, option -ob). */
function optionArea({ areas }: SfiPackage, { optionRowCount, device }: SfiRules): string[] {
  const options = areas.filter(({ type }) => type === "C");
  if (options.length === 0) return ["it has no option-byte (C) area"];
  const findings = options.slice(1).map((area) => `${areaName(area)} is one C area too many`);
  const last = areas.at(-1);
  for (const area of options) {
    if (area !== last && area === options.at(-1)) findings.push(`${areaName(area)} is not the last area`);
    if (area.address !== 0) {
      findings.push(`${areaName(area)} has the address ${hex32(area.address)} instead of 0`);
    }
    if (area.sizeBytes !== 4 * optionRowCount) {
      findings.push(
        `${areaName(area)} holds ${area.sizeBytes} bytes; the ${optionRowCount} option words of device ${device} take ${4 * optionRowCount}`,
      );
    }
  }
  return findings;
}

/** A pause is followed at once by the resume of the next part, with the same token address (AN5054 2.2, figure 8). */
function pausePairs({ areas }: SfiPackage): string[] {
  return areas.flatMap((area, i) => {
    const findings: string[] = [];
    const next = areas[i + 1];
    if (area.type === "P" && next?.type !== "R") {
      findings.push(`${areaName(area)} is not followed by an R area`);
    } else if (area.type === "P" && next?.address !== area.address) {
      findings.push(
        `${areaName(area)} and the R area behind it name different token addresses, ${hex32(area.address)} and ${hex32(next?.address ?? 0)}`,
      );
    }
    if (area.type === "R" && areas[i - 1]?.type !== "P") {
      findings.push(`${areaName(area)} does not follow a P area`);
    }
    if (isPause(area) && area.sizeBytes !== 0 && area.sizeBytes !== pauseContentSizeBytes) {
      findings.push(
        `${areaName(area)} holds ${area.sizeBytes} bytes instead of ${pauseContentSizeBytes} (or none)`,
      );
    }
    return findings;
  });
}

/** RSS writes the token to flash while it installs, so the place must be free, in flash and aligned (AN5054 2.2). */
function tokenPlaces({ areas }: SfiPackage, rules: SfiRules): string[] {
  const flash = mergedFlash(rules);
  const addresses = [...new Set(areas.filter(isPause).map(({ address }) => address))];
  return addresses.flatMap((address) => {
    const token = { start: address, end: address + tokenSizeBytes };
    const which = `the continuation token at ${hex32(address)}`;
    const covering = firmware(areas).filter((area) => overlaps(token, rangeOf(area)));
    return [
      ...(isInside(token, flash) ? [] : [`${which} lies outside the flash of device ${rules.device}`]),
      ...(address % rules.tokenAlignmentBytes === 0
        ? []
        : [`${which} is not aligned to ${rules.tokenAlignmentBytes} bytes`]),
      ...covering.map((area) => `${which} lies inside ${areaName(area)}`),
    ];
  });
}

function firmware(areas: readonly SfiArea[]): SfiArea[] {
  return areas.filter(({ type }) => type === "F");
}

function isPause({ type }: SfiArea): boolean {
  return type === "P" || type === "R";
}

function rangeOf({ address, sizeBytes }: { readonly address: number; readonly sizeBytes: number }): Range {
  return { start: address, end: address + sizeBytes };
}

function span(area: SfiArea): string {
  return `${hex32(area.address)}..${hexNumber(rangeOf(area).end - 1, 8)}`;
}

function overlaps(a: Range, b: Range): boolean {
  return a.start < b.end && b.start < a.end;
}

function isInside(range: Range, ranges: readonly Range[]): boolean {
  return ranges.some(({ start, end }) => range.start >= start && range.end <= end);
}

/** The flash ranges with touching ones merged, so that an area may cross from one bank to the next. */
function mergedFlash({ flash }: SfiRules): Range[] {
  const merged: Range[] = [];
  for (const range of flash.map(rangeOf).sort((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last !== undefined && range.start <= last.end) {
      merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, range.end) };
    } else {
      merged.push(range);
    }
  }
  return merged;
}
