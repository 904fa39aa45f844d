import { appendFileSync, closeSync, createReadStream, openSync } from "node:fs";
import type { Trace } from "../../drivers/trace/read.ts";
import { readTrace } from "../../drivers/trace/read.ts";
import type { TraceSink } from "../../drivers/trace/record.ts";
import { StationError } from "../errors/station-error.ts";
import { systemDetail } from "./files.ts";

/** A trace file that is being written. */
export interface TraceFile extends TraceSink {
  close(): void;
}

/**
 * A new trace file; it must not exist yet. Readable by its owner only: firmware crosses the wire.
 * A line is in the file when `append` returns, so that a crash of the process loses none. When the file cannot be
 * written any more, recording ends and the job goes on.
 * @param warn told once when recording had to end
 * @throws OUTPUT_UNWRITABLE
 */
export function createTraceFile(file: string, warn: (message: string) => void): TraceFile {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "ax", 0o600);
  } catch (error) {
    throw StationError.of("OUTPUT_UNWRITABLE", { file, detail: systemDetail(error) }, { cause: error });
  }
  const close = () => {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = undefined;
  };
  return {
    append(line) {
      if (descriptor === undefined) return;
      try {
        appendFileSync(descriptor, `${line}\n`);
      } catch (error) {
        warn(`trace ${file} is not complete: ${systemDetail(error)}`);
        close();
      }
    },
    close,
  };
}

/** A trace file as a whole. @throws FILE_UNREADABLE, TRACE_INVALID */
export async function readTraceFile(file: string): Promise<Trace> {
  return await readTrace(fileChunks(file), file);
}

async function* fileChunks(file: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of createReadStream(file)) yield chunk as Uint8Array;
  } catch (error) {
    throw StationError.of("FILE_UNREADABLE", { file, detail: systemDetail(error) }, { cause: error });
  }
}
