import { resolve } from "node:path";
import { StationError } from "../errors/station-error.ts";
import type { ResumePoint } from "../install/resume.ts";
import { developmentIssuer } from "../license/development-issuer.ts";
import { fileLicense } from "../license/file-source.ts";
import { numberOption, probeSelectors, requiredText, textList, textOption } from "./arguments.ts";
import { openBench, traceRequest } from "./bench.ts";
import type { Arguments } from "./command.ts";
import { confirmAtTerminal } from "./confirm.ts";
import type { CommandContext } from "./context.ts";
import { readSecret } from "./files.ts";
import { hsmSource, type OpenedSource } from "./hsm-source.ts";
import { remoteSource, remoteSourceFiles, remoteSourceTexts } from "./license-sources.ts";
import { ledgerOf, licenseDirOf, licensingInputs, licensingSettings } from "./licensing.ts";
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
  const licenses = await licenseSourceOf(args, key, context);
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
        licenseSource: licenses.source,
        licensing: await licensingSettings(args, context),
        site: textOption(args, "site") ?? "1",
        inputs: jobInputs(args, context),
        confirm: confirmAtTerminal(context),
      },
      context,
    );
  } finally {
    await bench.close();
    await licenses.close();
  }
}

/** The license source of the command line. @throws LICENSE_MISSING, USAGE_INVALID and what hsmSource throws */
async function licenseSourceOf(
  args: Arguments,
  key: PackageKey | undefined,
  context: CommandContext,
): Promise<OpenedSource> {
  const file = textOption(args, "license");
  const hsm = textOption(args, "hsm");
  const remote = await remoteSource(args);
  const development = args["development-license"] === true;
  const given = [file !== undefined, hsm !== undefined, remote !== undefined, development];
  if (given.filter(Boolean).length > 1) {
    throw StationError.of("USAGE_INVALID", {
      detail:
        "--license, --hsm, --license-service, --license-bundle and --development-license exclude each other",
    });
  }
  if (hsm !== undefined) return hsmSource(hsm, args, context);
  const close = async () => {};
  if (remote !== undefined) return { source: remote, close };
  if (file !== undefined) return { source: fileLicense(await readSecret(file), file), close };
  if (!development) throw StationError.of("LICENSE_MISSING", {});
  if (key === undefined) {
    throw StationError.of("USAGE_INVALID", { detail: "--development-license needs --key and --nonce" });
  }
  return { source: developmentIssuer(key), close };
}

/** Options that make the same job again, with file names made absolute. Names of secret files, never their content. */
function jobInputs(args: Arguments, context: CommandContext): Readonly<Record<string, unknown>> {
  const files = [
    "package",
    "license",
    "key",
    "nonce",
    "expect",
    "pin-file",
    "certificate-ca",
    ...remoteSourceFiles,
  ].flatMap((name) => {
    const value = textOption(args, name);
    return value === undefined ? [] : [[name, resolve(value)] as const];
  });
  return {
    ...Object.fromEntries(files),
    "expect-firmware": textList(args, "expect-firmware").map((text) => resolve(text)),
    "development-license": args["development-license"] === true,
    "allow-assumed": args["allow-assumed"] === true,
    "license-dir": licenseDirOf(args, context),
    ledger: ledgerOf(args, context, licenseDirOf(args, context)),
    "strict-counter": args["strict-counter"] === true,
    "product-id": textList(args, "product-id"),
    ...Object.fromEntries(
      ["device", "clock", "mode", "approve", "site", "hsm", ...licensingInputs, ...remoteSourceTexts].flatMap(
        (name) => {
          const value = textOption(args, name);
          return value === undefined ? [] : [[name, value] as const];
        },
      ),
    ),
    probe: probeSelectors(args, context.env),
  };
}
