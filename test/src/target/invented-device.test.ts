import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createSession } from "../../../src/dap/session.ts";
import { packageRules } from "../../../src/install/package-rules.ts";
import { planInstall } from "../../../src/install/plan.ts";
import { partsOf } from "../../../src/package/sfi-verify.ts";
import { flashRanges } from "../../../src/target/flash-layout.ts";
import { identifyTarget } from "../../../src/target/identify.ts";
import { decodeManifest } from "../../../src/target/manifest.ts";
import { readOptionBytes } from "../../../src/target/option-controller.ts";
import { readSecurityState } from "../../../src/target/security.ts";
import { familyJob } from "../../support/family-job.ts";
import { probeModel } from "../dap/probe-model.ts";
import { wordMemory } from "../dap/word-memory.ts";

const rsse = join(import.meta.dirname, "../../../rsse");
const shipped = readFileSync(join(rsse, "0x482.json"), "utf8");

/** A part that does not exist: a U5 with another id and name, its identity elsewhere, and half the flash. */
const invented = decodeManifest(
  JSON.parse(
    shipped
      .replace('"id": "0x482"', '"id": "0x4FE"')
      .replace('"name": "STM32U575/585",\n    "series"', '"name": "STM32U999",\n    "series"')
      .replaceAll("0x0BFA0700", "0x0BFA0900")
      .replaceAll("0x0BFA07A0", "0x0BFA09A0")
      .replaceAll('"sectors": 128', '"sectors": 64'),
  ),
  "0x4FE.json",
);

describe("a device that fits a known family is one data file", () => {
  it("is told from the others, and its option bytes, flash, rules and plan come from its file alone", async () => {
    const words = new Map<number, number>([
      [0xe0044000, 0x100104fe],
      [0xe000ed00, 0x410fd214],
      [0x0bfa09a0, 0x400],
      [0x40022040, 0x1feff8aa],
    ]);
    const memory = wordMemory({ read: (address) => words.get(address) ?? 0, write: () => {} });
    const probe = probeModel(memory);
    const port = await probe.enterSwd();
    const session = createSession({ probe, clock: neverAsked, ap: 0, actualKilohertz: 4000, port, dpidr: 0 });
    const known = ["0x450", "0x482", "0x484"].map((id) =>
      decodeManifest(JSON.parse(readFileSync(join(rsse, `${id}.json`), "utf8")), id),
    );
    const identity = await identifyTarget(session, [...known, invented]);
    expect(identity).toMatchObject({ deviceId: 0x4fe, revisionName: "Z", flashSizeBytes: 0x100000 });
    const { manifest, variant } = identity;
    expect(manifest.device.name).toBe("STM32U999");
    expect(flashRanges(manifest, variant, identity.flashSizeBytes).map(({ address }) => address)).toEqual([
      0x08000000, 0x08080000,
    ]);
    const optionBytes = await readOptionBytes(session.memory(), manifest, variant);
    expect(readSecurityState(manifest, variant, optionBytes)).toMatchObject({
      rdpLevel: 0,
      trustZone: false,
    });
    const job = familyJob(invented, { TZEN: 1, RDP: 0x55 });
    expect(packageRules(invented).device).toBe("0x4FE");
    expect(planInstall(job, invented, partsOf(job.package)).steps.map(({ state }) => state)).toContain(
      "staged",
    );
  });
});

const neverAsked = {
  now: () => new Date(0),
  monotonicMs: () => 0,
  sleep: async () => {},
};
