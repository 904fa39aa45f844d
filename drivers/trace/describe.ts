import { sha256Hex } from "../../src/bytes/digest.ts";
import { toHex } from "../../src/bytes/hex.ts";
import type { HiddenRange, TraceRecord } from "./format.ts";
import type { Span } from "./secrets.ts";

/** How much of a transfer a message shows. */
const shownBytes = 24;

/**
 * A recorded operation for messages.
 * @param from offset of the byte the message is about
 */
export function describeRecord({ op, size, data, hidden, failure }: TraceRecord, from = 0): string {
  const failed = failure === undefined ? "" : `, which failed with ${failure.code}`;
  if (op === "receive") return `receive ${size ?? 0} bytes${failed}`;
  if (data === undefined) return `${op}${failed}`;
  return `${describeData(op, data, hidden ?? [], from)}${failed}`;
}

/** A transfer for messages: its bytes around `from`, with `**` in the place of secret ones and their digest behind. */
export function describeData(
  op: string,
  data: Uint8Array,
  hidden: readonly (Span | HiddenRange)[],
  from = 0,
): string {
  const start = Math.max(0, Math.min(from - shownBytes / 2, data.length - shownBytes));
  const end = Math.min(data.length, start + shownBytes);
  let text = "";
  for (let i = start; i < end; i++) {
    const secret = hidden.some(({ offset, length }) => i >= offset && i < offset + length);
    text += secret ? "**" : toHex(data.subarray(i, i + 1));
  }
  const where = start === 0 ? "" : ` at byte ${start}:`;
  const dots = end < data.length ? "…" : "";
  const digests = hidden.flatMap((range) => digestOf(data, range)).map((digest) => ` (sha256 ${digest}…)`);
  return `${op} ${data.length} bytes${where} ${text}${dots}${digests.join("")}`.trimEnd();
}

function digestOf(data: Uint8Array, range: Span | HiddenRange): string[] {
  if ("sha256" in range && range.sha256 !== undefined) return [range.sha256.slice(0, 16)];
  const bytes = data.subarray(range.offset, range.offset + range.length);
  return bytes.length >= 16 && bytes.some((byte) => byte !== 0) ? [sha256Hex(bytes).slice(0, 16)] : [];
}
