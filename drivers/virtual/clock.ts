import type { Clock } from "../../src/ports/index.ts";

/**
 * A clock that moves only by modelled costs and by `sleep()`: waiting on the virtual bench takes no real time.
 * Wall-clock time is the real time at which the clock was made plus everything that has been modelled since.
 */
export class VirtualClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;

  /** @param start wall-clock time at which the modelled time begins. */
  constructor(start: Date = new Date()) {
    this.#startMs = start.getTime();
  }

  now(): Date {
    return new Date(this.#startMs + this.monotonicMs());
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  /** Moves the clock on by a modelled cost in milliseconds (fractions count). */
  advance(durationMs: number): void {
    if (durationMs > 0) this.#elapsedMs += durationMs;
  }

  /** Moves the clock on to a point of its own time, if that lies ahead. */
  advanceTo(elapsedMs: number): void {
    this.advance(elapsedMs - this.monotonicMs());
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    // One turn of the event loop, so that a polling loop cannot lock out signals and timers of the process.
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    this.advance(durationMs);
  }
}
