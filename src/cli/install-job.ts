import { resolve } from "node:path";
import { StationError } from "../errors/station-error.ts";
import type { ResumePoint } from "../install/resume.ts";
import { developmentIssuer } from "../license/development-issuer.ts";
import { fileLicense } from "../license/file-source.ts";
import type { LicenseSource } from "../ports/index.ts";
import { numberOption, probeSelectors, requiredText, textList, textOption } from "./arguments.ts";
import { openBench, traceRequest } from "./bench.ts";
import type { Arguments } from "./command.ts";
import { confirmAtTerminal } from "./confirm.ts";
import type { CommandContext } from "./context.ts";
import { readSecret } from "./files.ts";
import { stateFolder } from "./folders.ts";
import { findManifest, loadManifests } from "./manifests.ts";
import { type PackageKey, readExpectation, readPackageFile, readPackageKey } from "./package-files.ts";
import { runInstallCommand } from "./run-install-command.ts";
import { clockKilohertz, connectMode } from "./target.ts";

/** What makes a run of a job a first one or a continued one. */
export interface JobRun {
  /** The one probe; undefined: the only attached one. */
  readonly selector: string | undefined;
  readonly resume?: ResumePoint;
  /** Digests of the package and expectation as read now; throws when the job may not run with them. */
  readonly checkInputs?: (digests: {
    readonly package: string;
    readonly expectation: string | undefined;
  }) => void;
}

/**
 * Runs the job that the options describe, from its files to the verdict.
 * @param args options of `install`, from the command line or from a journal's run_begin
 * @returns the exit code
 */
export async function runJob(args: Arguments, context: CommandContext, run: JobRun): Promise<number> {
  const manifests = await loadManifests();
  const deviceId = numberOption(args, "device", 0xfff);
  const pkg = await readPackageFile(requiredText(args, "package"));
  const key = await readPackageKey(args);
  const manifest = findManifest(manifests, deviceId ?? manifests[0]?.device.id ?? 0);
  const expectation = await readExpectation(args, pkg, key, manifest);
  run.checkInputs?.({ package: pkg.digest, expectation: expectation?.digest });
  const bench = await openBench(run.selector, traceRequest(args, context));
  try {
    return await runInstallCommand(
      {
        job: {
          package: pkg,
          expectation,
          deviceId,
          connectMode: connectMode(args, "hot-plug"),
          clockKilohertz: clockKilohertz(args),
          allowAssumed: args["allow-assumed"] === true,
          approvedPlan: textOption(args, "approve"),
          resume: run.resume,
        },
        bench,
        manifests,
        licenseSource: await licenseSourceOf(args, key),
        licenseDir: licenseDirOf(args, context),
        site: textOption(args, "site") ?? "1",
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
async function licenseSourceOf(args: Arguments, key: PackageKey | undefined): Promise<LicenseSource> {
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
function jobInputs(args: Arguments, context: CommandContext): Readonly<Record<string, unknown>> {
  const files = ["package", "license", "key", "nonce", "expect"].flatMap((name) => {
    const value = textOption(args, name);
    return value === undefined ? [] : [[name, resolve(value)] as const];
  });
  return {
    ...Object.fromEntries(files),
    "expect-firmware": textList(args, "expect-firmware").map((text) => resolve(text)),
    "development-license": args["development-license"] === true,
    "allow-assumed": args["allow-assumed"] === true,
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
