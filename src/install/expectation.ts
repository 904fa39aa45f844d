import type { Segment } from "../firmware/segments.ts";

/** What the chip must hold after the install, as far as the station was told. */
export interface Expectation {
  /** The option-byte words of the package's C area in CSV row order. */
  readonly optionWords: readonly number[];
  /** Plain firmware, where key and nonce or the firmware files were given. */
  readonly firmware: readonly Segment[] | undefined;
  /** SHA-256 over the expectation, for plan, journal and resume. */
  readonly digest: string;
  /** Where it came from, for people: "OB.csv" or "the package opened with its key". */
  readonly source: string;
}
