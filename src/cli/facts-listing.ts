import type { FileFacts } from "../package/file-facts.ts";
import { type CommandContext, printResult } from "./context.ts";

/** Prints a file's table. */
export function printFacts(context: CommandContext, file: string, { format, facts }: FileFacts): void {
  const json = { file, format, facts: facts.map(([name, value]) => ({ name: name.trim(), value })) };
  printResult(context, json, () =>
    [`${format} ${file}`, ...facts.map(([name, value]) => `${name.padEnd(32)}${String(value)}`)].join("\n"),
  );
}
