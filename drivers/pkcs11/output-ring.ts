/** How much of what a module prints is kept. */
const limitCharacters = 64 * 1024;
/** How much of it goes into an error message. */
const tailCharacters = 300;

/** The last words of a foreign module, without secrets. */
export interface OutputRing {
  add(text: string): void;
  /** Everything kept, as printed. */
  text(): string;
  /** The end of it in one line for an error message: `; it printed: …`, or nothing. */
  tail(): string;
}

/**
 * Keeps the end of a stream.
 * @param secrets texts to leave out, asked for when the output is read: a module may print the PIN it was given
 */
export function outputRing(secrets: () => readonly string[]): OutputRing {
  let kept = "";
  const text = () =>
    secrets()
      .filter((secret) => secret !== "")
      .reduce((all, secret) => all.replaceAll(secret, "[hidden]"), kept);
  return {
    add(more) {
      kept = (kept + more).slice(-limitCharacters);
    },
    text,
    tail() {
      const line = text()
        // Control characters of a foreign program must not reach the terminal.
        .replace(/[\p{Cc}\s]+/gu, " ")
        .trim()
        .slice(-tailCharacters);
      return line === "" ? "" : `; it printed: ${line}`;
    },
  };
}
