import { toWords } from "../../../src/bytes/bytes.ts";
import { chunks } from "../../../src/bytes/chunks.ts";
import { alignUp } from "../../../src/bytes/numbers.ts";
import { flashWordBytes, sectorBytes } from "../chip/flash-array.ts";
import { type OptionName, type OptionWords, optionNames } from "../chips.ts";
import { contract, partValue, type Refusal, refusal, rssVersion } from "./contract.ts";
import {
  type Area,
  areaHeaderBytes,
  areaIv,
  type FirmwareKey,
  type ImageHeader,
  imageHeaderBytes,
  licenseBytes,
  openDevelopmentLicense,
  openSealed,
  readAreas,
  readImageHeader,
} from "./formats.ts";

/** One thing RSS does, with the time it takes. Steps that change the chip can be done twice without harm. */
export type RssStep = { readonly ms: number } & (
  | { readonly kind: "work" }
  | { readonly kind: "require-blank"; readonly address: number; readonly sizeBytes: number }
  | { readonly kind: "program"; readonly address: number; readonly data: Uint8Array }
  | { readonly kind: "require-token"; readonly address: number; readonly index: number }
  | {
      readonly kind: "store-token";
      readonly address: number;
      readonly nextIndex: number;
      readonly sectorUsed: boolean;
    }
  | { readonly kind: "drop-token"; readonly address: number; readonly sectorUsed: boolean }
  | { readonly kind: "set-options"; readonly words: OptionWords }
  | { readonly kind: "refuse"; readonly value: Refusal }
  | { readonly kind: "complete"; readonly value: number }
);

/** Modelled times of RSS. */
const times = {
  bootMs: 150,
  licenseMs: 250,
  authenticateMs: 5,
  perKibMs: 0.2,
  wordMs: 0.1,
  optionsMs: 150,
  eraseMs: 1000,
};

export const flashBase = 0x08000000;
const flashBytes = 0x200000;
const optionAreaBytes = 4 * optionNames.length;

/** Where the plan reads the host's data. */
export type ReadRam = (address: number, sizeBytes: number) => Uint8Array;

/** What the plan has found out so far. */
interface Part {
  readonly header: ImageHeader;
  readonly areas: readonly Area[];
  readonly firmwareKey: FirmwareKey;
}

/**
 * Everything RSS will do with the part that lies in RAM, in order. Reading and checking happen here; whatever depends
 * on flash is a step. The steps end with `complete` or `refuse`; those before a refusal are carried out.
 */
export function planPart(read: ReadRam, privateKey: Uint8Array): RssStep[] {
  const steps: RssStep[] = [{ kind: "work", ms: times.bootMs }];
  const areas = readPart(read);
  if (areas === undefined) return [...steps, refuse(refusal.wrapper)];
  const header = readImageHeader(read(contract.headerAddress, imageHeaderBytes));
  if (header.magic !== "SFIMAGIC" || header.protocolVersion !== 1)
    return [...steps, refuse(refusal.imageHeader)];
  steps.push({ kind: "work", ms: times.licenseMs });
  const firmwareKey = openDevelopmentLicense(read(contract.licenseAddress, licenseBytes), privateKey);
  if (firmwareKey === undefined) return [...steps, refuse(refusal.notAuthentic)];
  if (firmwareKey.minimumVersion > rssVersion) return [...steps, refuse(refusal.version)];
  const none = new Uint8Array(0);
  if (openSealed(firmwareKey.key, firmwareKey.nonce, header.authenticated, none, header.tag) === undefined) {
    return [...steps, refuse(refusal.notAuthentic)];
  }
  if (!isSequenceSound(areas, header.totalAreas)) return [...steps, refuse(refusal.areaSequence)];
  const part = { header, areas, firmwareKey };
  for (const area of areas) {
    const next = planArea(area, part);
    steps.push(...next);
    if (next.some(({ kind }) => kind === "refuse")) return steps;
  }
  const more = areas.at(-1)?.type === "P";
  return [...steps, { kind: "complete", value: more ? partValue.moreParts : partValue.everything, ms: 1 }];
}

/** The areas the wrapper names, or undefined when wrapper and areas do not agree. */
function readPart(read: ReadRam): readonly Area[] | undefined {
  const [count = 0, address = 0, sizeBytes = 0, reserved = 0] = toWords(
    read(contract.wrapperAddress, 16).slice(),
  );
  const fits = sizeBytes >= areaHeaderBytes && sizeBytes <= contract.areasEnd - contract.areasAddress;
  if (address !== contract.areasAddress || reserved !== 0 || !fits) return undefined;
  const areas = readAreas(read(contract.areasAddress, sizeBytes));
  return areas?.length === count ? areas : undefined;
}

/**
 * Indices run without a gap; every area carries the header's total and one version; a part begins with area 1 or R
 * and ends with P or with the C that is the last area of all.
 */
function isSequenceSound(areas: readonly Area[], total: number): boolean {
  const first = areas[0];
  const last = areas.at(-1);
  if (first === undefined || last === undefined) return false;
  const uniform = areas.every(
    (area, i) =>
      area.index === first.index + i &&
      area.totalAreas === total &&
      area.version === first.version &&
      "FCPR".includes(area.type) &&
      (area.type !== "R" || i === 0) &&
      (area.type !== "P" || area === last) &&
      (area.type !== "C" || area === last),
  );
  const begins = first.type === "R" ? first.index > 1 : first.index === 1;
  const ends = last.type === "P" ? last.index < total : last.type === "C" && last.index === total;
  return uniform && begins && ends;
}

function planArea(area: Area, part: Part): RssStep[] {
  const { key, nonce } = part.firmwareKey;
  const check: RssStep = {
    kind: "work",
    ms: times.authenticateMs + (area.sizeBytes / 1024) * times.perKibMs,
  };
  const plain = openSealed(key, areaIv(nonce, area.index), area.authenticated, area.content, area.tag);
  if (plain === undefined) return [check, refuse(refusal.notAuthentic)];
  if (area.type === "F") return [check, ...planFirmware(area, plain)];
  if (area.type === "C") return [check, ...planOptions(plain, part)];
  const placed = isInFlash(area.address, flashWordBytes) && (area.sizeBytes === 0 || area.sizeBytes === 32);
  if (!placed) return [check, refuse(refusal.areaPlace)];
  if (area.type === "R")
    return [check, { kind: "require-token", address: area.address, index: area.index, ms: 1 }];
  const sectorUsed = usesSectorOf(part.areas, area.address);
  return [
    check,
    { kind: "store-token", address: area.address, nextIndex: area.index + 1, sectorUsed, ms: times.wordMs },
  ];
}

function planFirmware(area: Area, plain: Uint8Array): RssStep[] {
  const sizeBytes = alignUp(plain.length, flashWordBytes);
  if (sizeBytes === 0 || !isInFlash(area.address, sizeBytes)) return [refuse(refusal.areaPlace)];
  const padded = new Uint8Array(sizeBytes).fill(0xff);
  padded.set(plain);
  return [
    { kind: "require-blank", address: area.address, sizeBytes, ms: 1 },
    ...[...chunks(area.address, padded, flashWordBytes)].map(
      ({ address, data }): RssStep => ({ kind: "program", address, data, ms: times.wordMs }),
    ),
  ];
}

function planOptions(plain: Uint8Array, part: Part): RssStep[] {
  if (plain.length !== optionAreaBytes) return [refuse(refusal.optionBytes)];
  const words = toWords(plain.slice());
  const entries = optionNames.map((name, i): [OptionName, number] => [name, words[i] ?? 0]);
  const resumed = part.areas[0]?.type === "R" ? part.areas[0] : undefined;
  const drop: RssStep[] = resumed
    ? [
        {
          kind: "drop-token",
          address: resumed.address,
          sectorUsed: usesSectorOf(part.areas, resumed.address),
          ms: times.eraseMs,
        },
      ]
    : [];
  const options = Object.fromEntries(entries) as Record<OptionName, number>;
  return [...drop, { kind: "set-options", words: options, ms: times.optionsMs }];
}

/** True when an F area of the part lies in the sector of `address`. */
function usesSectorOf(areas: readonly Area[], address: number): boolean {
  const start = address - (address % sectorBytes);
  return areas.some(
    (area) =>
      area.type === "F" && area.address < start + sectorBytes && area.address + area.sizeBytes > start,
  );
}

function isInFlash(address: number, sizeBytes: number): boolean {
  const offset = address - flashBase;
  return offset >= 0 && offset % flashWordBytes === 0 && offset + sizeBytes <= flashBytes;
}

function refuse(value: Refusal): RssStep {
  return { kind: "refuse", value, ms: 1 };
}
