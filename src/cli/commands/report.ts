import { dirname, join } from "node:path";
import type { Argv } from "yargs";
import { StationError } from "../../errors/station-error.ts";
import { readJournal } from "../../install/journal.ts";
import { reportFrom, verifyReport } from "../../install/report.ts";
import { requiredText, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { readInputText } from "../files.ts";

export function build(yargs: Argv): Argv {
  return yargs
    .positional("action", { choices: ["show", "verify"] as const })
    .positional("file", { type: "string", describe: "show: a journal or a report; verify: a report" })
    .option("journal", { type: "string", describe: "verify: the journal, when it was moved" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const file = requiredText(args, "file");
  if (args["action"] === "verify") {
    const stated = parseReport(await readInputText(file), file);
    const journalFile = textOption(args, "journal") ?? (await findJournal(stated, file));
    const report = verifyReport(stated, readJournal(await readInputText(journalFile), journalFile), file);
    printResult(
      context,
      { verified: true, file, journal: journalFile, outcome: report.outcome, digest: report.digest },
      () => `verified against ${journalFile}: ${report.outcome}, exit ${report.exit}`,
    );
    return 0;
  }
  const text = await readInputText(file);
  const report = file.endsWith(".ndjson") ? reportFrom(readJournal(text, file)) : parseReport(text, file);
  printResult(context, report, () => JSON.stringify(report, null, 2));
  return 0;
}

function parseReport(text: string, file: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    throw StationError.of("REPORT_MISMATCH", { file, field: "it is not JSON" }, { cause: error });
  }
  throw StationError.of("REPORT_MISMATCH", { file, field: "it is not an object" });
}

/** The journal where the report says, else beside the report: both may have been moved together. */
async function findJournal(report: Record<string, unknown>, file: string): Promise<string> {
  const stated = (report["journal"] as { readonly file?: unknown } | undefined)?.file;
  if (typeof stated !== "string") throw StationError.of("REPORT_MISMATCH", { file, field: "journal.file" });
  const beside = join(dirname(file), stated.split(/[\\/]/).at(-1) ?? "");
  for (const candidate of [stated, beside]) {
    try {
      await readInputText(candidate);
      return candidate;
    } catch (error) {
      if (!(error instanceof StationError)) throw error;
    }
  }
  throw StationError.of("FILE_UNREADABLE", { file: stated, detail: "the report's journal is not there" });
}
