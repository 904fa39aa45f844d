import { describe, expect, it } from "vitest";
import { partsOf } from "../../../src/package/sfi-verify.ts";
import { countedIssuer, memoryStore, openBench, runOnBench } from "../../support/bench-run.ts";
import { sampleFirmware, sampleJob, twoPartJob } from "../../support/sample-job.ts";

describe("install on the virtual bench", () => {
  it("ends installed, with option bytes and flash proved by reading back", async () => {
    const bench = await openBench();
    const job = sampleJob();
    const { result, states, events } = await runOnBench({ job, bench });
    expect(result.error).toBeUndefined();
    expect(result.outcome).toBe("installed");
    expect(result.exit).toBe(0);
    expect(states).toEqual([
      "idle",
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
    ]);
    const end = events.at(-1);
    expect(end?.["proofs"]).toEqual([
      expect.objectContaining({ claim: expect.stringContaining("RSS accepted"), result: "proved" }),
      expect.objectContaining({ claim: "option bytes are as expected", result: "proved" }),
      expect.objectContaining({ claim: "flash holds the firmware", result: "proved" }),
    ]);
    // The chip's own memory, not what was read over the wire.
    const segment = job.segments[0]!;
    expect(bench.chip.flashBytes.subarray(0, segment.data.length)).toEqual(segment.data);
    await bench.close();
  });

  it("runs the parts of a split package with a reconnect between", async () => {
    const bench = await openBench();
    const job = twoPartJob();
    expect(partsOf(job.package)).toHaveLength(2);
    const { result, states } = await runOnBench({ job, bench });
    expect(result.outcome).toBe("installed");
    expect(states.filter((state) => state === "detached")).toHaveLength(2);
    expect(bench.chip.flashBytes.subarray(0, 3000)).toEqual(job.segments[0]!.data);
    await bench.close();
  });

  it("installs the package of the public H753 log: 182,592 bytes in two parts", async () => {
    const bench = await openBench();
    const job = sampleJob({
      segments: [{ address: 0x08000000, data: sampleFirmware(182_592) }],
      split: { ramSizeBytes: 0x1e000, tokenAddress: 0x081ff000 },
    });
    expect(job.package.areas.map(({ type, sizeBytes, address }) => [type, sizeBytes, address])).toEqual([
      ["F", 122_816, 0x08000000],
      ["P", 32, 0x081ff000],
      ["R", 32, 0x081ff000],
      ["F", 59_776, 0x0801dfc0],
      ["C", 36, 0],
    ]);
    const { result } = await runOnBench({ job, bench });
    expect(result.outcome).toBe("installed");
    expect(bench.chip.flashBytes.subarray(0, 182_592)).toEqual(job.segments[0]!.data);
    await bench.close();
  });

  it("asks for one license a chip and reuses it when the same job runs again", async () => {
    const issuer = countedIssuer();
    const store = memoryStore();
    const job = sampleJob();
    for (let i = 0; i < 2; i++) {
      // The same virtual chip, factory-new each time: its certificate is the same.
      const bench = await openBench();
      const { result } = await runOnBench({ job, bench, source: issuer, store });
      expect(result.outcome).toBe("installed");
      expect(result.licenseSpent).toBe(i === 0);
      await bench.close();
    }
    expect(issuer.issued()).toBe(1);
    const other = await openBench("virtual:h753,uid=00112233445566778899aabb");
    await runOnBench({ job, bench: other, source: issuer, store });
    expect(issuer.issued()).toBe(2);
    await other.close();
  });

  it("without an expectation ends unproven (exit 8), and says so before the license", async () => {
    const bench = await openBench();
    const job = sampleJob();
    const { result, events } = await runOnBench({ job, bench, overrides: { expectation: undefined } });
    expect(result).toMatchObject({ outcome: "unknown", exit: 8, error: { code: "END_STATE_UNPROVEN" } });
    const warned = events.findIndex(({ event }) => event === "warning");
    expect(warned).toBeGreaterThan(0);
    expect(warned).toBeLessThan(events.findIndex(({ event }) => event === "license"));
    await bench.close();
  });

  it("without the plain firmware proves what it can and passes on RSS's word and the option bytes", async () => {
    const bench = await openBench();
    const job = sampleJob();
    const { result, events } = await runOnBench({
      job,
      bench,
      overrides: { expectation: { ...job.expectation, firmware: undefined } },
    });
    expect(result.outcome).toBe("installed");
    expect(events.at(-1)?.["proofs"]).toContainEqual(
      expect.objectContaining({ claim: "flash holds the firmware", result: "not-compared" }),
    );
    await bench.close();
  });

  it("notices an end state that is not the expected one", async () => {
    const bench = await openBench();
    const job = sampleJob();
    const other = sampleJob({ optionFields: { BOR_LEV: 3 } });
    const { result } = await runOnBench({ job, bench, overrides: { expectation: other.expectation } });
    expect(result).toMatchObject({ outcome: "failed", exit: 7, error: { code: "END_STATE_DIFFERS" } });
    expect(result.error?.message).toContain("BOR_LEV");
    await bench.close();
  });

  it("RDP level 1: option bytes proved, flash not readable, still installed", async () => {
    const bench = await openBench();
    const { result, events } = await runOnBench({ job: sampleJob({ optionFields: { RDP: 0xbb } }), bench });
    expect(result.error).toBeUndefined();
    expect(result.outcome).toBe("installed");
    expect(events.at(-1)?.["proofs"]).toContainEqual(
      expect.objectContaining({ claim: "flash holds the firmware", result: "not-readable" }),
    );
    await bench.close();
  });

  it("RDP level 2: contact is lost at the expected end, which is no failure and no pass", async () => {
    const bench = await openBench();
    const { result } = await runOnBench({ job: sampleJob({ optionFields: { RDP: 0xcc } }), bench });
    expect(result).toMatchObject({ outcome: "unknown", exit: 8 });
    expect(result.error?.code).toBe("END_STATE_UNPROVEN");
    await bench.close();
  });
});
