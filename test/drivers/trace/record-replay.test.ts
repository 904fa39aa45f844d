import { describe, expect, it } from "vitest";
import type { TraceRecord } from "../../../drivers/trace/format.ts";
import type { Trace } from "../../../drivers/trace/read.ts";
import { recordingOpener } from "../../../drivers/trace/record.ts";
import { replayOpener } from "../../../drivers/trace/replay.ts";
import { toHex } from "../../../src/bytes/hex.ts";
import { isStationError, StationError } from "../../../src/errors/station-error.ts";
import type { BulkOpener, BulkPort } from "../../../src/ports/index.ts";
import { attachment } from "../stlink/support/attachments.ts";
import { manualClock } from "../stlink/support/manual-clock.ts";
import { scriptedProbe } from "../stlink/support/scripted-port.ts";
import { inspect, memorySink, recordOnBench, replayWithClock, traceOf } from "./support/inspecting.ts";

const block = (first: number) => Uint8Array.from({ length: 16 }, (_, i) => (i === 0 ? first : 0));

describe("recording and replaying an inspection of the virtual bench", () => {
  it("gives the same result, to the microsecond of modelled time, and needs the whole trace", async () => {
    const { result, text } = await recordOnBench(inspect);
    const { opener, clock } = replayWithClock(await traceOf(text));
    expect(opener.attachment).toMatchObject({ kind: "replay", selector: "replay:test.ndjson" });
    expect(await inspect(opener, clock)).toEqual(result);
    opener.finish();
  });

  it("recorded again while it is replayed gives the same lines", async () => {
    const { text } = await recordOnBench(inspect);
    const { opener, clock } = replayWithClock(await traceOf(text));
    const sink = memorySink();
    await inspect(recordingOpener(opener, sink, clock), clock);
    expect(sink.lines.slice(1)).toEqual(text.trimEnd().split("\n").slice(1));
  });

  it("a changed byte anywhere in what was sent is a mismatch at that line", async () => {
    const { text } = await recordOnBench(inspect);
    const trace = await traceOf(text);
    const sends = trace.records.filter(({ op }) => op === "send");
    expect(sends.length).toBeGreaterThan(15);
    for (const { n, data } of sends) {
      for (const offset of data!.keys()) {
        const { opener, clock } = replayWithClock(withByteChanged(trace, n, offset));
        // The last command of all is sent while closing, where its failure is not the job's.
        await inspect(opener, clock).catch(() => undefined);
        expect(finishOf(opener), `line ${n}, byte ${offset}`).toMatchObject({
          code: "REPLAY_MISMATCH",
          parameters: { index: n },
        });
      }
    }
  });

  it("a changed byte anywhere in what was received ends in a named error or another result, never in a hang", async () => {
    const { result, text } = await recordOnBench(inspect);
    const trace = await traceOf(text);
    const outcomes = new Set<string>();
    for (const { n, op, data } of trace.records) {
      if (op !== "receive") continue;
      for (const offset of data!.keys()) {
        const { opener, clock } = replayWithClock(withByteChanged(trace, n, offset));
        const outcome = await inspect(opener, clock).then(
          (value) => (JSON.stringify(value) === JSON.stringify(result) ? "same" : "other"),
          (error: unknown) => (isStationError(error) ? error.code : `not a station error: ${String(error)}`),
        );
        outcomes.add(outcome);
      }
    }
    expect([...outcomes].filter((name) => name.startsWith("not") || name === "INTERNAL")).toEqual([]);
    expect([...outcomes]).toEqual(expect.arrayContaining(["other", "REPLAY_MISMATCH"]));
  });

  it("a transfer too few is a mismatch when the replay ends, one too many at once", async () => {
    const trace = await traceOf((await recordOnBench(inspect)).text);
    const longer = {
      ...trace,
      records: [...trace.records, { ...trace.records.at(-1)!, n: trace.records.length + 1 }],
    };
    const early = replayWithClock(longer);
    await inspect(early.opener, early.clock);
    expect(finishOf(early.opener)).toMatchObject({
      code: "REPLAY_MISMATCH",
      parameters: { expected: "close", actual: "the end of the run" },
    });
    const { opener, clock } = replayWithClock({ ...trace, records: trace.records.slice(0, 9) });
    await expect(inspect(opener, clock)).rejects.toMatchObject({
      code: "REPLAY_MISMATCH",
      parameters: { index: 10, expected: "the end of the trace" },
    });
  });
});

describe("recording", () => {
  it("writes every operation and failure with its phase, and passes failures on as they are", async () => {
    const scripted = scriptedProbe(0x374f, "> F5\n! in USB_TIMEOUT\nreset\n> F1\n< 30 00 83 04 4F 37");
    const clock = manualClock();
    const sink = memorySink();
    const opener = recordingOpener(scripted.opener, sink, clock);
    opener.enterPhase("planned");
    const port = await opener.open();
    await port.send(block(0xf5), 6000);
    await clock.sleep(7);
    await expect(port.receive(2, 6000)).rejects.toMatchObject({ code: "USB_TIMEOUT" });
    await port.close();
    opener.enterPhase("certified");
    const again = await opener.open({ reset: true });
    await again.send(block(0xf1), 6000);
    await again.receive(6, 6000);
    await again.close();
    expect(sink.lines.map((line) => JSON.parse(line))).toMatchObject([
      { schema: 1, kind: "trace", time: "1970-01-01T00:00:00.000Z", attachment: attachment(0x374f) },
      { n: 1, t: 0, phase: "planned", op: "open" },
      { n: 2, t: 0, phase: "planned", op: "send", data: toHex(block(0xf5)) },
      { n: 3, t: 7, phase: "planned", op: "receive", size: 2, error: "USB_TIMEOUT" },
      { n: 4, phase: "planned", op: "close" },
      { n: 5, phase: "certified", op: "reset" },
      { n: 6, phase: "certified", op: "send" },
      { n: 7, phase: "certified", op: "receive", size: 6, data: "300083044f37" },
      { n: 8, phase: "certified", op: "close" },
    ]);
  });

  it("records what is no station error as INTERNAL and throws it on unchanged", async () => {
    const failure = new RangeError("the host broke the probe's framing");
    const broken: BulkOpener = { attachment: attachment(0x374f), open: () => Promise.reject(failure) };
    const sink = memorySink();
    await expect(recordingOpener(broken, sink, manualClock()).open()).rejects.toBe(failure);
    expect(JSON.parse(sink.lines[1]!)).toMatchObject({ op: "open", error: "INTERNAL" });
  });
});

describe("replay", () => {
  it("throws recorded failures again, with the words they had", async () => {
    const errors = [
      StationError.of("USB_TIMEOUT", { transfer: "IN 2 bytes", timeoutMs: 6000 }),
      StationError.of("USB_STALL", { transfer: "IN 2 bytes" }),
      StationError.of("USB_OVERFLOW", { transfer: "IN 2 bytes" }),
      StationError.of("USB_IO", { transfer: "IN 2 bytes", detail: "LIBUSB_ERROR_IO" }),
      StationError.of("PROBE_LOST", {}),
    ];
    for (const error of errors) {
      const port: BulkPort = {
        send: async () => {},
        receive: () => Promise.reject(error),
        close: async () => {},
      };
      const sink = memorySink();
      const opener = { attachment: attachment(0x374f), open: async () => port };
      const recorded = await recordingOpener(opener, sink, manualClock()).open();
      await expect(recorded.receive(2, 6000)).rejects.toBe(error);
      const replayed = await replayOpener(await traceOf(sink.text())).open();
      await expect(replayed.receive(2, 6000)).rejects.toMatchObject({
        code: error.code,
        message: error.message,
      });
    }
  });

  it("refuses another size, another operation and another length, and stays refusing", async () => {
    const records: TraceRecord[] = [
      { n: 1, t: 0, phase: "start", op: "open" },
      { n: 2, t: 0, phase: "start", op: "send", data: block(0xf5) },
      { n: 3, t: 0, phase: "start", op: "receive", size: 2, data: Uint8Array.of(1, 0) },
    ];
    const trace: Trace = {
      file: "t",
      header: { time: "2024-01-01T00:00:00Z", attachment: attachment(0x374f) },
      records,
    };
    const attempts: readonly [string, (port: BulkPort) => Promise<unknown>, string][] = [
      ["shorter", (port) => port.send(block(0xf5).subarray(0, 15), 1), "send 15 bytes"],
      ["longer", (port) => port.send(new Uint8Array(17), 1), "send 17 bytes"],
      ["other bytes", (port) => port.send(block(0xf1), 1), "send 16 bytes f100"],
      ["receive", (port) => port.receive(2, 1), "receive 2 bytes"],
      ["close", (port) => port.close(), "close"],
    ];
    for (const [name, attempt, actual] of attempts) {
      const opener = replayOpener(trace);
      const port = await opener.open();
      const mismatch = {
        code: "REPLAY_MISMATCH",
        parameters: { index: 2, actual: expect.stringContaining(actual) },
      };
      await expect(attempt(port), name).rejects.toMatchObject(mismatch);
      await expect(port.send(block(0xf5), 1), name).rejects.toMatchObject(mismatch);
      expect(finishOf(opener)).toMatchObject(mismatch);
    }
    const opener = replayOpener(trace);
    const port = await opener.open();
    await port.send(block(0xf5), 1);
    await expect(port.receive(3, 1)).rejects.toMatchObject({
      parameters: { index: 3, expected: "receive 2 bytes", actual: "receive 3 bytes" },
    });
  });

  it("that was never begun has nothing to complain of", async () => {
    const trace = await traceOf((await recordOnBench(inspect)).text);
    expect(finishOf(replayOpener(trace))).toBeUndefined();
  });
});

function withByteChanged(trace: Trace, n: number, offset: number): Trace {
  const records = trace.records.map((record) => {
    if (record.n !== n) return record;
    const data = Uint8Array.from(record.data!);
    data[offset] = data[offset]! ^ 0x01;
    return { ...record, data };
  });
  return { ...trace, records };
}

function finishOf(opener: { finish(): void }): unknown {
  try {
    opener.finish();
    return undefined;
  } catch (error) {
    return error;
  }
}
