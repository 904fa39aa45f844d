import { describe, expect, it } from "vitest";
import { resumePoint } from "../../../src/install/resume.ts";
import {
  countedIssuer,
  memoryJournal,
  memoryStore,
  openBench,
  ProcessDeath,
  runOnBench,
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
        await expect(runOnBench({ job, bench, source, store, journal }), `limit ${limit}`).rejects.toThrow(
          ProcessDeath,
        );
        const before = journal.read();
        if (before.events.some(({ event }) => event === "run_end")) continue;
        const resumed = await runOnBench({ job, bench, source, store, resume: resumePoint(before) });
        expect(resumed.result, `killed ${when} line ${limit + 1}`).toMatchObject({ outcome: "installed", exit: 0 });
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
      await expect(runOnBench({ job, bench, source, store, journal: first })).rejects.toThrow(ProcessDeath);
      const second = memoryJournal(4, "death-after");
      const point = resumePoint(first.read());
      await expect(runOnBench({ job, bench, source, store, journal: second, resume: point })).rejects.toThrow(
        ProcessDeath,
      );
      const third = await runOnBench({ job, bench, source, store, resume: resumePoint(second.read()) });
      expect(third.result, `killed at ${limit}`).toMatchObject({ outcome: "installed" });
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
