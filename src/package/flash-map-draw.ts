import { hex32 } from "../bytes/hex.ts";
import { type MapSpan, type MemoryMap, usedFraction } from "./flash-map.ts";

/** Columns of the text bar. */
const barColumns = 64;

/**
 * The map as text: a bar for each memory (`#` area, `T` token, `.` free), then a line for each span.
 * The same bytes on every machine; addresses in hexadecimal, sizes in bytes.
 */
export function mapText(maps: readonly MemoryMap[]): string {
  return maps.flatMap(memoryText).join("\n");
}

function memoryText(map: MemoryMap): string[] {
  const { address, sizeBytes, sectorBytes, spans } = map;
  const sectors = sectorBytes === undefined ? "" : `, sectors of ${sectorBytes} bytes`;
  return [
    `${hex32(address)}..${hex32(address + sizeBytes - 1)}  ${sizeBytes} bytes, ${Math.round(100 * usedFraction(map))} % used${sectors}`,
    `[${barOf(map)}]`,
    ...spans.map(
      (span) =>
        `  ${hex32(span.address)}..${hex32(span.address + Math.max(1, span.sizeBytes) - 1)}  ${String(span.sizeBytes).padStart(9)}  ${spanText(span, map)}`,
    ),
  ];
}

function spanText({ name, part, kind, address, sizeBytes }: MapSpan, map: MemoryMap): string {
  const { sectorBytes } = map;
  const partText = part === undefined ? "" : `, part ${part}`;
  if (sectorBytes === undefined || kind === "gap") return `${name}${partText}`;
  const first = Math.floor((address - map.address) / sectorBytes);
  const last = Math.floor((address - map.address + Math.max(1, sizeBytes) - 1) / sectorBytes);
  return `${name}${partText}, ${first === last ? `sector ${first}` : `sectors ${first}..${last}`}`;
}

/** A column shows what matters most in its stretch: the token, then areas, then free space. */
function barOf({ address, sizeBytes, spans }: MemoryMap): string {
  return Array.from({ length: barColumns }, (_, column) => {
    const start = address + (column * sizeBytes) / barColumns;
    const end = address + ((column + 1) * sizeBytes) / barColumns;
    const kinds = spans
      .filter((span) => span.address < end && span.address + span.sizeBytes > start)
      .map(({ kind }) => kind);
    return kinds.includes("token") ? "T" : kinds.includes("area") ? "#" : ".";
  }).join("");
}

const svgWidth = 960;
const rowHeight = 64;
const margin = 16;
const barHeight = 24;
/** Fill by part, in turn; gray for what is free, red for the token. */
const partFills = ["#3b82c4", "#5aa469", "#c58b3b", "#8b6bb1"];

/** The map as an SVG picture: a bar for each memory with its areas, parts, gaps, sectors and the token; titles tell more. */
export function mapSvg(maps: readonly MemoryMap[], title: string): string {
  const height = margin * 2 + 24 + maps.length * rowHeight;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${svgWidth}" height="${height}" viewBox="0 0 ${svgWidth} ${height}" font-family="monospace" font-size="12">`,
    `<title>${escapeXml(title)}</title>`,
    `<text x="${margin}" y="${margin + 12}">${escapeXml(title)}</text>`,
    ...maps.flatMap((map, row) => memorySvg(map, margin + 24 + row * rowHeight)),
    "</svg>",
    "",
  ].join("\n");
}

function memorySvg(map: MemoryMap, top: number): string[] {
  const width = svgWidth - 2 * margin;
  const place = (address: number) => margin + ((address - map.address) * width) / map.sizeBytes;
  const barTop = top + 18;
  const rectangle = (span: MapSpan) => {
    const least = span.kind === "gap" ? 0 : 1;
    const spanWidth = Math.max(least, (span.sizeBytes * width) / map.sizeBytes);
    const fill =
      span.kind === "gap" ? "#eeeeee" : span.kind === "token" ? "#c0392b" : partFill(span.part ?? 1);
    return `<rect class="${span.kind}" x="${round(place(span.address))}" y="${barTop}" width="${round(spanWidth)}" height="${barHeight}" fill="${fill}"><title>${escapeXml(`${spanText(span, map)}: ${hex32(span.address)}, ${span.sizeBytes} bytes`)}</title></rect>`;
  };
  return [
    `<text x="${margin}" y="${top + 12}">${hex32(map.address)}..${hex32(map.address + map.sizeBytes - 1)}</text>`,
    // The token last, so that no area hides it.
    ...map.spans.filter(({ kind }) => kind !== "token").map(rectangle),
    ...map.spans.filter(({ kind }) => kind === "token").map(rectangle),
    ...sectorLines(map, place, barTop),
  ];
}

function sectorLines(map: MemoryMap, place: (address: number) => number, barTop: number): string[] {
  const { sectorBytes } = map;
  if (sectorBytes === undefined || map.sizeBytes / sectorBytes > 512) return [];
  return Array.from({ length: Math.floor(map.sizeBytes / sectorBytes) + 1 }, (_, i) => {
    const x = round(place(map.address + i * sectorBytes));
    return `<line class="sector" x1="${x}" y1="${barTop}" x2="${x}" y2="${barTop + barHeight + 4}" stroke="#555555" stroke-width="0.5"/>`;
  });
}

function partFill(part: number): string {
  return partFills[(part - 1) % partFills.length] as string;
}

function round(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
