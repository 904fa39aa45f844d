import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readFirmware } from "../../../src/firmware/read-firmware.ts";
import { joinSegments } from "../../../src/firmware/segments.ts";
import { packageRules } from "../../../src/install/package-rules.ts";
import { parseSfi } from "../../../src/package/sfi.ts";
import { checkStructure } from "../../../src/package/sfi-verify.ts";
import { openBench, runOnBench } from "../../support/bench-run.ts";
import { h7Manifest, projectRoot, sampleJob } from "../../support/sample-job.ts";

const samples = join(projectRoot, "../shared/samples");
const dataSfi = join(samples, "data.sfi");
const h750Hex = join(samples, "firmware/STM32H750B-DK.hex");

describe.skipIf(!existsSync(dataSfi))("ST sample data.sfi (shared/samples)", () => {
  const bytes = new Uint8Array(existsSync(dataSfi) ? readFileSync(dataSfi) : []);
  const findings = (changed: Uint8Array) => {
    try {
      return checkStructure(parseSfi(changed, "data.sfi"), packageRules(h7Manifest)).length;
    } catch {
      return 1;
    }
  };

  it("is sound on an H753 as it is", () => {
    expect(findings(bytes)).toBe(0);
  });

  it("a flip of any header byte that says something is noticed without the key", () => {
    const pkg = parseSfi(bytes, "data.sfi");
    // Of an area header: type, version, index, size and total. A changed destination can only show when it leaves the
    // flash or meets another area; tags and content show with the key.
    const header = Array.from({ length: 12 }, (_, i) => i);
    const places = pkg.areas.flatMap(({ offset }) =>
      [0, 1, 2, 3, 4, 5, 6, 7, 12, 13].map((at) => offset + at),
    );
    for (const place of [...header, ...places]) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const changed = Uint8Array.from(bytes);
        changed[place]! ^= mask;
        expect(findings(changed), `byte ${place} xor ${mask}`).toBeGreaterThan(0);
      }
    }
  });

  it("is refused at every shorter length", () => {
    for (let length = 0; length < bytes.length; length += 13) {
      expect(() => parseSfi(bytes.subarray(0, length), "data.sfi")).toThrow(
        expect.objectContaining({ code: "PACKAGE_CORRUPT" }),
      );
    }
  });
});

describe.skipIf(!existsSync(h750Hex))("a real compiled firmware, STM32H750B-DK.hex (shared/samples)", () => {
  it("goes from HEX to package to the virtual chip's flash unchanged", async () => {
    const image = readFirmware(new Uint8Array(readFileSync(h750Hex)), { source: "STM32H750B-DK.hex" });
    const segments = joinSegments([image]);
    expect(segments.reduce((sum, { data }) => sum + data.length, 0)).toBe(131_072);
    const bench = await openBench();
    const job = sampleJob({ segments, split: { ramSizeBytes: 0x1e000, tokenAddress: 0x081ff000 } });
    const { result } = await runOnBench({ job, bench });
    expect(result.outcome).toBe("installed");
    for (const { address, data } of segments) {
      const at = address - 0x08000000;
      expect(Buffer.compare(bench.chip.flashBytes.subarray(at, at + data.length), data)).toBe(0);
    }
    await bench.close();
  });
});
