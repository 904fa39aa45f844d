import { frameBytes } from "../decode/assemble.ts";
import { shapeOf } from "../decode/shapes.ts";
import type { TraceFailure } from "../failures.ts";
import type { TraceRecord } from "../format.ts";
import { captureInvalid } from "./container.ts";
import { stillRunning, type Urb, urbsOf } from "./urbs.ts";

/** What went between a host and one ST-LINK. */
export interface StlinkTraffic {
  /** `<bus>.<device>` as usbmon numbers them. */
  readonly place: string;
  readonly outEndpoint: number;
  readonly inEndpoint: number;
  /** When the first transfer took place. */
  readonly startMicroseconds: number;
  /** One record a transfer, as it was on the bus. Bytes that the capture lacks are marked hidden, without a digest. */
  readonly records: readonly TraceRecord[];
  /** Packets whose bytes the capture does not have in full. */
  readonly cutPackets: readonly number[];
}

/** First byte of the bridge's commands (SPI, I2C, CAN), which have an endpoint of their own. */
const bridgeCommand = 0xfc;
/** No host offers more in one URB (Linux usbfs takes 16 MiB in all); a larger length is damage. */
const mostBytes = 16 * 1024 * 1024;

/**
 * The ST-LINKs in a usbmon capture, found by what goes over their endpoints: 16-byte blocks that are commands on one,
 * replies of the length that belongs to them on the other.
 * @throws CAPTURE_INVALID when the file is damaged or none is found
 */
export function stlinkTraffic(bytes: Uint8Array, file: string): StlinkTraffic[] {
  const devices = new Map<string, Urb[]>();
  for (const urb of urbsOf(bytes, file)) {
    if (urb.sizeBytes > mostBytes || urb.actualBytes > mostBytes) {
      throw captureInvalid(file, urb.packet, "its length cannot be true");
    }
    const place = `${urb.bus}.${urb.device}`;
    const list = devices.get(place);
    if (list === undefined) devices.set(place, [urb]);
    else list.push(urb);
  }
  const found = [...devices].flatMap(([place, urbs]) => {
    const pair = debugPair(urbs);
    return pair === undefined ? [] : [trafficOf(place, pair, urbs)];
  });
  if (found.length === 0) {
    throw captureInvalid(file, 0, `no ST-LINK among the ${devices.size} devices with bulk transfers in it`);
  }
  return found;
}

interface Pair {
  readonly outEndpoint: number;
  readonly inEndpoint: number;
}

/** The endpoints on which most replies fit their commands; undefined when none does. */
function debugPair(urbs: readonly Urb[]): Pair | undefined {
  const endpoints = [...new Set(urbs.map(({ endpoint }) => endpoint))].sort((a, b) => a - b);
  const ins = endpoints.filter((endpoint) => endpoint >= 0x80);
  const outs = endpoints.filter((endpoint) => endpoint < 0x80 && speaksStlink(urbs, endpoint));
  let best: Pair | undefined;
  let bestScore = 0;
  for (const outEndpoint of outs) {
    for (const inEndpoint of ins) {
      const score = matchingReplies(urbs, { outEndpoint, inEndpoint });
      if (score > bestScore) {
        best = { outEndpoint, inEndpoint };
        bestScore = score;
      }
    }
  }
  return best;
}

/** Most of its 16-byte transfers are known commands, and none is the bridge's. */
function speaksStlink(urbs: readonly Urb[], endpoint: number): boolean {
  const blocks = urbs.filter((urb) => urb.endpoint === endpoint && urb.data.length === frameBytes);
  if (blocks.some(({ data }) => data[0] === bridgeCommand)) return false;
  const known = blocks.filter(({ data }) => shapeOf(data) !== undefined).length;
  return known > 0 && 2 * known >= blocks.length;
}

function matchingReplies(urbs: readonly Urb[], { outEndpoint, inEndpoint }: Pair): number {
  let expectedBytes = 0;
  let matches = 0;
  for (const { endpoint, data, actualBytes } of urbs) {
    if (endpoint === outEndpoint) {
      const shape = data.length === frameBytes ? shapeOf(data) : undefined;
      expectedBytes = shape?.replyBytes(data, { miscCount: 0 }) ?? 0;
    } else if (endpoint === inEndpoint && expectedBytes > 0) {
      if (actualBytes === expectedBytes) matches += 1;
      expectedBytes = 0;
    }
  }
  return matches;
}

function trafficOf(place: string, pair: Pair, urbs: readonly Urb[]): StlinkTraffic {
  const own = urbs.filter(({ endpoint }) => endpoint === pair.outEndpoint || endpoint === pair.inEndpoint);
  const startMicroseconds = own[0]?.atMicroseconds ?? 0;
  let t = 0;
  const records = own.map((urb, index) => {
    // The clock of the capturing machine may have been set while it ran.
    t = Math.max(t, (urb.atMicroseconds - startMicroseconds) / 1000);
    return recordOf(urb, index + 1, t);
  });
  return {
    place,
    ...pair,
    startMicroseconds,
    records,
    cutPackets: own.filter(({ cut }) => cut).map(({ packet }) => packet),
  };
}

function recordOf(urb: Urb, n: number, t: number): TraceRecord {
  const out = urb.endpoint < 0x80;
  const failure = failureOf(urb);
  const place = { n, t, phase: "capture", ...(failure === undefined ? {} : { failure }) };
  if (out) return { ...place, op: "send", ...whole(urb.data, urb.sizeBytes) };
  const size = urb.sizeBytes;
  if (failure !== undefined) return { ...place, op: "receive", size };
  // A completion may not claim more than was asked for.
  return { ...place, op: "receive", size, ...whole(urb.data, Math.min(urb.actualBytes, size)) };
}

/** The bytes as far as they were captured, then zeros that are marked as not known. */
function whole(data: Uint8Array, sizeBytes: number): Pick<TraceRecord, "data" | "hidden"> {
  if (data.length >= sizeBytes) return { data: data.subarray(0, sizeBytes) };
  const padded = new Uint8Array(sizeBytes);
  padded.set(data);
  return { data: padded, hidden: [{ offset: data.length, length: sizeBytes - data.length }] };
}

/** Linux error numbers of a bulk transfer's end (Documentation/driver-api/usb/error-codes.rst). */
const errnos: Readonly<Record<number, TraceFailure["code"] | "ok">> = {
  0: "ok",
  [-stillRunning]: "ok",
  121: "ok", // EREMOTEIO: a short packet where the driver asked to be told of it
  2: "USB_TIMEOUT", // ENOENT and ECONNRESET: the host withdrew it
  104: "USB_TIMEOUT",
  110: "USB_TIMEOUT",
  32: "USB_STALL", // EPIPE
  75: "USB_OVERFLOW", // EOVERFLOW
  19: "PROBE_LOST", // ENODEV
  108: "PROBE_LOST", // ESHUTDOWN
};

function failureOf({
  endpoint,
  status,
  sizeBytes,
  actualBytes,
  durationMicroseconds,
}: Urb): TraceFailure | undefined {
  const out = endpoint < 0x80;
  const transfer = `${out ? "OUT" : "IN"} ${sizeBytes} bytes`;
  const code = errnos[-status] ?? "USB_IO";
  if (code !== "ok") {
    const timeoutMs = Math.max(0, Math.round(durationMicroseconds / 1000));
    return { code, parameters: { transfer, timeoutMs, detail: `errno ${-status}` } };
  }
  if (!out || status === stillRunning || actualBytes === sizeBytes) return undefined;
  return { code: "USB_IO", parameters: { transfer, detail: `${actualBytes} bytes were taken` } };
}
