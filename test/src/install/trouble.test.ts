import { describe, expect, it } from "vitest";
import { StationError } from "../../../src/errors/station-error.ts";
import { resumePoint } from "../../../src/install/resume.ts";
import {
  countedIssuer,
  memoryJournal,
  memoryStore,
  openBench,
  runOnBench,
  runUntilDeath,
} from "../../support/bench-run.ts";
import { sampleFirmware, sampleJob, twoPartJob } from "../../support/sample-job.ts";

/** States that have work with the probe in them, but for `ready`, which asks for a license only. */
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
        if (entered === state) controller.abort(StationError.of("INTERRUPTED", { what: "the test" }));
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

  it.each(states.filter((state) => state !== "ready"))(
    "probe unplugged in %s: a named end of the right class, at most one license",
    async (state) => {
      const bench = await openBench("virtual:h753", [
        {
          at: { kind: "state", state, occurrence: 1, transfer: 1 },
          effect: { kind: "disconnect", when: "before", returnsAfterMs: 600_000 },
        },
      ]);
      const source = countedIssuer();
      const store = memoryStore();
      const run = await runOnBench({ job: twoPartJob(), bench, source, store });
      expect(run.result.outcome).not.toBe("installed");
      expect(exitOf[run.result.outcome as keyof typeof exitOf]).toContain(run.result.exit);
      expect(source.issued()).toBeLessThanOrEqual(1);
      run.journal.read();
      await bench.clock.sleep(600_000);
      const retry = run.result.error?.retry === "resume" ? { resume: resumePoint(run.journal.read()) } : {};
      const again = await runOnBench({ job: twoPartJob(), bench, source, store, ...retry });
      expect(again.result).toMatchObject({ outcome: "installed" });
      expect(source.issued()).toBe(1);
      await bench.close();
    },
  );

  it("power lost before RSS has programmed anything: unknown, never a pass; resume does the part again", async () => {
    const { run, resumed, issued } = await losePowerAfter(1);
    expect(run).toMatchObject({ outcome: "unknown", exit: 8, error: { code: "CONTACT_LOST" } });
    expect(resumed).toMatchObject({ outcome: "installed" });
    expect(issued).toBe(1);
  });

  it("power lost while RSS programs: unknown, and resume says what it cannot know", async () => {
    const { run, resumed, issued } = await losePowerAfter(500);
    expect(run).toMatchObject({ outcome: "unknown", exit: 8, error: { code: "CONTACT_LOST" } });
    expect(resumed).toMatchObject({ outcome: "unknown", exit: 8, error: { code: "RESUME_AMBIGUOUS" } });
    expect(issued).toBe(1);
  });

  it("the station dies as it announces the start and the board loses power: the part is blank, so it is done again", async () => {
    const bench = await openBench();
    const source = countedIssuer();
    const store = memoryStore();
    const whole = await openBench();
    const lines = (await runOnBench({ job: twoPartJob(), bench: whole })).journal.read();
    const trigger = lines.events.findIndex((event) => event["intent"] === "trigger");
    const journal = memoryJournal(trigger, "death-after");
    expect(await runUntilDeath({ job: twoPartJob(), bench, source, store, journal })).toBe("died");
    bench.chip.powerCycle();
    const resumed = await runOnBench({
      job: twoPartJob(),
      bench,
      source,
      store,
      resume: resumePoint(journal.read()),
    });
    expect(resumed.result).toMatchObject({ outcome: "installed" });
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

/** An install whose board loses power while RSS is at work, then gets it back and is resumed. */
async function losePowerAfter(afterMs: number) {
  const job = sampleJob({ segments: [{ address: 0x08000000, data: sampleFirmware(60_000) }] });
  const bench = await openBench("virtual:h753", [
    { at: { kind: "rss", phase: "running", afterMs }, effect: { kind: "power-loss" } },
  ]);
  const source = countedIssuer();
  const store = memoryStore();
  const run = await runOnBench({ job, bench, source, store });
  bench.chip.powerCycle();
  const resumed = await runOnBench({ job, bench, source, store, resume: resumePoint(run.journal.read()) });
  await bench.close();
  return { run: run.result, resumed: resumed.result, issued: source.issued() };
}
