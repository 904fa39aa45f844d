import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeHeader, encodeRecord, type TraceRecord } from "../../../drivers/trace/format.ts";
import { readTrace } from "../../../drivers/trace/read.ts";
import { isStationError } from "../../../src/errors/station-error.ts";
import { attachment } from "../stlink/support/attachments.ts";
import { traceOf } from "./support/inspecting.ts";

const header = encodeHeader({ attachment: attachment(0x374f), time: "2024-01-01T00:00:00.000Z" });
const open = '{"n":1,"t":0,"phase":"start","op":"open"}';

const bytes = fc.uint8Array({ maxLength: 40 });
const records: fc.Arbitrary<Omit<TraceRecord, "n" | "t" | "phase">> = fc.oneof(
  fc.constantFrom<{ op: "open" | "reset" | "close" }>({ op: "open" }, { op: "reset" }, { op: "close" }),
  bytes.map((data) => ({ op: "send" as const, data })),
  fc.tuple(bytes, fc.nat({ max: 100 })).map(([data, more]) => ({
    op: "receive" as const,
    size: data.length + more,
    data,
  })),
  fc.nat({ max: 6144 }).map((size) => ({
    op: "receive" as const,
    size,
    failure: { code: "USB_TIMEOUT" as const, parameters: { transfer: `IN ${size} bytes`, timeoutMs: 6000 } },
  })),
  fc.nat({ max: 20 }).map((length) => ({
    op: "send" as const,
    data: new Uint8Array(length + 5),
    hidden: [{ offset: 2, length: length + 1, sha256: "ab".repeat(32) }],
  })),
);

describe("trace file", () => {
  it("reads what was written, in pieces of any size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(records, { maxLength: 20 }),
        fc.integer({ min: 1, max: 50 }),
        async (list, size) => {
          const written = list.map((record, i) => ({ n: i + 1, t: i / 8, phase: "planned", ...record }));
          const text = [header, ...written.map(encodeRecord)].join("\n");
          const all = new TextEncoder().encode(`${text}\n`);
          const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
            all.subarray(i * size, (i + 1) * size),
          );
          const trace = await readTrace(pieces, "test.ndjson");
          expect(trace.header.attachment).toEqual(attachment(0x374f));
          expect(trace.records).toEqual(written);
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each([
    ["an empty file", "", 1, "empty"],
    ["no JSON", "hello\n", 1, "not JSON"],
    ["another schema", header.replace('"schema":1', '"schema":2'), 1, "schema"],
    ["another kind of file", header.replace('"trace"', '"journal"'), 1, "kind"],
    ["no attachment", '{"schema":1,"kind":"trace","time":"2024-01-01T00:00:00Z"}', 1, "attachment"],
    ["a record that is no object", `${header}\n[]`, 2, "object"],
    ["a gap", `${header}\n${open}\n${open.replace('"n":1', '"n":3')}`, 3, "n is 3, not 2"],
    [
      "time going back",
      `${header}\n${open.replace('"t":0', '"t":5')}\n{"n":2,"t":4,"phase":"","op":"close"}`,
      3,
      "t is",
    ],
    ["an unknown operation", `${header}\n${open.replace('"open"', '"poke"')}`, 2, "op poke"],
    ["a send without bytes", `${header}\n${open.replace('"open"', '"send"')}`, 2, "data is missing"],
    ["odd digits", `${header}\n{"n":1,"t":0,"phase":"","op":"send","data":"abc"}`, 2, "odd number"],
    ["no digits", `${header}\n{"n":1,"t":0,"phase":"","op":"send","data":"zz"}`, 2, "hexadecimal"],
    ["a receive without size", `${header}\n{"n":1,"t":0,"phase":"","op":"receive","data":"00"}`, 2, "size"],
    [
      "more than was asked for",
      `${header}\n{"n":1,"t":0,"phase":"","op":"receive","size":1,"data":"0000"}`,
      2,
      "more data",
    ],
    [
      "a failure with data",
      `${header}\n{"n":1,"t":0,"phase":"","op":"receive","size":1,"data":"00","error":"USB_IO"}`,
      2,
      "data is given",
    ],
    [
      "an unknown failure",
      `${header}\n{"n":1,"t":0,"phase":"","op":"open","error":"toString"}`,
      2,
      "error toString",
    ],
    [
      "hidden bytes that show",
      `${header}\n{"n":1,"t":0,"phase":"","op":"send","data":"0102","hidden":[{"offset":0,"length":1}]}`,
      2,
      "not zero",
    ],
    [
      "hidden bytes outside",
      `${header}\n{"n":1,"t":0,"phase":"","op":"send","data":"00","hidden":[{"offset":0,"length":2}]}`,
      2,
      "outside",
    ],
    ["a line that is cut off", `${header}\n${open.slice(0, 20)}`, 2, "not JSON"],
  ])("refuses %s, naming the line", async (_, text, line, detail) => {
    await expect(traceOf(text)).rejects.toMatchObject({
      code: "TRACE_INVALID",
      parameters: { file: "test.ndjson", line, detail: expect.stringContaining(detail) },
    });
  });

  it("whatever is in the file, it is read or refused by name", async () => {
    const text = [header, open, '{"n":2,"t":1,"phase":"","op":"receive","size":2,"data":"8000"}'].join("\n");
    const good = new TextEncoder().encode(text);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }), async (at, value) => {
        const damaged = Uint8Array.from(good);
        damaged[at] = value;
        const outcome = await readTrace([damaged], "test.ndjson").then(
          () => "read",
          (error: unknown) => (isStationError(error, "TRACE_INVALID") ? "refused" : String(error)),
        );
        expect(["read", "refused"]).toContain(outcome);
      }),
      { numRuns: 500 },
    );
  });
});
