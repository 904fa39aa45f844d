import { VirtualClock } from "../clock.ts";

/**
 * A virtual clock for a bench whose host lives in real time: it moves on with the machine's own clock, and by
 * modelled costs and sleeps on top of that.
 */
export class CoupledClock extends VirtualClock {
  readonly #speed: number;
  readonly #realMs: () => number;
  readonly #realStartMs: number;

  /**
   * @param speed modelled milliseconds that pass in one real one
   * @param realMs the machine's clock in milliseconds; it never goes back
   */
  constructor(speed = 1, realMs: () => number = () => performance.now()) {
    super();
    this.#speed = speed;
    this.#realMs = realMs;
    this.#realStartMs = realMs();
  }

  override monotonicMs(): number {
    return super.monotonicMs() + this.#speed * (this.#realMs() - this.#realStartMs);
  }
}
