import type { Argv } from "yargs";
import { StationError } from "../../errors/station-error.ts";
import { packageRules } from "../../install/package-rules.ts";
import { planInstall } from "../../install/plan.ts";
import { checkStructure, partsOf } from "../../package/sfi-verify.ts";
import { numberOption, requiredText } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { findManifest, loadManifests } from "../manifests.ts";
import { readExpectation, readPackageFile, readPackageKey } from "../package-files.ts";
import { jobOptions } from "./install.ts";

export function build(yargs: Argv): Argv {
  return jobOptions(yargs);
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const deviceId = numberOption(args, "device", 0xfff);
  if (deviceId === undefined) throw StationError.of("USAGE_INVALID", { detail: "--device is missing" });
  const manifest = findManifest(await loadManifests(), deviceId);
  const pkg = await readPackageFile(requiredText(args, "package"));
  const [finding] = checkStructure(pkg, packageRules(manifest));
  if (finding !== undefined) throw finding;
  const key = await readPackageKey(args);
  const expectation = await readExpectation(args, pkg, key, manifest);
  const plan = planInstall({ package: pkg, expectation }, manifest, partsOf(pkg));
  printResult(context, plan, () =>
    [
      ...plan.steps.map(
        ({ number, kind, title, detail }) =>
          `${String(number).padStart(3)}  ${kind.padEnd(12)}  ${title}\n${" ".repeat(19)}${detail}`,
      ),
      `point of no return: step ${plan.pointOfNoReturn}`,
      `rests on assumed facts: ${plan.assumedFacts.join(", ") || "none"}`,
      ...plan.warnings.map((warning) => `warning: ${warning}`),
      `digest ${plan.digest}`,
    ].join("\n"),
  );
  return 0;
}
