import { describe, expect, it } from "vitest";
import type { FaultEffect } from "../../../drivers/virtual/faults/script.ts";
import { resumePoint } from "../../../src/install/resume.ts";
import type { LicenseStore } from "../../../src/ports/index.ts";
import { countedIssuer, memoryStore, openBench, runOnBench } from "../../support/bench-run.ts";
import { twoPartJob } from "../../support/sample-job.ts";

/** What runs of the fault campaign (docs/campaign.md) came to grief on. */
describe("once went wrong", () => {
  it("a bit lost while the result of the last part was read had the finished part erased", async () => {
    // Replies of settling, second time: status word, value word, option bytes.
    for (const transfer of [2, 4]) {
      const flip: FaultEffect = { kind: "bit-flip", offset: 4, bit: 1 };
      const bench = await openBench("virtual:h753", [
        { at: { kind: "state", state: "settling", occurrence: 2, transfer }, effect: flip },
      ]);
      const { result, states } = await runOnBench({ job: twoPartJob(), bench });
      expect(result.error).toBeUndefined();
      expect(states).not.toContain("aborting");
      await bench.close();
    }
  });

  it("a board that had lost power for a moment was said to have refused the package, and its license suspected", async () => {
    // The supply goes while the station waits for RSS, and is back before it asks again.
    const bench = await openBench("virtual:h753", [
      {
        at: { kind: "state", state: "detached", occurrence: 1, transfer: 4 },
        effect: { kind: "power-loss" },
      },
      {
        at: { kind: "state", state: "detached", occurrence: 1, transfer: 6 },
        effect: { kind: "power-restore" },
      },
    ]);
    const source = countedIssuer();
    const suspected: string[] = [];
    const store: LicenseStore = {
      ...memoryStore(),
      suspect: async (key) => {
        suspected.push(key);
      },
    };
    const job = twoPartJob();
    const run = await runOnBench({ job, bench, source, store });
    expect(run.result).toMatchObject({ outcome: "unknown", exit: 8, error: { code: "RESULT_LOST" } });
    expect(suspected).toEqual([]);
    const resumed = await runOnBench({ job, bench, source, store, resume: resumePoint(run.journal.read()) });
    expect(resumed.result.error).toBeUndefined();
    expect(resumed.result.outcome).toBe("installed");
    expect(source.issued()).toBe(1);
    await bench.close();
  });

  it("power lost before RSS had programmed anything of the second part could only be aborted", async () => {
    const bench = await openBench("virtual:h753", [
      {
        at: { kind: "state", state: "detached", occurrence: 2, transfer: 1 },
        effect: { kind: "power-loss" },
      },
    ]);
    const source = countedIssuer();
    const store = memoryStore();
    const job = twoPartJob();
    const run = await runOnBench({ job, bench, source, store });
    expect(run.result).toMatchObject({ outcome: "unknown", exit: 8 });
    bench.mend();
    const resumed = await runOnBench({ job, bench, source, store, resume: resumePoint(run.journal.read()) });
    expect(resumed.result.error).toBeUndefined();
    expect(resumed.result.outcome).toBe("installed");
    expect(source.issued()).toBe(1);
    await bench.close();
  });
});
