import type { Argv } from "yargs";
import { hexNumber } from "../../bytes/hex.ts";
import { StationError } from "../../errors/station-error.ts";
import { openBundle } from "../../license/bundle.ts";
import { issueDevelopmentLicense } from "../../license/development-issuer.ts";
import { parseLicense } from "../../package/license.ts";
import { requiredText, textList } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { readInput, readInputText, readSecret, writeOutput } from "../files.ts";
import { issueLicenses, makeLicenseBundle } from "../license-issue.ts";
import { ledgerCommand, markLicense } from "../license-ledger.ts";
import { serveLicenses } from "../license-serve.ts";
import { issuingSourceOptions, remoteSourceOptions } from "../license-sources.ts";
import { licensingOptions } from "../licensing.ts";
import { readPackageKey } from "../package-files.ts";

const actions = ["issue", "show", "suspect", "clear", "forget", "ledger", "serve", "bundle"] as const;

export function build(yargs: Argv): Argv {
  return licensingOptions(remoteSourceOptions(issuingSourceOptions(yargs)))
    .positional("action", { choices: actions })
    .positional("words", { type: "string", array: true, describe: "file, key, or what to do" })
    .option("certificate", {
      type: "string",
      array: true,
      nargs: 1,
      describe: "issue, bundle: a chip's certificate (repeatable)",
    })
    .option("from", { type: "string", describe: "issue: the same as --license-service" })
    .option("package", { type: "string", describe: "issue, bundle: the .sfi file the license is for" })
    .option("out", { type: "string", describe: "issue, bundle: where to write it" })
    .option("out-dir", { type: "string", describe: "issue: folder for several licenses" })
    .option("reason", { type: "string", describe: "suspect, clear, forget, ledger: why; it is recorded" })
    .option("source", { type: "string", describe: "ledger accept: the source as the ledger names it" })
    .option("remaining", { type: "string", describe: "ledger accept: what its counter says" })
    .option("signing-key", { type: "string", describe: "bundle make: Ed25519 private key (PEM)" })
    .option("listen", { type: "string", describe: "serve: HOST:PORT" })
    .option("tls-key", { type: "string", describe: "serve: the service's private key (PEM)" })
    .option("tls-cert", { type: "string", describe: "serve: the service's certificate (PEM)" })
    .option("client-ca", { type: "string", describe: "serve: authority of the stations' certificates (PEM)" })
    .option("quota", {
      type: "string",
      array: true,
      nargs: 1,
      describe: "serve: STATION=NUMBER of licenses (repeatable); others are then refused",
    });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const words = textList(args, "words");
  switch (args["action"] as (typeof actions)[number]) {
    case "issue":
      return isPlainDevelopment(args) ? issueDevelopment(args, context) : issueLicenses(args, context);
    case "show": {
      const file = word(words, 0, "license show needs a file");
      show(context, await readSecret(file), file);
      return 0;
    }
    case "suspect":
      return markLicense("suspect", word(words, 0, "which license? its key"), args, context);
    case "clear":
      return markLicense("cleared", word(words, 0, "which license? its key"), args, context);
    case "forget":
      return markLicense("forgotten", word(words, 0, "which license? its key"), args, context);
    case "ledger":
      return ledgerCommand(words[0], args, context);
    case "serve":
      return serveLicenses(args, context);
    case "bundle":
      return bundle(words, args, context);
  }
}

function word(words: readonly string[], at: number, detail: string): string {
  const value = words[at];
  if (value === undefined) throw StationError.of("USAGE_INVALID", { detail });
  return value;
}

async function bundle(words: readonly string[], args: Arguments, context: CommandContext): Promise<number> {
  const action = word(words, 0, "license bundle make, show or use");
  if (action === "make") return makeLicenseBundle(args, context);
  const file = word(words, 1, `license bundle ${action} needs the bundle's file`);
  if (action === "use") return issueLicenses({ ...args, "license-bundle": file }, context);
  if (action !== "show") throw StationError.of("USAGE_INVALID", { detail: `license bundle ${action}` });
  const key = await readInputText(requiredText(args, "bundle-key"));
  const { id, created, firmwareId, packageDigest, entries } = openBundle(
    await readInputText(file),
    key,
    file,
  );
  const certificates = entries.map(({ certificateDigest }) => certificateDigest);
  printResult(context, { id, created, firmwareId, packageDigest, certificates }, () =>
    [
      `bundle ${id} of ${created}, signature whole`,
      `for ${firmwareId ?? `package ${packageDigest}`}`,
      ...certificates,
    ].join("\n"),
  );
  return 0;
}

/** A development license that nothing needs to be known about costs nothing and is not accounted for. */
function isPlainDevelopment(args: Arguments): boolean {
  return args["development"] === true && args["package"] === undefined && args["firmware-id"] === undefined;
}

async function issueDevelopment(args: Arguments, context: CommandContext): Promise<number> {
  const key = await readPackageKey(args);
  if (key === undefined) throw StationError.of("USAGE_INVALID", { detail: "--key and --nonce are missing" });
  const out = requiredText(args, "out");
  const certificate = await readInput(word(textList(args, "certificate"), 0, "--certificate is missing"));
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
