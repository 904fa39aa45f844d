import type { Argv } from "yargs";
import { asciiText } from "../../bytes/bytes.ts";
import { StationError } from "../../errors/station-error.ts";
import {
  chainFindings,
  createDaCertificate,
  type DaRole,
  daRoles,
  encodeDaChain,
  parseDaChain,
} from "../../package/da-certificate.ts";
import { boardPassword, encodePasswordFile } from "../../package/da-objects.ts";
import { parsePermissions } from "../../package/da-permissions.ts";
import { factsOf } from "../../package/file-facts.ts";
import { publicKeyName } from "../../package/known-keys.ts";
import { keyOfPem, privateKeyOfPem } from "../../package/pem-keys.ts";
import { requiredNumber, requiredText, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { printFacts } from "../facts-listing.ts";
import { readInput, readInputText, readSecret, writeOutput } from "../files.ts";

export function build(yargs: Argv): Argv {
  return yargs
    .positional("action", { choices: ["certificate", "chain", "password", "show"] as const })
    .positional("files", {
      type: "string",
      array: true,
      describe: "chain: certificates, root first; show: one file",
    })
    .option("role", { choices: daRoles, describe: "certificate: whose it is" })
    .option("key", { type: "string", describe: "certificate: PEM of the subject's key (public is enough)" })
    .option("issuer-key", { type: "string", describe: "certificate: PEM of the issuer's private key" })
    .option("permissions", { type: "string", default: "0x5077", describe: "certificate: mask or names" })
    .option("usage", { type: "string", default: "1", describe: "certificate: usage field" })
    .option("soc-class", { type: "string", default: "0", describe: "certificate: 0 for any" })
    .option("password-file", {
      type: "string",
      describe: "password: file with the bare password, owner-only",
    })
    .option("board", { type: "string", describe: "password: also write what an H503 keeps in OTP" })
    .option("allow-public-key", { type: "boolean", describe: "take ST's example keys, for a bench" })
    .option("out", { type: "string", describe: "the file to write" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  switch (args["action"]) {
    case "certificate":
      return certificate(args, context);
    case "chain":
      return chain(args, context);
    case "password":
      return password(args, context);
    default: {
      const [file] = fileNames(args, 1);
      if (file === undefined) throw StationError.of("USAGE_INVALID", { detail: "da show needs a file" });
      printFacts(context, file, factsOf(await readInput(file), file));
      return 0;
    }
  }
}

async function certificate(args: Arguments, context: CommandContext): Promise<number> {
  const out = requiredText(args, "out");
  const keyFile = requiredText(args, "key");
  const issuerFile = requiredText(args, "issuer-key");
  const { publicKey } = keyOfPem(await readInputText(keyFile), keyFile);
  const issuer = privateKeyOfPem(new TextDecoder().decode(await readSecret(issuerFile)), issuerFile);
  refusePublic(args, publicKey, keyFile);
  refusePublic(args, issuer.publicKey, issuerFile);
  const permissions = parsePermissions(requiredText(args, "permissions"));
  if (permissions === undefined)
    throw StationError.of("USAGE_INVALID", { detail: "--permissions is not understood" });
  const bytes = createDaCertificate(
    {
      role: requiredText(args, "role") as DaRole,
      usage: requiredNumber(args, "usage", 255),
      lifecycle: 0,
      oemConstraint: 0,
      socClass: requiredNumber(args, "soc-class"),
      socId: new Uint8Array(16),
      permissions,
      publicKey,
    },
    issuer.privateKey,
  );
  const text = encodeDaChain([bytes]);
  await writeOutput(out, text);
  printFacts(context, out, factsOf(new TextEncoder().encode(text), out));
  return 0;
}

async function chain(args: Arguments, context: CommandContext): Promise<number> {
  const out = requiredText(args, "out");
  const certificates = [];
  for (const file of fileNames(args, 16)) {
    for (const one of parseDaChain(asciiText(await readInput(file)), file)) {
      refusePublic(args, one.publicKey, file);
      certificates.push(one);
    }
  }
  if (certificates.length === 0)
    throw StationError.of("USAGE_INVALID", { detail: "name the certificates, root first" });
  const text = encodeDaChain(certificates.map(({ bytes }) => bytes));
  const [finding] = chainFindings(parseDaChain(text, out));
  if (finding !== undefined) {
    throw StationError.of("INPUT_INVALID", {
      file: out,
      format: "debug-authentication chain",
      position: "its certificates",
      detail: finding,
    });
  }
  await writeOutput(out, text);
  printFacts(context, out, factsOf(new TextEncoder().encode(text), out));
  return 0;
}

async function password(args: Arguments, context: CommandContext): Promise<number> {
  const out = requiredText(args, "out");
  const file = requiredText(args, "password-file");
  const word = await readSecret(file);
  refusePublic(args, word, file);
  await writeOutput(out, encodePasswordFile(word), { mode: 0o600 });
  const board = textOption(args, "board");
  if (board !== undefined) await writeOutput(board, boardPassword(word));
  const made = [out, ...(board === undefined ? [] : [board])];
  printResult(context, { made }, () => made.join("\n"));
  return 0;
}

function refusePublic(args: Arguments, bytes: Uint8Array, file: string): void {
  const name = publicKeyName(bytes);
  if (name !== undefined && args["allow-public-key"] !== true)
    throw StationError.of("KEY_PUBLIC", { file, name });
}

function fileNames(args: Arguments, most: number): string[] {
  const names = ((args["files"] as string[] | undefined) ?? []).map(String);
  if (names.length > most) throw StationError.of("USAGE_INVALID", { detail: `at most ${most} files` });
  return names;
}
