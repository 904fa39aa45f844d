import { describe, expect, it } from "vitest";
import type { VirtualBench } from "../../../drivers/virtual/bench.ts";
import { planInstall } from "../../../src/install/plan.ts";
import { partsOf } from "../../../src/package/sfi-verify.ts";
import { countedIssuer, memoryStore, openBench, runOnBench } from "../../support/bench-run.ts";
import { h7Manifest, sampleJob } from "../../support/sample-job.ts";

/** A virtual bench that the station takes for a real probe: consent must be asked as for silicon. */
async function seeminglyRealBench(): Promise<VirtualBench> {
  const bench = await openBench();
  const attachment = { ...bench.opener.attachment, kind: "usb" as const };
  return { ...bench, opener: { ...bench.opener, attachment } };
}

const job = sampleJob();
const plan = planInstall(job, h7Manifest, partsOf(job.package));

describe("consent on a real part", () => {
  it("a plan on assumed facts is refused before anything is written, and names them", async () => {
    const bench = await seeminglyRealBench();
    const before = bench.chip.options();
    const { result, events } = await runOnBench({ job, bench });
    expect(result).toMatchObject({ outcome: "refused", exit: 2, error: { code: "FACT_ASSUMED" } });
    expect(result.error?.message).toContain("sfi.rss.trigger");
    expect(bench.chip.options()).toEqual(before);
    expect(events.some(({ event }) => event === "license")).toBe(false);
  });

  it("irreversible steps want the plan's digest; another plan's does not do", async () => {
    for (const approvedPlan of [undefined, "0".repeat(64)]) {
      const bench = await seeminglyRealBench();
      const { result } = await runOnBench({ job, bench, overrides: { allowAssumed: true, approvedPlan } });
      expect(result).toMatchObject({ outcome: "refused", exit: 2, error: { code: "PLAN_NOT_APPROVED" } });
      expect(result.error?.message).toContain(plan.digest);
    }
  });

  it("with both it goes on, and a development license is refused before the part is changed", async () => {
    const bench = await seeminglyRealBench();
    const before = bench.chip.options();
    const { result } = await runOnBench({
      job,
      bench,
      overrides: { allowAssumed: true, approvedPlan: plan.digest },
    });
    expect(result).toMatchObject({
      outcome: "refused",
      exit: 6,
      error: { code: "LICENSE_DEVELOPMENT", disposition: "untouched" },
    });
    expect(bench.chip.options()).toEqual(before);
  });

  it("the word of the license source counts only after every check: a wrong part costs none", async () => {
    const source = countedIssuer();
    for (const selector of ["virtual:h743"]) {
      const bench = await openBench(selector);
      await runOnBench({ job, bench, source, store: memoryStore() });
    }
    expect(source.issued()).toBe(0);
  });

  it("the digest changes with package, expectation and device data, and with nothing else", () => {
    const again = planInstall(sampleJob(), h7Manifest, partsOf(sampleJob().package));
    expect(again.digest).toBe(plan.digest);
    const other = sampleJob({ optionFields: { BOR_LEV: 1 } });
    expect(planInstall(other, h7Manifest, partsOf(other.package)).digest).not.toBe(plan.digest);
    const unexpected = { package: job.package, expectation: undefined };
    expect(planInstall(unexpected, h7Manifest, partsOf(job.package)).digest).not.toBe(plan.digest);
  });

  it("the plan marks one step a part as irreversible and one as costing a license", () => {
    expect(plan.steps.filter(({ kind }) => kind === "irreversible").map(({ state }) => state)).toEqual([
      "staged",
    ]);
    expect(plan.steps.filter(({ kind }) => kind === "license")).toHaveLength(1);
    expect(plan.steps[plan.pointOfNoReturn - 1]?.state).toBe("staged");
  });
});
