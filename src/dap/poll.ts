import type { Clock } from "../ports/index.ts";

export interface PollOptions {
  readonly timeoutMs: number;
  readonly intervalMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Asks again and again until there is an answer.
 * @param attempt resolves to undefined for "not yet"
 * @returns the answer, or undefined when `timeoutMs` passed without one; at least one attempt is made
 */
export async function poll<T>(
  clock: Clock,
  { timeoutMs, intervalMs, signal }: PollOptions,
  attempt: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const deadline = clock.monotonicMs() + timeoutMs;
  for (;;) {
    const answer = await attempt();
    if (answer !== undefined) return answer;
    const left = deadline - clock.monotonicMs();
    if (left <= 0) return undefined;
    await clock.sleep(Math.min(intervalMs, left), signal);
  }
}
