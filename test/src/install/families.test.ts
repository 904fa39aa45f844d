import { describe, expect, it } from "vitest";
import { createExpectation } from "../../../src/install/expectation.ts";
import { buildDevelopmentRsse } from "../../../src/package/rsse.ts";
import type { FieldValues } from "../../../src/target/manifest-types.ts";
import { countedIssuer, openBench } from "../../support/bench-run.ts";
import { deviceManifest, familyJob, runFamily } from "../../support/family-job.ts";

/** Chip, device, option bytes that the package sets, and whether the port answers afterwards. */
const installs: [string, string, FieldValues, "open" | "closed"][] = [
  ["h7b3", "0x480", { SECURITY: 1 }, "open"],
  ["h735", "0x483", { SECURITY: 1 }, "open"],
  ["l562", "0x472", { TZEN: 1, RDP: 0x55 }, "open"],
  ["u545", "0x455", { TZEN: 1, RDP: 0xdc }, "open"],
  ["u585", "0x482", { TZEN: 1, RDP: 0x55 }, "open"],
  ["u5a9", "0x481", { TZEN: 1, RDP: 0xcc }, "closed"],
  ["u5g9", "0x476", { TZEN: 1, RDP: 0x55 }, "open"],
  ["wba55", "0x492", { TZEN: 1, RDP: 0x55 }, "open"],
  ["wba65", "0x4B0", { TZEN: 1, RDP: 0x55 }, "open"],
  ["wl55", "0x497", {}, "open"],
  ["h503", "0x474", { PRODUCT_STATE: 0x2e }, "open"],
  ["h533", "0x478", { PRODUCT_STATE: 0xc6, TZEN: 0xb4 }, "open"],
  ["h573", "0x484", { PRODUCT_STATE: 0x72 }, "closed"],
  ["h7s7", "0x485", {}, "open"],
];

describe("every family on its virtual chip", () => {
  for (const [chip, id, fields, end] of installs) {
    for (const parts of [1, 2] as const) {
      it(`${chip} (${id}) installs a package of ${parts === 1 ? "one part" : "two parts"}`, async () => {
        const manifest = deviceManifest(id);
        const bench = await openBench(`virtual:${chip}`);
        const job = familyJob(manifest, fields, parts);
        const { result, events } = await runFamily(manifest, bench, job, {
          overrides: { allowPermanent: true },
        });
        expect([result.outcome, result.error?.message ?? ""]).toEqual(["installed", ""]);
        const proofs = events.find(({ event }) => event === "run_end")?.["proofs"] as {
          claim: string;
          result: string;
        }[];
        const options = proofs.find(({ claim }) => claim.startsWith("option bytes"));
        expect(options?.result).toBe(end === "open" ? "proved" : "not-readable");
        await bench.close();
      });
    }
  }

  it("refuses an STM32L4 over SWD by name, and touches nothing", async () => {
    const manifest = deviceManifest("0x462");
    const bench = await openBench("virtual:l462");
    const job = familyJob(deviceManifest("0x472"), { TZEN: 1, RDP: 0x55 });
    const { result } = await runFamily(manifest, bench, job);
    expect(result).toMatchObject({ outcome: "refused", licenseSpent: false });
    expect(result.error?.code).toBe("SFI_NOT_OVER_SWD");
    await bench.close();
  });
});

describe("what has gone wrong on real boards is refused before a license is asked for", () => {
  it("STM32H573 with SFSP 0.1.1 (741981): this board cannot work", async () => {
    const manifest = deviceManifest("0x484");
    const bench = await openBench("virtual:h573", [{ at: { kind: "start" }, effect: { kind: "old-sfsp" } }]);
    const source = countedIssuer();
    const { result } = await runFamily(manifest, bench, familyJob(manifest, { PRODUCT_STATE: 0x17 }), {
      source,
    });
    expect(result.error?.code).toBe("VERSION_TOO_OLD");
    expect(result.error?.message).toMatch(
      /this board cannot work: its SFSP .* is 0\.1\.1, needed is 1\.0\.0/,
    );
    expect([result.outcome, source.issued()]).toEqual(["refused", 0]);
    await bench.close();
  });

  it("STM32U535 with TZEN=0 and RDP=0xAA in its option bytes: both are named", async () => {
    const manifest = deviceManifest("0x455");
    const bench = await openBench("virtual:u545");
    const source = countedIssuer();
    const { result, events } = await runFamily(manifest, bench, familyJob(manifest, {}), { source });
    expect(result.error?.code).toBe("PREFLIGHT_FAILED");
    const messages = events.filter(({ event }) => event === "warning").map(({ message }) => String(message));
    expect(messages.filter((text) => /sets TZEN to 0x0/.test(text))).toHaveLength(1);
    expect(messages.filter((text) => /sets RDP to 0xAA/.test(text))).toHaveLength(1);
    expect(source.issued()).toBe(0);
    await bench.close();
  });

  it("STM32H753 with a package of protocol 2 (855142): the package is named", async () => {
    const manifest = deviceManifest("0x450");
    const bench = await openBench("virtual:h753");
    const source = countedIssuer();
    const job = familyJob({ ...manifest, sfi: { ...manifest.sfi, protocolVersions: [2] } }, { SECURITY: 1 });
    const { result } = await runFamily(manifest, bench, job, { source });
    expect([result.outcome, result.error?.exit, source.issued()]).toEqual(["refused", 4, 0]);
    expect(result.error?.message).toMatch(/protocol/);
    await bench.close();
  });

  it("an RSSe binary that is missing, of another family, damaged or genuine", async () => {
    const manifest = deviceManifest("0x482");
    const family = { loadAddress: 0x20080000, version: [2, 0, 2] } as const;
    const damaged = buildDevelopmentRsse({ ...family, family: "STM32U5" });
    damaged[300] = 0x55;
    const tries: [string, Uint8Array | undefined, RegExp][] = [
      ["RSSE_MISSING", undefined, /none was given/],
      ["RSSE_WRONG", buildDevelopmentRsse({ ...family, family: "STM32L5" }), /for STM32L5/],
      ["RSSE_WRONG", damaged, /digest/],
      ["RSSE_WRONG", new Uint8Array(0x8000).fill(7), /only development/],
      ["RSSE_WRONG", new Uint8Array(0x20000), /do not fit/],
    ];
    for (const [code, bytes, message] of tries) {
      const bench = await openBench("virtual:u585");
      const source = countedIssuer();
      const rsse = bytes === undefined ? undefined : { name: "rsse.bin", bytes };
      const { result } = await runFamily(manifest, bench, familyJob(manifest, { TZEN: 1, RDP: 0x55 }), {
        source,
        overrides: { rsse },
      });
      expect([result.error?.code, source.issued()]).toEqual([code, 0]);
      expect(result.error?.message).toMatch(message);
      await bench.close();
    }
  });

  it("an H5 image that closes the part and brings nothing to open it", async () => {
    const manifest = deviceManifest("0x484");
    const bench = await openBench("virtual:h573");
    const { result } = await runFamily(manifest, bench, familyJob(manifest, { PRODUCT_STATE: 0x72 }));
    expect([result.outcome, result.error?.code]).toEqual(["refused", "CLOSES_FOR_GOOD"]);
    await bench.close();
  });

  it("a license for another package, on a part with TrustZone: RSS refuses, and the part is opened again", async () => {
    const manifest = deviceManifest("0x482");
    const bench = await openBench("virtual:u585");
    const job = familyJob(manifest, { TZEN: 1, RDP: 0x55 });
    const other = countedIssuer();
    const wrong = {
      ...other,
      async issue(request: Parameters<typeof other.issue>[0]) {
        const license = Uint8Array.from(await other.issue(request));
        license[130] = (license[130] ?? 0) ^ 1;
        return license;
      },
    };
    const { result, states } = await runFamily(manifest, bench, job, { source: wrong });
    expect([result.outcome, result.error?.code]).toEqual(["failed", "RSS_REJECTED"]);
    expect(states).toContain("aborting");
    const again = await runFamily(manifest, bench, job);
    expect([again.result.outcome, again.result.error?.message ?? ""]).toEqual(["installed", ""]);
    await bench.close();
  });

  it("a part that does not come back although it should is lost contact, not a pass", async () => {
    const manifest = deviceManifest("0x482");
    const bench = await openBench("virtual:u585");
    const closing = familyJob(manifest, { TZEN: 1, RDP: 0xcc });
    const told = familyJob(manifest, { TZEN: 1, RDP: 0x55 });
    const expectation = createExpectation({ ...told.expectation });
    const { result } = await runFamily(manifest, bench, { ...closing, expectation });
    expect([result.outcome, result.exit]).toEqual(["unknown", 8]);
    await bench.close();
  });
});
