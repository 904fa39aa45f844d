import type { Argv } from "yargs";
import { StationError } from "../../errors/station-error.ts";
import { readJournal } from "../../install/journal.ts";
import { resumePoint } from "../../install/resume.ts";
import { numberOption, requiredText, targetOptions, textOption } from "../arguments.ts";
import { openBench, traceRequest } from "../bench.ts";
import type { Arguments } from "../command.ts";
import { confirmAtTerminal } from "../confirm.ts";
import type { CommandContext } from "../context.ts";
import { readInputText } from "../files.ts";
import { findManifest, loadManifests } from "../manifests.ts";
import { readExpectation, readPackageFile, readPackageKey } from "../package-files.ts";
import { readRsseFile } from "../rsse-file.ts";
import { runInstallCommand } from "../run-install-command.ts";
import { clockKilohertz, connectMode } from "../target.ts";
import { licenseDirOf, licenseSourceOf } from "./install.ts";

export function build(yargs: Argv): Argv {
  return targetOptions(
    yargs.positional("journal", { type: "string", describe: "journal of the interrupted run" }),
  );
}

/** The same job again, as its journal describes it, on the same chip. Options given now replace the journalled ones. */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const file = requiredText(args, "journal");
  const journal = readJournal(await readInputText(file), file);
  const point = resumePoint(journal);
  const inputs = (journal.events[0]?.["inputs"] ?? {}) as Arguments;
  const job: Arguments = { ...inputs, ...given(args) };
  const manifests = await loadManifests();
  const deviceId = numberOption(job, "device", 0xfff);
  const pkg = await readPackageFile(requiredText(job, "package"));
  const key = await readPackageKey(job);
  const manifest = findManifest(manifests, deviceId ?? manifests[0]?.device.id ?? 0);
  const expectation = await readExpectation(job, pkg, key, manifest);
  requireSameInputs(journal.events, pkg.digest, expectation?.digest);
  const bench = await openBench(probeOf(job, context.env), traceRequest(args, context));
  try {
    return await runInstallCommand(
      {
        job: {
          package: pkg,
          expectation,
          rsse: await readRsseFile(job),
          allowPermanent: job["allow-permanent"] === true,
          deviceId,
          connectMode: connectMode(job, "hot-plug"),
          clockKilohertz: clockKilohertz(job),
          allowAssumed: job["allow-assumed"] === true,
          approvedPlan: textOption(job, "approve"),
          resume: point,
        },
        bench,
        manifests,
        licenseSource: await licenseSourceOf(job, key),
        licenseDir: licenseDirOf(job, context),
        site: textOption(job, "site") ?? "1",
        inputs,
        confirm: confirmAtTerminal(context),
      },
      context,
    );
  } finally {
    await bench.close();
  }
}

/** What the command line of `resume` itself says; defaults do not count. */
function given(args: Arguments): Arguments {
  return Object.fromEntries(
    ["probe", "mode"].flatMap((name) => (args[name] === undefined ? [] : [[name, args[name]]])),
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
