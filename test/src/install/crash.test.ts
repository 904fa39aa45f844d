import { describe, expect, it } from "vitest";
import { resumePoint } from "../../../src/install/resume.ts";
import {
  countedIssuer,
  memoryJournal,
  memoryStore,
  openBench,
  runOnBench,
  runUntilDeath,
} from "../../support/bench-run.ts";
import { type SampleJob, sampleJob, twoPartJob } from "../../support/sample-job.ts";

/** Journal lines of an undisturbed run. */
async function lineCount(job: SampleJob): Promise<number> {
  const bench = await openBench();
  const { journal, result } = await runOnBench({ job, bench });
  expect(result.outcome).toBe("installed");
  await bench.close();
  return journal.lines.length;
}

describe.each([
  ["one part", sampleJob()],
  ["two parts", twoPartJob()],
] as const)("the process dies: %s", (_, job) => {
  it.each(["death-before", "death-after"] as const)(
    "%s any journal line, and resume reaches the same end with one license",
    async (when) => {
      const lines = await lineCount(job);
      for (let limit = 1; limit < lines; limit++) {
        const bench = await openBench();
        const source = countedIssuer();
        const store = memoryStore();
        const journal = memoryJournal(limit, when);
        expect(await runUntilDeath({ job, bench, source, store, journal }), `limit ${limit}`).toBe("died");
        const before = journal.read();
        if (before.events.some(({ event }) => event === "run_end")) continue;
        const resumed = await runOnBench({ job, bench, source, store, resume: resumePoint(before) });
        expect(resumed.result, `killed ${when} line ${limit + 1}`).toMatchObject({
          outcome: "installed",
          exit: 0,
        });
        expect(source.issued(), `licenses after a kill ${when} line ${limit + 1}`).toBe(1);
        resumed.journal.read();
        await bench.close();
      }
    },
  );

  it("dies twice in a row anywhere and still gets there with one license", async () => {
    const lines = await lineCount(job);
    for (let limit = 3; limit < lines; limit += 2) {
      const bench = await openBench();
      const source = countedIssuer();
      const store = memoryStore();
      const first = memoryJournal(limit, "death-after");
      expect(await runUntilDeath({ job, bench, source, store, journal: first })).toBe("died");
      const second = memoryJournal(4, "death-after");
      if (first.read().events.some(({ event }) => event === "run_end")) continue;
      const point = resumePoint(first.read());
      expect(await runUntilDeath({ job, bench, source, store, journal: second, resume: point })).toBe("died");
      const third = await runOnBench({ job, bench, source, store, resume: resumePoint(second.read()) });
      expect(third.result, `killed at ${limit}`).toMatchObject({ outcome: "installed" });
      expect(source.issued()).toBe(1);
      await bench.close();
    }
  });

  it("dies at USB transfers all along the way, and resume gets there with one license", async () => {
    const whole = await openBench();
    await runOnBench({ job, bench: whole });
    const transfers = whole.transfers().count;
    for (let atTransfer = 1; atTransfer < transfers; atTransfer += 11) {
      // A process that dies in mid-command leaves a reply in the probe; the next one must cope with it.
      const bench = await openBench("virtual:h753", [], false);
      const source = countedIssuer();
      const store = memoryStore();
      const journal = memoryJournal();
      expect(
        await runUntilDeath({ job, bench, source, store, journal, atTransfer }),
        `${atTransfer} of ${transfers}`,
      ).toBe("died");
      const before = journal.read();
      if (before.events.some(({ event }) => event === "run_end")) continue;
      const resumed = await runOnBench({ job, bench, source, store, resume: resumePoint(before) });
      expect(resumed.result, `died at transfer ${atTransfer}`).toMatchObject({ outcome: "installed" });
      expect(source.issued()).toBe(1);
      await bench.close();
    }
  });

  it("the journal's disk is full at any line: a named end, nothing irreversible unjournalled, and resume gets there", async () => {
    const lines = await lineCount(job);
    for (let limit = 1; limit < lines; limit++) {
      const bench = await openBench();
      const source = countedIssuer();
      const store = memoryStore();
      const journal = memoryJournal(limit, "full");
      const { result } = await runOnBench({ job, bench, source, store, journal });
      expect(result.outcome, `full at ${limit}`).not.toBe("installed");
      expect(["OUTPUT_UNWRITABLE", "JOURNAL_UNWRITABLE", "BROKEN_WHILE_RSS", "END_STATE_UNPROVEN"]).toContain(
        result.error?.code,
      );
      const resumed = await runOnBench({ job, bench, source, store, resume: resumePoint(journal.read()) });
      expect(resumed.result, `full at ${limit}`).toMatchObject({ outcome: "installed" });
      expect(source.issued()).toBe(1);
      await bench.close();
    }
  });
});
