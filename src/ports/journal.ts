/** Where journal lines go. */
export interface JournalSink {
  /** Name of the file for messages and reports. */
  readonly name: string;
  /**
   * Append one line (without its line end).
   * @param durable true: on stable storage when the promise resolves
   * @throws JOURNAL_UNWRITABLE
   */
  append(line: string, durable: boolean): Promise<void>;
  close(): Promise<void>;
}
