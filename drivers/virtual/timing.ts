import type { VirtualClock } from "./clock.ts";

/** What the wire costs, as data of each probe. Microseconds. */
export interface LinkModel {
  /** Shortest time one bulk transfer takes: a 1 ms frame at full speed, a 125 us microframe at high speed. */
  readonly slotMicros: number;
  /** Payload rate of bulk transfers longer than a slot. */
  readonly bytesPerMicro: number;
  /** Time the probe's firmware spends on a command before the first bit on the wire. */
  readonly commandMicros: number;
}

export const fullSpeedLink: LinkModel = { slotMicros: 1000, bytesPerMicro: 1.0, commandMicros: 100 };
export const highSpeedLink: LinkModel = { slotMicros: 125, bytesPerMicro: 40, commandMicros: 40 };

/**
 * Clocks of one SWD word: request 8, turnaround 1, acknowledge 3, turnaround 1, data 32, parity 1
 * (Arm ADIv5.2, B4.2). Idle cycles are not counted.
 */
export const clocksPerSwdWord = 46;

/** SWD words besides the data of a memory command: SELECT, CSW, TAR before; RDBUFF and CTRL/STAT after. */
export const wordsAroundMemoryCommand = 5;
/** TAR is written again at this boundary: its increment is guaranteed for 10 bits only (Arm ADIv5.2, C2.2.2). */
export const tarWrapBytes = 1024;

/**
 * Modelled time of one probe. USB and SWD are two resources: the probe takes the next OUT transfer while the last
 * block still goes out on SWD (it has room for one block), and an IN transfer waits until SWD has delivered.
 * That is the double buffering back-to-back block writes show.
 */
export class LinkTimer {
  readonly #clock: VirtualClock;
  readonly #model: LinkModel;
  #swdFreeMs = 0;
  /** When the block before the last one left the buffer. */
  #bufferFreeMs = 0;

  constructor(clock: VirtualClock, model: LinkModel) {
    this.#clock = clock;
    this.#model = model;
  }

  /** Cost of a command or data block going to the probe. */
  out(sizeBytes: number): void {
    if (sizeBytes > 16) this.#clock.advanceTo(this.#bufferFreeMs);
    this.#clock.advance(this.#transferMs(sizeBytes));
  }

  /** Cost of a reply: SWD must be done first. */
  in(sizeBytes: number): void {
    this.#clock.advanceTo(this.#swdFreeMs);
    this.#clock.advance(this.#transferMs(sizeBytes));
  }

  /**
   * Occupies SWD for one command.
   * @param words SWD transactions it makes
   * @param kilohertz SWD clock
   * @param stallMs time the target's bus held it
   * @param streamedBytes bytes that came in the transfer just paid for and went out while they came
   */
  swd(words: number, kilohertz: number, stallMs = 0, streamedBytes = 0): void {
    const begin = Math.max(this.#swdFreeMs, this.#clock.monotonicMs() - this.#transferMs(streamedBytes));
    const wireMs = (words * clocksPerSwdWord) / kilohertz;
    this.#bufferFreeMs = this.#swdFreeMs;
    this.#swdFreeMs = begin + this.#model.commandMicros / 1000 + wireMs + stallMs;
  }

  #transferMs(sizeBytes: number): number {
    return sizeBytes === 0
      ? 0
      : Math.max(this.#model.slotMicros, sizeBytes / this.#model.bytesPerMicro) / 1000;
  }
}

/** SWD words of a memory command that moves `count` units of `widthBytes` bytes. */
export function memoryCommandWords(count: number, widthBytes: number): number {
  return count + wordsAroundMemoryCommand + Math.floor((count * widthBytes) / tarWrapBytes);
}
