/** How many deaths within how long a time mean that starting again is pointless. */
export const breakerLimit = { deaths: 3, windowMs: 60_000 } as const;

/** Counts the deaths of a module's processes. */
export interface Breaker {
  died(): void;
  /** True when it must not be started again until the operator says so. */
  readonly open: boolean;
}

/** @param monotonicMs a clock that never goes back */
export function createBreaker(monotonicMs: () => number): Breaker {
  const deaths: number[] = [];
  return {
    died() {
      deaths.push(monotonicMs());
    },
    get open() {
      const since = monotonicMs() - breakerLimit.windowMs;
      return deaths.filter((time) => time >= since).length >= breakerLimit.deaths;
    },
  };
}
