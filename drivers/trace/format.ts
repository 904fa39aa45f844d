import { fromHex, toHex } from "../../src/bytes/hex.ts";
import type { ProbeAttachment } from "../../src/ports/index.ts";
import { type FailureParameters, isFailureCode, type TraceFailure } from "./failures.ts";

/** What happened: `reset` is an opening that resets the USB device first. */
export type TraceOperation = (typeof operations)[number];
const operations = ["open", "reset", "send", "receive", "close"] as const;

/** Bytes that were replaced by zeros because they are secret. */
export interface HiddenRange {
  readonly offset: number;
  readonly length: number;
  /** SHA-256 of the hidden bytes; absent for few bytes, which could be found by trying all their values. */
  readonly sha256?: string;
}

/** One line of a trace. */
export interface TraceRecord {
  /** Counts from 1 without gaps. */
  readonly n: number;
  /** Milliseconds from the beginning of the recording to the end of the operation. */
  readonly t: number;
  /** What the run was doing: the state of an install, `start` before any. */
  readonly phase: string;
  readonly op: TraceOperation;
  /** Bytes asked for by a `receive`. */
  readonly size?: number;
  /** Bytes sent, or received; a `receive` that failed has none. */
  readonly data?: Uint8Array;
  readonly hidden?: readonly HiddenRange[];
  readonly failure?: TraceFailure;
}

/** First line of a trace. */
export interface TraceHeader {
  readonly attachment: ProbeAttachment;
  /** Wall-clock time at which the recording began, ISO 8601. */
  readonly time: string;
}

/** The first line. Keys: schema, kind, time, attachment. */
export function encodeHeader({ attachment, time }: TraceHeader): string {
  const { kind, selector, vendorId, productId, serial } = attachment;
  return JSON.stringify({
    schema: 1,
    kind: "trace",
    time,
    attachment: { kind, selector, vendorId, productId, serial },
  });
}

/** A line that is no header. Keys: n, t, phase, op, size, data (hexadecimal), hidden, error, parameters. */
export function encodeRecord(record: TraceRecord): string {
  const { n, t, phase, op, size, data, hidden, failure } = record;
  return JSON.stringify({
    n,
    t,
    phase,
    op,
    size,
    data: data === undefined ? undefined : toHex(data),
    hidden: hidden === undefined || hidden.length === 0 ? undefined : hidden,
    error: failure?.code,
    parameters: failure?.parameters,
  });
}

/** @throws RangeError that says what is wrong with the line */
export function decodeHeader(line: string): TraceHeader {
  const value = parseObject(line);
  demand(value["schema"] === 1, `schema is ${String(value["schema"])}, not 1`);
  demand(value["kind"] === "trace", `kind is ${String(value["kind"])}, not trace`);
  const { time, attachment } = value;
  demand(typeof time === "string" && !Number.isNaN(Date.parse(time)), "time is no ISO 8601 time");
  demand(isObject(attachment), "attachment is missing");
  const { kind, selector, vendorId, productId, serial } = attachment;
  demand(kind === "usb" || kind === "virtual" || kind === "replay", "attachment.kind is not known");
  demand(typeof selector === "string" && typeof serial === "string", "selector or serial is no text");
  demand(
    isWhole(vendorId, 0xffff) && isWhole(productId, 0xffff),
    "vendorId or productId is no 16-bit number",
  );
  return { time, attachment: { kind, selector, vendorId, productId, serial } };
}

/**
 * @param before the record of the line before, if any
 * @throws RangeError that says what is wrong with the line
 */
export function decodeRecord(line: string, before: TraceRecord | undefined): TraceRecord {
  const value = parseObject(line);
  const { n, t, phase, size, hidden } = value;
  const expected = (before?.n ?? 0) + 1;
  demand(n === expected, `n is ${String(n)}, not ${expected}`);
  demand(typeof t === "number" && t >= (before?.t ?? 0), "t is no time at or after the line before");
  demand(typeof phase === "string", "phase is no text");
  const op = operations.find((name) => name === value["op"]);
  demand(op !== undefined, `op ${String(value["op"])} is not known`);
  const data = decodeData(value["data"]);
  const failure = decodeFailure(value["error"], value["parameters"]);
  demand((size !== undefined) === (op === "receive"), "size belongs to receive and to nothing else");
  demand(size === undefined || isWhole(size, 0xffff_ffff), "size is no number of bytes");
  const hasData = op === "send" || (op === "receive" && failure === undefined);
  demand((data !== undefined) === hasData, `data is ${hasData ? "missing" : "given where there is none"}`);
  demand(size === undefined || (data?.length ?? 0) <= size, "more data than was asked for");
  return {
    n: expected,
    t,
    phase,
    op,
    ...(size === undefined ? {} : { size }),
    ...(data === undefined ? {} : { data }),
    ...(hidden === undefined ? {} : { hidden: decodeHidden(hidden, data ?? new Uint8Array(0)) }),
    ...(failure === undefined ? {} : { failure }),
  };
}

function decodeData(value: unknown): Uint8Array | undefined {
  if (value === undefined) return undefined;
  demand(typeof value === "string" && !/\s/.test(value), "data is no hexadecimal text");
  return fromHex(value);
}

function decodeFailure(code: unknown, parameters: unknown = {}): TraceFailure | undefined {
  if (code === undefined) return undefined;
  demand(isFailureCode(code), `error ${String(code)} is none that a transfer can have`);
  demand(
    isObject(parameters) && Object.values(parameters).every(isTextOrNumber),
    "parameters are not usable",
  );
  return { code, parameters: parameters as FailureParameters };
}

function decodeHidden(value: unknown, data: Uint8Array): HiddenRange[] {
  demand(Array.isArray(value), "hidden is no list");
  let end = 0;
  return value.map((range: unknown) => {
    demand(isObject(range), "hidden is no list of objects");
    const { offset, length, sha256 } = range;
    demand(isWhole(offset, data.length) && isWhole(length, data.length), "hidden lies outside the data");
    demand(length > 0 && offset >= end && offset + length <= data.length, "hidden lies outside the data");
    end = offset + length;
    demand(
      data.subarray(offset, end).every((byte) => byte === 0),
      "hidden bytes are not zero",
    );
    if (sha256 === undefined) return { offset, length };
    demand(typeof sha256 === "string" && /^[0-9a-f]{64}$/.test(sha256), "sha256 is no digest");
    return { offset, length, sha256 };
  });
}

function parseObject(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (thrown) {
    throw new RangeError("it is not JSON", { cause: thrown });
  }
  demand(isObject(value), "it is not an object");
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown, maximum: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maximum;
}

function isTextOrNumber(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number";
}

function demand(condition: boolean, detail: string): asserts condition {
  if (!condition) throw new RangeError(detail);
}
