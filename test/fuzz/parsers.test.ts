import { describe, expect, it } from "vitest";
import { StationError } from "../../src/errors/station-error.ts";
import { mutate, seededRandom } from "./mutate.ts";
import { type FuzzTarget, fuzzTargets } from "./targets.ts";

/** `npm run fuzz` sets these: seconds for each parser, and the seed to begin with. */
const seconds = Number(process.env["SFI_FUZZ_SECONDS"] ?? 0);
const firstSeed = Number(process.env["SFI_FUZZ_SEED"] ?? 1);
/** Without them a fixed number of inputs, the same on every machine. */
const fixedRuns = 2000;

/** What a parser makes of an input, as text that can be compared. */
function outcome(target: FuzzTarget, input: Uint8Array): string {
  try {
    return JSON.stringify(target.parse(input), (_, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    );
  } catch (error) {
    if (!(error instanceof StationError)) throw error;
    return `${error.code} ${error.message}`;
  }
}

/** The input in the middle of other bytes, so that a read past either end shows in the result. */
function surrounded(input: Uint8Array, filler: number): Uint8Array {
  const memory = new Uint8Array(input.length + 128).fill(filler);
  memory.set(input, 64);
  return memory.subarray(64, 64 + input.length);
}

describe("parsers", () => {
  it.each(fuzzTargets.map((target) => [target.name, target] as const))(
    "%s: no crash, no read past the end, only named errors",
    (name, target) => {
      for (const seed of target.seeds) {
        expect(() => target.parse(seed), `${name} takes its seed`).not.toThrow();
        expect(outcome(target, surrounded(seed, 0)), name).toBe(outcome(target, surrounded(seed, 0xff)));
      }
      const end = Date.now() + seconds * 1000;
      for (let run = 0; seconds > 0 ? Date.now() < end : run < fixedRuns; run++) {
        const seed = firstSeed + run;
        const random = seededRandom(Math.imul(seed, 2654435761));
        const input = mutate(target.seeds[random(target.seeds.length)]!, random);
        const [first, second] = [0, 0xff].map((filler) => {
          try {
            return outcome(target, surrounded(input, filler));
          } catch (error) {
            throw new Error(`seed ${seed}: ${Buffer.from(input).toString("hex")}`, { cause: error });
          }
        });
        if (first !== second) throw new Error(`seed ${seed}: the result depends on bytes outside the input`);
      }
    },
    Math.max(60_000, 2000 * seconds),
  );
});
