import type { Argv } from "yargs";
import { readJournal } from "../../install/journal.ts";
import { requiredText } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { readInputText } from "../files.ts";

export function build(yargs: Argv): Argv {
  return yargs
    .positional("action", { choices: ["show", "verify"] as const })
    .positional("file", { type: "string", describe: "the journal" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const file = requiredText(args, "file");
  const journal = readJournal(await readInputText(file), file);
  const end = journal.events.findLast(({ event }) => event === "run_end");
  const summary = {
    file,
    run: journal.events[0]?.run,
    lines: journal.events.length,
    lastHash: journal.lastHash,
    tornTail: journal.tornTail,
    ended: end !== undefined,
    outcome: end?.["outcome"] ?? null,
  };
  if (args["action"] === "verify") {
    printResult(context, { verified: true, ...summary }, () =>
      [
        `verified: ${summary.lines} lines, chain ends in ${summary.lastHash}`,
        ...(summary.tornTail ? ["the last line was cut off while it was written (a crash)"] : []),
        summary.ended ? `outcome: ${String(summary.outcome)}` : "the run has no end: `sfi resume` it",
      ].join("\n"),
    );
    return 0;
  }
  printResult(context, { ...summary, events: journal.events }, () =>
    journal.events
      .map(
        ({ time, event, schema: _s, seq: _q, run: _r, site: _i, ...rest }) =>
          `${time}  ${event.padEnd(10)}  ${JSON.stringify(rest)}`,
      )
      .join("\n"),
  );
  return 0;
}
