import { describe, expect, it } from "vitest";
import type { VirtualBench } from "../../../../drivers/virtual/bench.ts";
import { nodeClock } from "../../../../src/cli/node-clock.ts";
import { runOnBench } from "../../../support/bench-run.ts";
import { sampleJob, twoPartJob } from "../../../support/sample-job.ts";
import { lentOpener } from "./support/lent-port.ts";
import { umockdevAvailable, usbBench } from "./support/usb-bench.ts";

/** The bench as the station meets real probes: through libusb, and in real time. */
async function realBench(probe: string): Promise<VirtualBench> {
  const { bus, probes } = await usbBench(`virtual:h753,probe=${probe}`);
  const [only] = probes;
  const opener = await lentOpener(bus, only!);
  return { ...only!.bench, opener, clock: nodeClock as VirtualBench["clock"] };
}

describe.skipIf(!umockdevAvailable)("install over libusb in real time (needs umockdev)", () => {
  it.each(["v3", "v2-1"])("ends installed through a %s", async (probe) => {
    const bench = await realBench(probe);
    const job = sampleJob();
    const { result } = await runOnBench({ job, bench });
    expect(result.error).toBeUndefined();
    expect(result.outcome).toBe("installed");
    const segment = job.segments[0]!;
    expect(bench.chip.flashBytes.subarray(0, segment.data.length)).toEqual(segment.data);
    expect(bench.violations()).toEqual([]);
  });

  it("finds the probe's target again between the parts of a split package", async () => {
    const bench = await realBench("v3");
    const { result, states } = await runOnBench({ job: twoPartJob(), bench });
    expect(result.outcome).toBe("installed");
    expect(states.filter((state) => state === "detached")).toHaveLength(2);
  });
});
