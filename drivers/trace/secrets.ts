import { sha256Hex } from "../../src/bytes/digest.ts";
import type { HiddenRange, TraceRecord } from "./format.ts";

/** Byte strings that must not stand in a trace: licenses. Filled in as a run learns them. */
export interface Secrets {
  /** Fewer than four bytes cannot be told from other data and are not found. */
  hide(secret: Uint8Array): void;
  /** Where pieces of any secret stand in `data`; in order, not overlapping. */
  find(data: Uint8Array): readonly Span[];
  /** The piece of a known secret that has this digest, or undefined. */
  recall(sha256: string, lengthBytes: number): Uint8Array | undefined;
}

/** A stretch of a transfer. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** Shortest piece that is recognized: a memory write may be cut anywhere, down to one word. */
const pieceBytes = 4;
/** A piece with fewer different bytes (zeros, small numbers) stands everywhere and gives nothing away. */
const pieceValues = 3;
/** From this length on the digest of hidden bytes cannot be undone by trying. */
const digestBytes = 16;

/** No secrets yet. */
export function createSecrets(): Secrets {
  const known: Uint8Array[] = [];
  const pieces = new Map<number, { readonly secret: Uint8Array; readonly at: number }[]>();

  function hide(secret: Uint8Array): void {
    const own = Uint8Array.from(secret);
    known.push(own);
    const places = Array.from({ length: Math.max(0, own.length - pieceBytes + 1) }, (_, at) => at);
    const distinctive = places.filter((at) => isDistinctive(own, at));
    // A secret of nothing but repetition has to be found by what it has.
    for (const at of distinctive.length > 0 ? distinctive : places) {
      const key = pieceAt(own, at);
      pieces.set(key, [...(pieces.get(key) ?? []), { secret: own, at }]);
    }
  }

  function find(data: Uint8Array): Span[] {
    if (known.length === 0) return [];
    const marked = new Uint8Array(data.length);
    for (let at = 0; at + pieceBytes <= data.length; at++) {
      for (const place of pieces.get(pieceAt(data, at)) ?? []) {
        const { start, end } = extend(data, at, place.secret, place.at);
        marked.fill(1, start, end);
      }
    }
    return spansOf(marked);
  }

  function recall(sha256: string, lengthBytes: number): Uint8Array | undefined {
    for (const secret of known) {
      for (let at = 0; at + lengthBytes <= secret.length; at++) {
        const piece = secret.subarray(at, at + lengthBytes);
        if (sha256Hex(piece) === sha256) return piece;
      }
    }
    return undefined;
  }

  return { hide, find, recall };
}

/** The record with zeros and markers in the place of secrets. */
export function withoutSecrets(record: TraceRecord, secrets: Pick<Secrets, "find">): TraceRecord {
  const { data } = record;
  const spans = data === undefined ? [] : secrets.find(data);
  if (data === undefined || spans.length === 0) return record;
  return { ...record, data: blank(data, spans), hidden: spans.map((span) => hiddenRange(data, span)) };
}

/** The marker of a hidden stretch of `data`. */
function hiddenRange(data: Uint8Array, { offset, length }: Span): HiddenRange {
  if (length < digestBytes) return { offset, length };
  return { offset, length, sha256: sha256Hex(data.subarray(offset, offset + length)) };
}

/** A copy of `data` with zeros in the stretches. */
function blank(data: Uint8Array, spans: readonly Span[]): Uint8Array {
  const copy = Uint8Array.from(data);
  for (const { offset, length } of spans) copy.fill(0, offset, offset + length);
  return copy;
}

/** As much around a recognized piece as secret and data have in common. */
function extend(data: Uint8Array, at: number, secret: Uint8Array, place: number) {
  let before = 0;
  while (before < at && before < place && data[at - before - 1] === secret[place - before - 1]) before++;
  let behind = pieceBytes;
  while (
    at + behind < data.length &&
    place + behind < secret.length &&
    data[at + behind] === secret[place + behind]
  )
    behind++;
  return { start: at - before, end: at + behind };
}

function spansOf(marked: Uint8Array): Span[] {
  const spans: Span[] = [];
  for (let offset = marked.indexOf(1); offset !== -1; ) {
    const end = marked.indexOf(0, offset);
    const length = (end === -1 ? marked.length : end) - offset;
    spans.push({ offset, length });
    offset = end === -1 ? -1 : marked.indexOf(1, end);
  }
  return spans;
}

function pieceAt(bytes: Uint8Array, at: number): number {
  let key = 0;
  for (let i = 0; i < pieceBytes; i++) key = key * 256 + (bytes[at + i] ?? 0);
  return key;
}

function isDistinctive(bytes: Uint8Array, at: number): boolean {
  return new Set(bytes.subarray(at, at + pieceBytes)).size >= pieceValues;
}
