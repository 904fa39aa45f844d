import { generateKeyPairSync } from "node:crypto";
import { stat } from "node:fs/promises";
import type { Argv } from "yargs";
import { StationError } from "../../errors/station-error.ts";
import { keyIdOf } from "../../package/key-register.ts";
import { checkKey, randomKey, randomNonce } from "../../package/keys.ts";
import { publicKeyName } from "../../package/known-keys.ts";
import { keyOfPem } from "../../package/pem-keys.ts";
import { numberOption, requiredText, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { readInputText, readSecret, writeOutput } from "../files.ts";
import { readRegister, registerFileOf } from "../key-register-file.ts";

export function build(yargs: Argv): Argv {
  return yargs
    .positional("action", { choices: ["generate", "show"] as const })
    .option("key", { type: "string", describe: "the 16-byte firmware key" })
    .option("nonce", { type: "string", describe: "generate: a nonce" })
    .option("nonce-size", { type: "string", default: "12", describe: "generate: 12 for SFI, 16 for SSP" })
    .option("private", {
      type: "string",
      describe: "generate: a P-256 private key (PEM); show: the key to look at",
    })
    .option("public", { type: "string", describe: "generate: the public key (PEM) of --private" })
    .option("register", { type: "string", describe: "show: the key's register (default: KEY.register)" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  return args["action"] === "generate" ? generate(args, context) : show(args, context);
}

async function generate(args: Arguments, context: CommandContext): Promise<number> {
  const [keyFile, nonceFile, privateFile] = ["key", "nonce", "private"].map((name) => textOption(args, name));
  const nonceBytes = numberOption(args, "nonce-size") ?? 12;
  if (nonceBytes !== 12 && nonceBytes !== 16) {
    throw StationError.of("USAGE_INVALID", { detail: `--nonce-size is 12 or 16, not ${nonceBytes}` });
  }
  if (keyFile === undefined && nonceFile === undefined && privateFile === undefined) {
    throw StationError.of("USAGE_INVALID", { detail: "say what to make: --key F, --nonce F, --private F" });
  }
  const made: { readonly file: string; readonly what: string; readonly sizeBytes: number }[] = [];
  const write = async (file: string, what: string, data: Uint8Array | string, mode = 0o600) => {
    await refuseExisting(file);
    await writeOutput(file, data, { mode });
    made.push({ file, what, sizeBytes: data.length });
  };
  if (keyFile !== undefined) await write(keyFile, "firmware key", randomKey());
  if (nonceFile !== undefined) await write(nonceFile, "nonce", randomNonce(nonceBytes));
  if (privateFile !== undefined) {
    const publicFile = textOption(args, "public");
    const pair = generateKeyPairSync("ec", {
      namedCurve: "prime256v1",
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    await write(privateFile, "P-256 private key", pair.privateKey);
    if (publicFile !== undefined) await write(publicFile, "P-256 public key", pair.publicKey, 0o644);
  }
  printResult(context, { made }, () =>
    made.map(({ file, what, sizeBytes }) => `${what}  ${file}  ${sizeBytes} bytes`).join("\n"),
  );
  return 0;
}

/** A key that is overwritten is a key that is lost, and with it every part that only it opens. */
async function refuseExisting(file: string): Promise<void> {
  const exists = await stat(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw StationError.of("OUTPUT_UNWRITABLE", { file, detail: error.message }, { cause: error });
    },
  );
  if (exists) {
    throw StationError.of("OUTPUT_UNWRITABLE", {
      file,
      detail: "it exists already; keys are never overwritten",
    });
  }
}

/** What may be said of a key: its length, its name in the register and what it was used for. Never its bytes. */
async function show(args: Arguments, context: CommandContext): Promise<number> {
  const privateFile = textOption(args, "private");
  if (privateFile !== undefined) {
    const { publicKey } = keyOfPem(await readInputText(privateFile), privateFile);
    const published = publicKeyName(publicKey);
    printResult(context, { file: privateFile, curve: "P-256", published: published ?? null }, () =>
      [
        `P-256 key pair in ${privateFile}`,
        published === undefined ? "not a published one" : `PUBLISHED: ${published}`,
      ].join("\n"),
    );
    return 0;
  }
  const file = requiredText(args, "key");
  const key = checkKey(await readSecret(file), file);
  const register = textOption(args, "register") ?? registerFileOf(file);
  const images = (await readRegister(register)).filter(({ keyId }) => keyId === keyIdOf(key));
  const published = publicKeyName(key);
  const json = {
    file,
    sizeBytes: key.length,
    keyId: keyIdOf(key),
    published: published ?? null,
    images: images.map(({ file: image, image: sha256, ivCount, time }) => ({
      file: image,
      sha256,
      ivCount,
      time,
    })),
  };
  printResult(context, json, () =>
    [
      `firmware key ${file}, ${key.length} bytes, key id ${json.keyId}`,
      ...(published === undefined ? [] : [`PUBLISHED: ${published}`]),
      `${json.images.length} images in ${register}`,
      ...json.images.map(({ time, sha256, file: image }) => `${time}  ${sha256.slice(0, 16)}…  ${image}`),
    ].join("\n"),
  );
  return 0;
}
