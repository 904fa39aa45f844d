import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStationError } from "../../../src/errors/station-error.ts";
import { createRecorder } from "../../../src/install/events.ts";
import { readJournal } from "../../../src/install/journal.ts";

/** A journal of a few lines as text. */
async function sampleJournal(): Promise<string> {
  const lines: string[] = [];
  const recorder = createRecorder({
    run: "r",
    site: "1",
    clock: { now: () => new Date(0), monotonicMs: () => 0, sleep: async () => {} },
    sink: {
      name: "j",
      append: async (line) => {
        lines.push(`${line}\n`);
      },
      close: async () => {},
    },
    listener: () => {},
  });
  await recorder.record("run_begin", { a: 1 });
  await recorder.record("state", { state: "idle" });
  await recorder.record("step_end", { text: 'ümlaut, "quotes" and 0x08000000' });
  await recorder.record("run_end", { outcome: "installed" });
  return lines.join("");
}

describe("journal", () => {
  it("reads back what was recorded", async () => {
    const journal = readJournal(await sampleJournal(), "j");
    expect(journal.events.map(({ event }) => event)).toEqual(["run_begin", "state", "step_end", "run_end"]);
    expect(journal.events[2]).toMatchObject({ seq: 3, run: "r", text: 'ümlaut, "quotes" and 0x08000000' });
    expect(journal.tornTail).toBe(false);
  });

  it("notices a change of any character", async () => {
    const text = await sampleJournal();
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 32, max: 126 }), (at, code) => {
        const changed = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
        fc.pre(changed !== text);
        // Joining the last two lines makes the end look torn; everything before it must still verify.
        const lost = changed.split("\n").length < text.split("\n").length;
        try {
          const journal = readJournal(changed, "j");
          return lost && journal.tornTail && journal.events.length < 4;
        } catch (error) {
          return isStationError(error, "JOURNAL_DAMAGED");
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("notices a removed, a swapped and a doubled line", async () => {
    const lines = (await sampleJournal()).trimEnd().split("\n");
    const join = (...order: number[]) => order.map((i) => `${lines[i]}\n`).join("");
    for (const text of [join(0, 2, 3), join(0, 2, 1, 3), join(0, 1, 1, 2, 3), join(1, 2, 3)]) {
      expect(() => readJournal(text, "j")).toThrow(expect.objectContaining({ code: "JOURNAL_DAMAGED" }));
    }
  });

  it("accepts what a crash leaves: whole lines and the beginning of one more", async () => {
    const text = await sampleJournal();
    const lines = text.trimEnd().split("\n");
    const whole = `${lines[0]}\n${lines[1]}\n`;
    for (let cut = 1; cut < lines[2]!.length; cut += 7) {
      const journal = readJournal(whole + lines[2]!.slice(0, cut), "j");
      expect(journal.events).toHaveLength(2);
      expect(journal.tornTail).toBe(true);
    }
  });

  it("refuses an empty file", () => {
    expect(() => readJournal("", "j")).toThrow(expect.objectContaining({ code: "JOURNAL_DAMAGED" }));
  });
});
