import { resolve } from "node:path";
import type { Argv } from "yargs";
import { StationError } from "../../errors/station-error.ts";
import { developmentIssuer } from "../../license/development-issuer.ts";
import { fileLicense } from "../../license/file-source.ts";
import type { LicenseSource } from "../../ports/index.ts";
import {
  numberOption,
  probeSelectors,
  requiredText,
  targetOptions,
  textList,
  textOption,
} from "../arguments.ts";
import { openBench, traceRequest } from "../bench.ts";
import type { Arguments } from "../command.ts";
import { confirmAtTerminal } from "../confirm.ts";
import type { CommandContext } from "../context.ts";
import { readSecret } from "../files.ts";
import { stateFolder } from "../folders.ts";
import { findManifest, loadManifests } from "../manifests.ts";
import { type PackageKey, readExpectation, readPackageFile, readPackageKey } from "../package-files.ts";
import { readRsseFile } from "../rsse-file.ts";
import { runInstallCommand } from "../run-install-command.ts";
import { runSites } from "../sites.ts";
import { clockKilohertz, connectMode } from "../target.ts";

export function build(yargs: Argv): Argv {
  return targetOptions(jobOptions(yargs))
    .option("allow-assumed", { type: "boolean", describe: "act on assumed facts on a real part" })
    .option("approve", { type: "string", describe: "digest of the plan (`sfi plan`), for a real part" })
    .option("license-dir", { type: "string", describe: "where licenses are kept (SFI_LICENSE_DIR)" })
    .option("site", { type: "string", default: "1", describe: "name of this site in events and report" });
}

/** Options that say what the job is; shared with `plan`. */
export function jobOptions(yargs: Argv): Argv {
  return yargs
    .option("package", { type: "string", describe: "the .sfi file" })
    .option("license", { type: "string", describe: "license file for this chip" })
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
  const manifests = await loadManifests();
  const deviceId = numberOption(args, "device", 0xfff);
  const pkg = await readPackageFile(requiredText(args, "package"));
  const key = await readPackageKey(args);
  const manifest = findManifest(manifests, deviceId ?? manifests[0]?.device.id ?? 0);
  const bench = await openBench(selectors[0], traceRequest(args, context));
  try {
    return await runInstallCommand(
      {
        job: {
          package: pkg,
          expectation: await readExpectation(args, pkg, key, manifest),
          rsse: await readRsseFile(args),
          allowPermanent: args["allow-permanent"] === true,
          deviceId,
          connectMode: connectMode(args, "hot-plug"),
          clockKilohertz: clockKilohertz(args),
          allowAssumed: args["allow-assumed"] === true,
          approvedPlan: textOption(args, "approve"),
          resume: undefined,
        },
        bench,
        manifests,
        licenseSource: await licenseSourceOf(args, key),
        licenseDir: licenseDirOf(args, context),
        site: requiredText(args, "site"),
        inputs: jobInputs(args, context),
        confirm: confirmAtTerminal(context),
      },
      context,
    );
  } finally {
    await bench.close();
  }
}

/** Folder of stored licenses: --license-dir, SFI_LICENSE_DIR, or the user's state folder. */
export function licenseDirOf(args: Arguments, context: CommandContext): string {
  return resolve(
    textOption(args, "license-dir") ?? context.env["SFI_LICENSE_DIR"] ?? stateFolder("licenses"),
  );
}

/** The license source of the command line. @throws LICENSE_MISSING, USAGE_INVALID */
export async function licenseSourceOf(args: Arguments, key: PackageKey | undefined): Promise<LicenseSource> {
  const file = textOption(args, "license");
  const development = args["development-license"] === true;
  if (file !== undefined && development) {
    throw StationError.of("USAGE_INVALID", {
      detail: "--license and --development-license exclude each other",
    });
  }
  if (file !== undefined) return fileLicense(await readSecret(file), file);
  if (!development) throw StationError.of("LICENSE_MISSING", {});
  if (key === undefined) {
    throw StationError.of("USAGE_INVALID", { detail: "--development-license needs --key and --nonce" });
  }
  return developmentIssuer(key);
}

/** Options that make the same job again, with file names made absolute. Names of secret files, never their content. */
export function jobInputs(args: Arguments, context: CommandContext): Readonly<Record<string, unknown>> {
  const files = ["package", "license", "key", "nonce", "expect", "rsse"].flatMap((name) => {
    const value = textOption(args, name);
    return value === undefined ? [] : [[name, resolve(value)] as const];
  });
  return {
    ...Object.fromEntries(files),
    "expect-firmware": textList(args, "expect-firmware").map((text) => resolve(text)),
    "development-license": args["development-license"] === true,
    "allow-assumed": args["allow-assumed"] === true,
    "allow-permanent": args["allow-permanent"] === true,
    "license-dir": licenseDirOf(args, context),
    ...Object.fromEntries(
      ["device", "clock", "mode", "approve", "site"].flatMap((name) => {
        const value = textOption(args, name);
        return value === undefined ? [] : [[name, value] as const];
      }),
    ),
    probe: probeSelectors(args, context.env),
  };
}
