import type { Argv } from "yargs";
import { hexNumber } from "../../bytes/hex.ts";
import { StationError } from "../../errors/station-error.ts";
import { issueDevelopmentLicense } from "../../license/development-issuer.ts";
import { parseLicense } from "../../package/license.ts";
import { requiredText, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { readInput, readSecret, writeOutput } from "../files.ts";
import { readPackageKey } from "../package-files.ts";

export function build(yargs: Argv): Argv {
  return yargs
    .positional("action", { choices: ["issue", "show"] as const })
    .positional("file", { type: "string", describe: "show: the license file" })
    .option("development", { type: "boolean", describe: "issue: a license for a virtual chip" })
    .option("certificate", { type: "string", describe: "issue: the chip's certificate" })
    .option("key", { type: "string", describe: "issue: the package's key" })
    .option("nonce", { type: "string", describe: "issue: the package's nonce" })
    .option("out", { type: "string", describe: "issue: where to write the license" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  if (args["action"] === "show") {
    const file = textOption(args, "file");
    if (file === undefined) throw StationError.of("USAGE_INVALID", { detail: "license show needs a file" });
    show(context, await readSecret(file), file);
    return 0;
  }
  if (args["development"] !== true) {
    throw StationError.of("LICENSE_SOURCE_FAILED", {
      source: "license issue",
      detail: "only --development licenses can be issued without an HSM",
    });
  }
  const key = await readPackageKey(args);
  if (key === undefined) throw StationError.of("USAGE_INVALID", { detail: "--key and --nonce are missing" });
  const out = requiredText(args, "out");
  const certificate = await readInput(requiredText(args, "certificate"));
  const license = issueDevelopmentLicense({ ...key, certificate });
  await writeOutput(out, license, { mode: 0o600 });
  show(context, license, out);
  return 0;
}

/** Only the header: what follows is the wrapped key. */
function show(context: CommandContext, bytes: Uint8Array, source: string): void {
  const { type, sessionId, protocolVersion, minimumVersion, development } = parseLicense(bytes, source);
  const json = { type, sessionId, protocolVersion, minimumVersion, development, sizeBytes: bytes.length };
  printResult(context, json, () =>
    [
      `type             ${type}${development ? " (development: virtual chips only)" : ""}`,
      `session id       ${sessionId}`,
      `version          ${protocolVersion}`,
      `minimum version  ${hexNumber(minimumVersion)}`,
    ].join("\n"),
  );
}
