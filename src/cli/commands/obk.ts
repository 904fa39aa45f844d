import { dirname, resolve } from "node:path";
import type { Argv } from "yargs";
import { StationError } from "../../errors/station-error.ts";
import {
  certificateObject,
  lockObject,
  oemIrotConfigObject,
  oemIrotDataObject,
  passwordObject,
} from "../../package/da-objects.ts";
import { parsePermissions } from "../../package/da-permissions.ts";
import { factsOf } from "../../package/file-facts.ts";
import { publicKeyName } from "../../package/known-keys.ts";
import { type ObkFamily, obkFamilies } from "../../package/obk.ts";
import { objectFromXml } from "../../package/obk-xml.ts";
import { keyOfPem, privateKeyOfPem } from "../../package/pem-keys.ts";
import { requiredText, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { printFacts } from "../facts-listing.ts";
import { readInput, readInputText, readSecret, writeOutput } from "../files.ts";

const kinds = ["da-certificate", "da-password", "da-lock", "oemirot-config", "oemirot-data", "xml"] as const;

export function build(yargs: Argv): Argv {
  return yargs
    .positional("action", { choices: ["create", "show"] as const })
    .positional("file", { type: "string", describe: "show: the .obk file; create xml: the description" })
    .option("kind", { choices: kinds, describe: "create: what the object is" })
    .option("family", { choices: obkFamilies, default: "h5", describe: "create: h5 or h7rs" })
    .option("root-key", { type: "string", describe: "da-certificate: PEM of the root key" })
    .option("password-file", {
      type: "string",
      describe: "da-password: file with the bare password, owner-only",
    })
    .option("permissions", { type: "string", describe: "mask (0x…) or names joined by commas" })
    .option("secure-key", { type: "string", describe: "oemirot-config: PEM, authenticates secure images" })
    .option("non-secure-key", {
      type: "string",
      describe: "oemirot-config: PEM, authenticates non-secure images",
    })
    .option("decryption-key", { type: "string", describe: "oemirot-config: PEM of the private key" })
    .option("allow-public-key", { type: "boolean", describe: "take ST's example keys, for a bench" })
    .option("out", { type: "string", describe: "create: the .obk to write" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  if (args["action"] === "show") {
    const file = textOption(args, "file");
    if (file === undefined) throw StationError.of("USAGE_INVALID", { detail: "obk show needs a file" });
    printFacts(context, file, factsOf(await readInput(file), file));
    return 0;
  }
  const out = requiredText(args, "out");
  const object = await create(args);
  await writeOutput(out, object, { mode: 0o600 });
  printFacts(context, out, factsOf(object, out));
  return 0;
}

/** Refuses what everybody has, unless the operator says that it is for a bench. */
function refusePublic(args: Arguments, bytes: Uint8Array, file: string): void {
  const name = publicKeyName(bytes);
  if (name !== undefined && args["allow-public-key"] !== true)
    throw StationError.of("KEY_PUBLIC", { file, name });
}

async function create(args: Arguments): Promise<Uint8Array> {
  const family = requiredText(args, "family") as ObkFamily;
  const permissions = permissionsOption(args);
  const publicKey = async (option: string) => {
    const file = requiredText(args, option);
    const key = keyOfPem(await readInputText(file), file);
    refusePublic(args, key.publicKey, file);
    return key.publicKey;
  };
  switch (requiredText(args, "kind") as (typeof kinds)[number]) {
    case "da-certificate":
      return certificateObject(family, await publicKey("root-key"), permissions);
    case "da-password": {
      const file = requiredText(args, "password-file");
      const password = await readSecret(file);
      refusePublic(args, password, file);
      return passwordObject(family, password, permissions);
    }
    case "da-lock":
      if (family !== "h7rs")
        throw StationError.of("USAGE_INVALID", { detail: "only H7RS has a lock object" });
      return lockObject();
    case "oemirot-config": {
      const file = requiredText(args, "decryption-key");
      const { privateKey } = privateKeyOfPem(new TextDecoder().decode(await readSecret(file)), file);
      refusePublic(args, privateKey, file);
      return oemIrotConfigObject({
        secure: await publicKey("secure-key"),
        nonSecure: await publicKey("non-secure-key"),
        decryption: privateKey,
      });
    }
    case "oemirot-data":
      return oemIrotDataObject();
    case "xml":
      return fromXml(args);
  }
}

async function fromXml(args: Arguments): Promise<Uint8Array> {
  const file = textOption(args, "file");
  if (file === undefined)
    throw StationError.of("USAGE_INVALID", { detail: "create --kind xml needs the XML file" });
  const description = objectFromXml(await readInputText(file), file);
  const folder = dirname(file);
  const files = new Map<string, Uint8Array>();
  for (const name of description.fileNames) {
    const path = resolve(folder, name.replaceAll("\\", "/"));
    files.set(name, await readInput(path));
  }
  return description.build(files, (bytes, name) => refusePublic(args, bytes, name));
}

function permissionsOption(args: Arguments): bigint | undefined {
  const text = textOption(args, "permissions");
  if (text === undefined) return undefined;
  const mask = parsePermissions(text);
  if (mask === undefined)
    throw StationError.of("USAGE_INVALID", { detail: `--permissions ${text} is not understood` });
  return mask;
}
