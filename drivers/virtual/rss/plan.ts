import { toWords } from "../../../src/bytes/bytes.ts";
import { chunks } from "../../../src/bytes/chunks.ts";
import { alignUp } from "../../../src/bytes/numbers.ts";
import type { FlashGeometry, OptionWords } from "../models/flash-model.ts";
import type { LoadedRss, RomRss } from "../models/rss-model.ts";
import { partValue, type Refusal } from "./contract.ts";
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
import { tokenBytes } from "./token.ts";

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
  | { readonly kind: "store-key" }
  | { readonly kind: "refuse"; readonly reason: Refusal }
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

/** A secure alias lies this far above the address of the flash. */
const secureAliasBytes = 0x04000000;

/** What is known of the part and its install service before anything is read. */
export interface PlanContext {
  readonly service: RomRss | LoadedRss;
  readonly geometry: FlashGeometry;
  /** Version of RSS or RSSe, 0x00JJNNPP. */
  readonly version: number;
  readonly privateKey: Uint8Array;
}

/** Where the plan reads the host's data. */
export type ReadRam = (address: number, sizeBytes: number) => Uint8Array;

/** What the plan has found out so far. */
interface Part extends PlanContext {
  readonly header: ImageHeader;
  readonly areas: readonly Area[];
  readonly firmwareKey: FirmwareKey;
}

/**
 * Everything RSS will do with the part that lies in RAM, in order. Reading and checking happen here; whatever depends
 * on flash is a step. The steps end with `complete` or `refuse`; those before a refusal are carried out.
 */
export function planPart(read: ReadRam, context: PlanContext): RssStep[] {
  const { buffers, protocols } = context.service;
  const steps: RssStep[] = [{ kind: "work", ms: times.bootMs }];
  const areas = readPart(read, context);
  if (areas === undefined) return [...steps, refuse("wrapper")];
  const header = readImageHeader(read(buffers.header, imageHeaderBytes));
  if (header.magic !== "SFIMAGIC" || !protocols.includes(header.protocolVersion)) {
    return [...steps, refuse("imageHeader")];
  }
  steps.push({ kind: "work", ms: times.licenseMs });
  const firmwareKey = openDevelopmentLicense(read(buffers.license, licenseBytes), context.privateKey);
  if (firmwareKey === undefined) return [...steps, refuse("notAuthentic")];
  if (firmwareKey.minimumVersion > context.version) return [...steps, refuse("version")];
  const none = new Uint8Array(0);
  if (openSealed(firmwareKey.key, firmwareKey.nonce, header.authenticated, none, header.tag) === undefined) {
    return [...steps, refuse("notAuthentic")];
  }
  const keys = context.service.kind === "rsse" && context.service.takesKeys;
  if (!isSequenceSound(areas, header.totalAreas, keys ? "FCPRK" : "FCPR"))
    return [...steps, refuse("areaSequence")];
  const part = { ...context, header, areas, firmwareKey };
  for (const area of areas) {
    const next = planArea(area, part);
    steps.push(...next);
    if (next.some(({ kind }) => kind === "refuse")) return steps;
  }
  const more = areas.at(-1)?.type === "P";
  return [...steps, { kind: "complete", value: more ? partValue.moreParts : partValue.everything, ms: 1 }];
}

/** The areas the wrapper names, or undefined when wrapper and areas do not agree. */
function readPart(read: ReadRam, { service }: PlanContext): readonly Area[] | undefined {
  const { buffers } = service;
  const [count = 0, address = 0, sizeBytes = 0, reserved = 0] = toWords(read(buffers.wrapper, 16).slice());
  const fits = sizeBytes >= areaHeaderBytes && sizeBytes <= buffers.areasEnd - buffers.areas;
  if (address !== buffers.areas || reserved !== 0 || !fits) return undefined;
  const areas = readAreas(read(buffers.areas, sizeBytes));
  return areas?.length === count ? areas : undefined;
}

/**
 * Indices run without a gap; every area carries the header's total and one version; a part begins with area 1 or R
 * and ends with P or with the C that is the last area of all.
 */
function isSequenceSound(areas: readonly Area[], total: number, types: string): boolean {
  const first = areas[0];
  const last = areas.at(-1);
  if (first === undefined || last === undefined) return false;
  const uniform = areas.every(
    (area, i) =>
      area.index === first.index + i &&
      area.totalAreas === total &&
      area.version === first.version &&
      types.includes(area.type) &&
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
  if (plain === undefined) return [check, refuse("notAuthentic")];
  if (area.type === "F") return [check, ...planFirmware(area, plain, part.geometry)];
  if (area.type === "K") return [check, { kind: "store-key", ms: times.optionsMs }];
  if (area.type === "C") return [check, ...planOptions(plain, part)];
  const placed =
    isInFlash(part.geometry, area.address, tokenBytes) &&
    (area.sizeBytes === 0 || area.sizeBytes === tokenBytes);
  if (!placed) return [check, refuse("areaPlace")];
  if (area.type === "R")
    return [check, { kind: "require-token", address: area.address, index: area.index, ms: 1 }];
  const sectorUsed = usesSectorOf(part, area.address);
  return [
    check,
    { kind: "store-token", address: area.address, nextIndex: area.index + 1, sectorUsed, ms: times.wordMs },
  ];
}

function planFirmware(area: Area, plain: Uint8Array, geometry: FlashGeometry): RssStep[] {
  const { unitBytes } = geometry;
  const sizeBytes = alignUp(plain.length, unitBytes);
  if (sizeBytes === 0 || !isInFlash(geometry, area.address, sizeBytes)) return [refuse("areaPlace")];
  const padded = new Uint8Array(sizeBytes).fill(0xff);
  padded.set(plain);
  return [
    { kind: "require-blank", address: area.address, sizeBytes, ms: 1 },
    ...[...chunks(area.address, padded, unitBytes)].map(
      ({ address, data }): RssStep => ({ kind: "program", address, data, ms: times.wordMs }),
    ),
  ];
}

function planOptions(plain: Uint8Array, part: Part): RssStep[] {
  const { rows } = part.service;
  if (plain.length !== 4 * rows.length) return [refuse("optionBytes")];
  const words = toWords(plain.slice());
  const options = Object.fromEntries(
    rows.flatMap((name, i): [string, number][] => (name === undefined ? [] : [[name, words[i] ?? 0]])),
  );
  const resumed = part.areas[0]?.type === "R" ? part.areas[0] : undefined;
  const drop: RssStep[] = resumed
    ? [
        {
          kind: "drop-token",
          address: resumed.address,
          sectorUsed: usesSectorOf(part, resumed.address),
          ms: times.eraseMs,
        },
      ]
    : [];
  return [...drop, { kind: "set-options", words: options, ms: times.optionsMs }];
}

/** True when an F area of the part lies in the sector of `address`. */
function usesSectorOf({ areas, geometry }: Part, address: number): boolean {
  const at = flashOffset(geometry, address);
  const start = at - (at % geometry.sectorBytes);
  return areas.some((area) => {
    const offset = flashOffset(geometry, area.address);
    return area.type === "F" && offset < start + geometry.sectorBytes && offset + area.sizeBytes > start;
  });
}

/** Offset from the start of user flash, by either alias; negative below it. */
export function flashOffset(geometry: FlashGeometry, address: number): number {
  const offset = address - geometry.base;
  return offset >= secureAliasBytes ? offset - secureAliasBytes : offset;
}

function isInFlash(geometry: FlashGeometry, address: number, sizeBytes: number): boolean {
  const offset = flashOffset(geometry, address);
  const end = geometry.banks * geometry.bankBytes;
  return offset >= 0 && offset % geometry.unitBytes === 0 && offset + sizeBytes <= end;
}

function refuse(reason: Refusal): RssStep {
  return { kind: "refuse", reason, ms: 1 };
}
