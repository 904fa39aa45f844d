import type { Argv } from "yargs";
import { StationError } from "../../errors/station-error.ts";
import { readJournal } from "../../install/journal.ts";
import { resumePoint } from "../../install/resume.ts";
import { requiredText, targetOptions } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { readInputText } from "../files.ts";
import { runJob } from "../install-job.ts";

export function build(yargs: Argv): Argv {
  return targetOptions(
    yargs.positional("journal", { type: "string", describe: "journal of the interrupted run" }),
  );
}

/** The same job again, as its journal describes it, on the same chip. Options given now replace the journalled ones. */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const file = requiredText(args, "journal");
  const journal = readJournal(await readInputText(file), file);
  const inputs = (journal.events[0]?.["inputs"] ?? {}) as Arguments;
  const job: Arguments = { ...inputs, ...given(args) };
  return runJob(job, context, {
    selector: probeOf(job, context.env),
    resume: resumePoint(journal),
    checkInputs: (digests) => requireSameInputs(journal.events, digests.package, digests.expectation),
  });
}

/** What the command line of `resume` itself says; defaults do not count. */
function given(args: Arguments): Arguments {
  return Object.fromEntries(
    ["probe", "mode", "trace"].flatMap((name) => (args[name] === undefined ? [] : [[name, args[name]]])),
  );
}

function probeOf(job: Arguments, env: NodeJS.ProcessEnv): string | undefined {
  const value = job["probe"];
  const [selector] = Array.isArray(value) ? value : [value];
  return selector === undefined ? env["SFI_PROBE"] : String(selector);
}

function requireSameInputs(
  events: readonly { readonly [key: string]: unknown }[],
  packageDigest: string,
  expectationDigest: string | undefined,
): void {
  const before = events.find((event) => event["package"] !== undefined);
  // The run may have stopped before it had read its inputs; then there is nothing to differ from.
  if (before === undefined) return;
  const pkg = before["package"] as { readonly digest?: unknown };
  const expectation = before["expectation"] as { readonly digest?: unknown } | null;
  if (pkg.digest !== packageDigest) throw StationError.of("RESUME_INPUT_CHANGED", { what: "the package" });
  if ((expectation?.digest ?? undefined) !== expectationDigest) {
    throw StationError.of("RESUME_INPUT_CHANGED", { what: "the expected end state" });
  }
}
