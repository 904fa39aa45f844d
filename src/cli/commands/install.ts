import type { Argv } from "yargs";
import { probeSelectors, targetOptions } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { hsmForms } from "../hsm-selector.ts";
import { runJob } from "../install-job.ts";
import { remoteSourceOptions } from "../license-sources.ts";
import { licensingOptions } from "../licensing.ts";
import { runSites } from "../sites.ts";

export function build(yargs: Argv): Argv {
  return licensingOptions(remoteSourceOptions(targetOptions(jobOptions(yargs))))
    .option("allow-assumed", { type: "boolean", describe: "act on assumed facts on a real part" })
    .option("approve", { type: "string", describe: "digest of the plan (`sfi plan`), for a real part" })
    .option("site", { type: "string", default: "1", describe: "name of this site in events and report" });
}

/** Options that say what the job is; shared with `plan`. */
export function jobOptions(yargs: Argv): Argv {
  return yargs
    .option("package", { type: "string", describe: "the .sfi file" })
    .option("license", { type: "string", describe: "license file for this chip" })
    .option("hsm", { type: "string", describe: `license from an HSM: ${hsmForms}` })
    .option("pin-file", { type: "string", describe: "PIN of the token; readable by you alone" })
    .option("development-license", {
      type: "boolean",
      describe: "issue a license with --key and --nonce; virtual chips only",
    })
    .option("key", { type: "string", describe: "the package's key: opens it, so that all of it is checked" })
    .option("nonce", { type: "string", describe: "the package's nonce" })
    .option("expect", { type: "string", describe: "option-byte CSV of the expected end state" })
    .option("expect-firmware", {
      type: "string",
      array: true,
      nargs: 1,
      describe: "FILE[@ADDRESS] that the flash must hold afterwards",
    })
    .option("rsse", { type: "string", describe: "the RSSe binary, for families that install with one" })
    .option("allow-permanent", {
      type: "boolean",
      describe: "the part may end closed with nothing in it that could ever open it",
    })
    .option("device", { type: "string", describe: "device id the job is for" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const selectors = probeSelectors(args, context.env);
  if (selectors.length > 1) return runSites(selectors, context);
  return runJob(args, context, { selector: selectors[0] });
}
