/** Time as the station sees it. On the virtual bench it is modelled, so that waiting costs nothing. */
export interface Clock {
  /** Wall-clock time. */
  now(): Date;
  /** Milliseconds on a clock that never goes back. */
  monotonicMs(): number;
  /** Wait; rejects with the signal's reason when it is aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}
