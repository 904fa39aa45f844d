import type { BulkOpener, BulkPort, Clock } from "../../src/ports/index.ts";
import { toFailure } from "./failures.ts";
import { encodeHeader, encodeRecord, type TraceRecord } from "./format.ts";
import { createSecrets, withoutSecrets } from "./secrets.ts";

/** Where the lines of a trace go. */
export interface TraceSink {
  /** Takes one line without its end. Never throws: recording must not change what is recorded. */
  append(line: string): void;
}

/** An opener that leaves a line of every operation. */
export interface RecordingOpener extends BulkOpener {
  /** Name what the run does from here on; stands on every following line. */
  enterPhase(phase: string): void;
  /** Keep these bytes out of the trace from here on: zeros and a digest stand in their place. */
  hide(secret: Uint8Array): void;
}

/** What stands in a line besides its number, time and phase. */
type Happening = Omit<TraceRecord, "n" | "t" | "phase">;

const firstPhase = "start";

/**
 * Wraps an opener so that every opening, transfer, closing and failure is written, in the order in which they ended.
 * What the wrapped opener does and throws is passed on unchanged.
 * @param clock times the lines
 */
export function recordingOpener(opener: BulkOpener, sink: TraceSink, clock: Clock): RecordingOpener {
  const startMs = clock.monotonicMs();
  const secrets = createSecrets();
  let phase = firstPhase;
  let lines = 0;
  let lastMs = 0;

  function write(happening: Happening): void {
    lastMs = Math.max(lastMs, clock.monotonicMs() - startMs);
    lines += 1;
    const record = { n: lines, t: lastMs, phase, ...happening };
    sink.append(encodeRecord(withoutSecrets(record, secrets)));
  }

  async function recorded<Result>(
    happening: Happening,
    job: () => Promise<Result>,
    dataOf: (result: Result) => Pick<Happening, "data"> = () => ({}),
  ): Promise<Result> {
    let result: Result;
    try {
      result = await job();
    } catch (thrown) {
      write({ ...happening, failure: toFailure(thrown) });
      throw thrown;
    }
    write({ ...happening, ...dataOf(result) });
    return result;
  }

  const recordingPort = (port: BulkPort): BulkPort => ({
    send: (data, timeoutMs) => recorded({ op: "send", data }, () => port.send(data, timeoutMs)),
    receive: (sizeBytes, timeoutMs) =>
      recorded(
        { op: "receive", size: sizeBytes },
        () => port.receive(sizeBytes, timeoutMs),
        (data) => ({ data }),
      ),
    close: () => recorded({ op: "close" }, () => port.close()),
  });

  sink.append(encodeHeader({ attachment: opener.attachment, time: clock.now().toISOString() }));
  return {
    attachment: opener.attachment,
    open: async (options) =>
      recordingPort(await recorded({ op: options?.reset ? "reset" : "open" }, () => opener.open(options))),
    enterPhase: (name) => {
      phase = name;
    },
    hide: (secret) => secrets.hide(secret),
  };
}
