import { StationError } from "../../src/errors/station-error.ts";
import type { Capabilities } from "./capabilities.ts";
import { getSwdFrequencies, setSwdDivisor, setSwdFrequency, switchPrescaler } from "./frames.ts";
import type { Link } from "./link.ts";

/**
 * Divisors of SWD_SET_FREQ on V2, fastest first, with nominal rates. 5, 9, 10 and 25 come from pyOCD and probe-rs, 79
 * and up from OpenOCD and stlink-org; psdb measured 2360 kHz at divisor 0 and 1230 kHz at 2, so nominal they are.
 */
export const v2Divisors: readonly { readonly divisor: number; readonly kilohertz: number }[] = [
  { divisor: 0, kilohertz: 4000 },
  { divisor: 1, kilohertz: 1800 },
  { divisor: 2, kilohertz: 1200 },
  { divisor: 3, kilohertz: 950 },
  { divisor: 5, kilohertz: 650 },
  { divisor: 7, kilohertz: 480 },
  { divisor: 9, kilohertz: 400 },
  { divisor: 10, kilohertz: 360 },
  { divisor: 15, kilohertz: 240 },
  { divisor: 25, kilohertz: 150 },
  { divisor: 31, kilohertz: 125 },
  { divisor: 40, kilohertz: 100 },
  { divisor: 79, kilohertz: 50 },
  { divisor: 158, kilohertz: 25 },
  { divisor: 265, kilohertz: 15 },
  { divisor: 798, kilohertz: 5 },
];

/**
 * The highest of `rates` that is not above `kilohertz`. Never the nearest: a wire that fails does so from above.
 * @throws USAGE_INVALID when even the lowest is above it
 */
export function highestRate<Rate extends { readonly kilohertz: number }>(
  rates: readonly Rate[],
  kilohertz: number,
): Rate {
  const fitting = rates.filter((rate) => rate.kilohertz <= kilohertz);
  const [best] = fitting.toSorted((a, b) => b.kilohertz - a.kilohertz);
  if (best !== undefined) return best;
  const slowest = Math.min(...rates.map((rate) => rate.kilohertz));
  const detail = `an SWD clock of ${kilohertz} kHz is below the probe's slowest, ${slowest} kHz`;
  throw StationError.of("USAGE_INVALID", { detail });
}

/**
 * Sets the SWD clock to the highest rate not above `kilohertz`; answers the rate the probe reports (V3) or the nominal
 * one (V2). The setting outlives a session, so it is always set. On V3 the prescaler comes first: without it the
 * fastest rate is 21.3 MHz instead of 24 (pyOCD).
 * @throws USAGE_INVALID below the slowest rate, PROBE_PROTOCOL when the probe chose a faster rate than was asked for
 */
export async function setSwdClock(
  link: Link,
  capabilities: Capabilities,
  kilohertz: number,
): Promise<number> {
  if (capabilities.features.has("swdDivisor")) {
    const rate = highestRate(v2Divisors, kilohertz);
    await link.run(setSwdDivisor(rate.divisor));
    return rate.kilohertz;
  }
  await link.run(switchPrescaler(1));
  const rates = (await link.run(getSwdFrequencies())).map((rate) => ({ kilohertz: rate }));
  if (rates.length === 0) {
    throw StationError.of("PROBE_PROTOCOL", { command: "GET_COM_FREQ", detail: "no rates" });
  }
  const wanted = highestRate(rates, kilohertz).kilohertz;
  const actual = await link.run(setSwdFrequency(wanted));
  if (actual > wanted) {
    const detail = `asked for ${wanted} kHz, got ${actual} kHz`;
    throw StationError.of("PROBE_PROTOCOL", { command: "SET_COM_FREQ", detail });
  }
  return actual;
}
