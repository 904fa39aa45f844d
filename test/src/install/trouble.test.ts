import { describe, expect, it } from "vitest";
import { StationError } from "../../../src/errors/station-error.ts";
import { resumePoint } from "../../../src/install/resume.ts";
import { countedIssuer, memoryStore, openBench, runOnBench } from "../../support/bench-run.ts";
import { sampleJob, twoPartJob } from "../../support/sample-job.ts";

const states = [
  "planned",
  "inspected",
  "certified",
  "armed",
  "ready",
  "licensed",
  "staged",
  "detached",
  "settling",
  "verifying",
] as const;

/** What each exit code says, by how the run ended (the command line's contract). */
const exitOf = { refused: [2, 3, 4, 5, 6], failed: [7], unknown: [8] } as const;

describe("trouble at each state", () => {
  it.each(states)("Ctrl-C in %s: exit 130, part left as journalled, and resume gets there", async (state) => {
    const bench = await openBench();
    const source = countedIssuer();
    const store = memoryStore();
    const controller = new AbortController();
    const run = await runOnBench({
      job: twoPartJob(),
      bench,
      source,
      store,
      signal: controller.signal,
      onState: (entered) => {
        if (entered === state) controller.abort(StationError.of("INTERRUPTED", { state }));
      },
    });
    expect(run.result).toMatchObject({ exit: 130, error: { code: "INTERRUPTED" } });
    expect(run.events.at(-1)?.event).toBe("run_end");
    const resumed = await runOnBench({
      job: twoPartJob(),
      bench,
      source,
      store,
      resume: resumePoint(run.journal.read()),
    });
    expect(resumed.result).toMatchObject({ outcome: "installed" });
    expect(source.issued()).toBe(1);
    await bench.close();
  });

  it.each(states)("probe unplugged in %s: a named end of the right class, at most one license", async (state) => {
    const bench = await openBench();
    const source = countedIssuer();
    const store = memoryStore();
    bench.addFault({ at: { state, transfer: 1 }, kind: "disconnect", when: "before" });
    const run = await runOnBench({ job: twoPartJob(), bench, source, store });
    expect(run.result.outcome).not.toBe("installed");
    expect(exitOf[run.result.outcome as keyof typeof exitOf]).toContain(run.result.exit);
    expect(source.issued()).toBeLessThanOrEqual(1);
    run.journal.read();
    bench.plugIn();
    if (run.result.error?.retry === "resume") {
      const resumed = await runOnBench({
        job: twoPartJob(),
        bench,
        source,
        store,
        resume: resumePoint(run.journal.read()),
      });
      expect(resumed.result).toMatchObject({ outcome: "installed" });
    }
    expect(source.issued()).toBeLessThanOrEqual(1);
    await bench.close();
  });

  it("power lost while RSS works: lost contact is unknown, never a pass; resume says what it cannot know", async () => {
    const bench = await openBench();
    const source = countedIssuer();
    const store = memoryStore();
    bench.addFault({ at: { rss: "running" }, kind: "power-loss" });
    const run = await runOnBench({ job: twoPartJob(), bench, source, store });
    expect(run.result).toMatchObject({ outcome: "unknown", exit: 8, error: { code: "CONTACT_LOST" } });
    bench.clearFaults();
    bench.chip.powerCycle();
    const resumed = await runOnBench({
      job: twoPartJob(),
      bench,
      source,
      store,
      resume: resumePoint(run.journal.read()),
    });
    expect(resumed.result).toMatchObject({ outcome: "unknown", exit: 8, error: { code: "RESUME_AMBIGUOUS" } });
    expect(source.issued()).toBe(1);
    await bench.close();
  });

  it("RSS refuses the license: failed, aborted to an open part, and the same license is kept", async () => {
    const bench = await openBench();
    const wrong = countedIssuer();
    const store = memoryStore();
    const other = sampleJob({ segments: [{ address: 0x08000000, data: new Uint8Array(512).fill(7) }] });
    const { result, events } = await runOnBench({
      job: other,
      bench,
      source: { ...wrong, issue: async (request) => tampered(await wrong.issue(request)) },
      store,
    });
    expect(result).toMatchObject({
      outcome: "failed",
      exit: 7,
      licenseSpent: true,
      error: { code: "RSS_REJECTED", disposition: "spent", retry: "same-license" },
    });
    const restored = events.find((event) => event["restored"] === true);
    expect(restored?.["optionBytes"]).toMatchObject({ RDP: "0xAA", SECURITY: "0x0" });
    await bench.close();
  });
});

/** A license whose wrapped key was changed on the way. */
function tampered(license: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(license);
  copy[100]! ^= 1;
  return copy;
}
