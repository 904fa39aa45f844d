import { StationError } from "../../src/errors/station-error.ts";
import { decodeHeader, decodeRecord, type TraceHeader, type TraceRecord } from "./format.ts";

/** A whole trace. */
export interface Trace {
  /** Name of the file, for messages. */
  readonly file: string;
  readonly header: TraceHeader;
  readonly records: readonly TraceRecord[];
}

/** What a line of a trace turned out to be. */
export type TraceLine =
  | { readonly kind: "header"; readonly header: TraceHeader }
  | { readonly kind: "record"; readonly record: TraceRecord };

/**
 * Reads a trace line by line; no more than one line is held.
 * @param chunks the file's content in any pieces
 * @param file its name, for messages
 * @throws TRACE_INVALID with the line
 */
export async function* traceLines(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  file: string,
): AsyncGenerator<TraceLine> {
  let number = 0;
  let before: TraceRecord | undefined;
  for await (const line of textLines(chunks)) {
    number += 1;
    try {
      if (number === 1) {
        yield { kind: "header", header: decodeHeader(line) };
      } else {
        before = decodeRecord(line, before);
        yield { kind: "record", record: before };
      }
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown;
      throw invalid(file, number, thrown.message, thrown);
    }
  }
  if (number === 0) throw invalid(file, 1, "the file is empty");
}

/** The whole trace. @throws TRACE_INVALID */
export async function readTrace(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  file: string,
): Promise<Trace> {
  let header: TraceHeader | undefined;
  const records: TraceRecord[] = [];
  for await (const line of traceLines(chunks, file)) {
    if (line.kind === "header") header = line.header;
    else records.push(line.record);
  }
  if (header === undefined) throw invalid(file, 1, "the file is empty");
  return { file, header, records };
}

/** Lines without their ends; a last line may lack its own. */
async function* textLines(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}

function invalid(file: string, line: number, detail: string, cause?: unknown): StationError {
  return StationError.of("TRACE_INVALID", { file, line, detail }, { cause });
}
