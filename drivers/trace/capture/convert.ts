import { hexNumber } from "../../../src/bytes/hex.ts";
import { assemble, type CommandEntry, type Entry } from "../decode/assemble.ts";
import { fieldOf } from "../decode/fields.ts";
import type { TraceRecord } from "../format.ts";
import type { Trace } from "../read.ts";
import { captureInvalid } from "./container.ts";
import type { StlinkTraffic } from "./stlink-traffic.ts";

/** What the version reply says of the probe. */
export interface ProbeIds {
  readonly vendorId: number;
  readonly productId: number;
}

type NewRecord = Omit<TraceRecord, "n">;

/**
 * A capture as a trace that can be replayed: phases that the host's USB stack had split are one transfer again, and an
 * opening and a closing stand around it all.
 * @throws CAPTURE_INVALID when bytes are missing or no version reply tells what probe it is
 */
export function traceOfCapture(traffic: StlinkTraffic, file: string): Trace {
  const [cut] = traffic.cutPackets;
  if (cut !== undefined) throw captureInvalid(file, cut, "its data were cut off when they were captured");
  const entries = [...assemble(traffic.records)];
  const ids = probeIds(entries);
  if (ids === undefined) throw captureInvalid(file, 0, "no version reply in it tells what probe it is");
  const last = traffic.records.at(-1);
  const records: NewRecord[] = [
    { t: 0, phase: "capture", op: "open" },
    ...entries.flatMap(joined),
    { t: last?.t ?? 0, phase: "capture", op: "close" },
  ];
  return {
    file,
    header: {
      time: isoTime(traffic.startMicroseconds),
      attachment: { kind: "usb", selector: `usbmon:${traffic.place}`, ...ids, serial: "" },
    },
    records: records.map((record, index) => ({ ...record, n: index + 1 })),
  };
}

/** From the first GET_VERSION reply: vendor id u16 @2, product id u16 @4. */
export function probeIds(entries: Iterable<Entry>): ProbeIds | undefined {
  for (const entry of entries) {
    if (entry.kind !== "command" || entry.shape?.name !== "GET_VERSION") continue;
    const { reply } = entry;
    if (reply === undefined || reply.length < 6) continue;
    return { vendorId: fieldOf(reply, { at: 2, bytes: 2 }), productId: fieldOf(reply, { at: 4, bytes: 2 }) };
  }
  return undefined;
}

/** A probe's ids as text, `0x0483:0x374F`. */
export function idsText({ vendorId, productId }: ProbeIds): string {
  return `${hexNumber(vendorId, 4)}:${hexNumber(productId, 4)}`;
}

function joined(entry: Entry): NewRecord[] {
  if (entry.kind === "other" || entry.failure !== undefined) return [...entry.records];
  const { frame, out, reply } = entry;
  return [
    { ...place(entry, "frame"), op: "send", data: frame },
    ...(out.length === 0 ? [] : [{ ...place(entry, "send"), op: "send", data: out } as const]),
    ...(reply === undefined
      ? []
      : [{ ...place(entry, "receive"), op: "receive", size: askedFor(entry), data: reply } as const]),
  ];
}

/** Time of the last transfer of a phase, which is when the joined one ended. */
function place({ records }: CommandEntry, phase: "frame" | "send" | "receive") {
  const of = phase === "frame" ? records.slice(0, 1) : records.slice(1).filter(({ op }) => op === phase);
  const record = of.at(-1);
  return { t: record?.t ?? 0, phase: record?.phase ?? "" };
}

function askedFor({ records }: CommandEntry): number {
  return records.reduce((sum, { size }) => sum + (size ?? 0), 0);
}

function isoTime(microseconds: number): string {
  const time = new Date(microseconds / 1000);
  return Number.isNaN(time.getTime()) ? new Date(0).toISOString() : time.toISOString();
}
