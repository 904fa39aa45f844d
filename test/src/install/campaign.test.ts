import { beforeAll, describe, expect, it } from "vitest";
import { StationError } from "../../../src/errors/station-error.ts";
import type { InstallResult } from "../../../src/install/run.ts";
import { makeCase } from "../../campaign/cases.ts";
import { faultKinds } from "../../campaign/kinds.ts";
import { measureReference, runCase } from "../../campaign/one-run.ts";
import { chosen, randomNumbers } from "../../campaign/random.ts";
import { exitComplaints, type Reference, truthComplaints, writeComplaints } from "../../campaign/rules.ts";
import { type RecordedTransfer, recordTransfers } from "../../campaign/transfers.ts";
import { h7FlashOf, lookAt } from "../../campaign/watch.ts";
import { openBench } from "../../support/bench-run.ts";

// `npm run campaign` does all of it (docs/campaign.md). Here each kind strikes at a few places.
const seed = 20_250;
const placesOfKind = 5;

let transfers: readonly RecordedTransfer[];
let reference: Reference;
beforeAll(async () => {
  transfers = await recordTransfers();
  reference = await measureReference();
});

describe("one fault at one USB transfer of an install", () => {
  it.each(faultKinds.map((kind, index) => ({ name: kind.name, kind, index })))(
    "$name: a defined end, no second license, no false pass, and a way on",
    { timeout: 120_000 },
    async ({ kind, index }) => {
      const places = transfers.filter((transfer) => kind.strikes(transfer) && !transfer.alike);
      const sample = chosen(places, placesOfKind, randomNumbers(seed + index));
      expect(sample).toHaveLength(placesOfKind);
      for (const transfer of sample) {
        const verdict = await runCase(makeCase(kind, transfer, seed), reference);
        expect(verdict).toMatchObject({ complaints: [] });
      }
    },
  );
});

describe("the rules notice", () => {
  const end = (
    outcome: InstallResult["outcome"],
    exit: number,
    error: StationError | undefined,
  ): InstallResult => ({ outcome, exit, error, licenseSpent: false, durationMs: 0 });

  it("a pass of a part that holds nothing", async () => {
    const bench = await openBench();
    const broken = truthComplaints(end("installed", 0, undefined), lookAt(bench), reference);
    expect(broken.map(({ rule }) => rule)).toEqual(["false pass", "false pass"]);
    await bench.close();
  });

  it("a part that is said to be untouched and is not", async () => {
    const bench = await openBench();
    bench.chip.flash.cells.program(0, new Uint8Array(32));
    const error = StationError.of("PROBE_LOST", {});
    const broken = truthComplaints(end("refused", 3, error), lookAt(bench), reference);
    expect(broken).toEqual([{ rule: "wrong word", detail: "refused" }]);
    await bench.close();
  });

  it("flash outside the package and option bytes of no plan", async () => {
    const bench = await openBench();
    const { optionBytes: options, cells } = h7FlashOf(bench);
    cells.program(0x100000, new Uint8Array(32));
    const next = { ...options.current(), boot7: 0 };
    options.apply({ kind: "accepted", next, regression: false, kept: [] });
    const broken = truthComplaints(
      end("failed", 7, StationError.of("CORE_RUNNING", {})),
      lookAt(bench),
      reference,
    );
    expect(broken.filter(({ rule }) => rule === "unplanned write")).toHaveLength(2);
    await bench.close();
  });

  it("an exit code of another class, and a defect behind a named error", () => {
    const rangeError = new RangeError("not reached");
    const hidden = StationError.of("PROBE_LOST", {}, { cause: rangeError });
    expect(exitComplaints(end("failed", 3, StationError.of("PROBE_LOST", {})))).toHaveLength(1);
    expect(exitComplaints(end("refused", 3, hidden))).toHaveLength(1);
    expect(exitComplaints(end("installed", 0, undefined))).toHaveLength(0);
  });

  it("an option write where the plan has none", () => {
    expect(writeComplaints([{ what: "option write", state: "verifying" }])).toHaveLength(1);
    expect(writeComplaints([{ what: "option write", state: "aborting" }])).toHaveLength(0);
    expect(writeComplaints([{ what: "program", state: "aborting" }])).toHaveLength(1);
  });
});
