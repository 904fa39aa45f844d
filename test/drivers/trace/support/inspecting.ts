import { openStlink } from "../../../../drivers/stlink/probe.ts";
import { readTrace, type Trace } from "../../../../drivers/trace/read.ts";
import { recordingOpener } from "../../../../drivers/trace/record.ts";
import { type ReplayOpener, replayOpener } from "../../../../drivers/trace/replay.ts";
import { openVirtualBench, parseVirtualSelector } from "../../../../drivers/virtual/bench.ts";
import { VirtualClock } from "../../../../drivers/virtual/clock.ts";
import { connectDebug } from "../../../../src/dap/connect.ts";
import type { BulkOpener, Clock } from "../../../../src/ports/index.ts";
import { identifyTarget } from "../../../../src/target/identify.ts";
import { readOptionBytes } from "../../../../src/target/option-controller.ts";
import { h7Manifest } from "../../../support/sample-job.ts";

/** What `sfi inspect` and `sfi options show` read, as one comparable value. */
export async function inspect(opener: BulkOpener, clock: Clock): Promise<unknown> {
  const probe = await openStlink(opener, clock);
  try {
    const { kind: _kind, selector: _selector, ...identity } = probe.identity;
    const millivolts = await probe.readTargetMillivolts();
    const debug = await connectDebug(probe, clock, { mode: "hot-plug", clockKilohertz: 24_000, ap: 0 });
    const target = await identifyTarget(debug, [h7Manifest]);
    const optionBytes = await readOptionBytes(debug.memory(), target.manifest, target.variant);
    return {
      identity,
      millivolts,
      actualKilohertz: debug.actualKilohertz,
      uid: target.uid,
      flashSizeBytes: target.flashSizeBytes,
      words: [...optionBytes.words],
      endMs: clock.monotonicMs(),
    };
  } finally {
    await probe.close();
  }
}

/** Lines of a trace, as a sink and as they can be read again. */
export function memorySink() {
  const lines: string[] = [];
  return {
    lines,
    append: (line: string) => {
      lines.push(line);
    },
    text: () => lines.map((line) => `${line}\n`).join(""),
  };
}

export function traceOf(text: string, file = "test.ndjson"): Promise<Trace> {
  return readTrace([new TextEncoder().encode(text)], file);
}

/** Runs `job` on a new virtual bench and records it. */
export async function recordOnBench<Result>(
  job: (opener: BulkOpener, clock: Clock) => Promise<Result>,
  selector = "virtual:h753",
): Promise<{ readonly result: Result; readonly text: string }> {
  const bench = await openVirtualBench(parseVirtualSelector(selector));
  const sink = memorySink();
  const result = await job(recordingOpener(bench.opener, sink, bench.clock), bench.clock);
  await bench.close();
  return { result, text: sink.text() };
}

/** A replay with the clock that belongs to it. */
export function replayWithClock(trace: Trace): {
  readonly opener: ReplayOpener;
  readonly clock: VirtualClock;
} {
  const clock = new VirtualClock(new Date(trace.header.time));
  const opener = replayOpener(trace, {
    selector: "replay:test.ndjson",
    onTime: (elapsedMs) => clock.advanceTo(elapsedMs),
  });
  return { opener, clock };
}
