import type { ListingEntry } from "../../drivers/trace/decode/listing.ts";

const timeColumns = 10;
const indent = " ".repeat(6 + timeColumns + 4);

/** A listing for people: a line a command, what it did to the target below it, a line where the phase changes. */
export function renderListing(entries: Iterable<ListingEntry>): string[] {
  const lines: string[] = [];
  let phase: string | undefined;
  for (const entry of entries) {
    if (entry.phase !== phase) {
      phase = entry.phase;
      lines.push(`-- ${phase}`);
    }
    lines.push(commandLine(entry), ...entry.meaning.map((text) => `${indent}${text}`));
  }
  return lines;
}

function commandLine(entry: ListingEntry): string {
  const { n, t, command, status, error, hiddenBytes } = entry;
  const answer = [
    ...(status === undefined ? [] : [status]),
    ...pairs(entry.reply),
    ...(error === undefined ? [] : [`failed: ${error}`]),
    ...(hiddenBytes === undefined ? [] : [`(${hiddenBytes} bytes not shown)`]),
  ];
  const words = [command, ...pairs(entry.arguments)].join(" ");
  const arrow = answer.length === 0 ? "" : `  -> ${answer.join(" ")}`;
  return `${String(n).padStart(6)}${t.toFixed(3).padStart(timeColumns)}  ${words}${arrow}`;
}

function pairs(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([name, value]) => `${name}=${value}`);
}
