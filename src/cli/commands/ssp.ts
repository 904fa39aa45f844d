import type { Argv } from "yargs";
import { fromWords } from "../../bytes/bytes.ts";
import { sha256Hex } from "../../bytes/digest.ts";
import { fromHex, hex32 } from "../../bytes/hex.ts";
import { StationError } from "../../errors/station-error.ts";
import { factsOf } from "../../package/file-facts.ts";
import { publicKeyName } from "../../package/known-keys.ts";
import { listSecretWords, otpMaps, setSecretWords } from "../../package/otp-words.ts";
import { keyOfPem } from "../../package/pem-keys.ts";
import { buildSsp, openSsp, parseSsp, rmaWord, sspDeviceOf, sspSecretsSizeBytes } from "../../package/ssp.ts";
import { requiredNumber, requiredText, textList, textOption, toNumber } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { printFacts } from "../facts-listing.ts";
import { readInput, readInputText, readSecret, writeOutput } from "../files.ts";
import { registerFileOf, registerNonceUse } from "../key-register-file.ts";

export function build(yargs: Argv): Argv {
  return yargs
    .positional("action", { choices: ["build", "show", "verify", "secrets", "backup", "words"] as const })
    .positional("file", {
      type: "string",
      describe: "show, verify: the .ssp; secrets: the file to show or change",
    })
    .option("device", {
      type: "string",
      default: "0x500",
      describe: "0x500 (STM32MP15) or 0x501 (STM32MP13)",
    })
    .option("secrets", { type: "string", describe: "build: 148 bytes, owner-only" })
    .option("rma-unlock", { type: "string", describe: "build, MP15: 0..0x7FFF" })
    .option("rma-relock", { type: "string", describe: "build, MP15: 0..0x7FFF" })
    .option("rma-password", { type: "string", describe: "build, MP13: the 32-bit RMA word" })
    .option("public-key", { type: "string", describe: "build, MP15: PEM of the OEM public key" })
    .option("key-table-hash", {
      type: "string",
      describe: "build, MP13: 32-byte hash of the public-key table",
    })
    .option("key", { type: "string", describe: "build, verify: 16-byte key" })
    .option("nonce", { type: "string", describe: "build, verify: 16-byte nonce" })
    .option("register", { type: "string", describe: "build: the key's register (default: KEY.register)" })
    .option("set", {
      type: "string",
      array: true,
      nargs: 1,
      describe:
        "secrets: WORDS=0x… (one word), WORDS=hex:… or WORDS=@FILE; WORDS is a field, otpN or otpN..M",
    })
    .option("values", {
      type: "boolean",
      describe: "secrets: list the values too, not only which words are set",
    })
    .option("allow-public-key", { type: "boolean", describe: "take ST's example keys, for a bench" })
    .option("out", { type: "string", describe: "build, secrets: the file to write" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  switch (args["action"]) {
    case "build":
      return buildImage(args, context);
    case "secrets":
      return secrets(args, context);
    case "backup":
      throw StationError.of("FORMAT_NOT_PUBLIC", {
        what: "a backup-memory file for STM32MP2",
        detail: "its layout is published nowhere",
      });
    case "words":
      return words(args, context);
    default:
      return show(args, context);
  }
}

async function buildImage(args: Arguments, context: CommandContext): Promise<number> {
  const device = sspDeviceOf(requiredNumber(args, "device", 0xfff));
  const out = requiredText(args, "out");
  const keyFile = requiredText(args, "key");
  const key = await readSecret(keyFile);
  const nonce = await readSecret(requiredText(args, "nonce"));
  const image = buildSsp({
    device,
    oemKey:
      device === "mp15" ? await oemPublicKey(args) : await readInput(requiredText(args, "key-table-hash")),
    rmaPassword:
      device === "mp15"
        ? rmaWord(requiredNumber(args, "rma-unlock"), requiredNumber(args, "rma-relock"))
        : requiredNumber(args, "rma-password"),
    secrets: await readSecret(requiredText(args, "secrets")),
    key,
    nonce,
  });
  const register = textOption(args, "register") ?? registerFileOf(keyFile);
  await registerNonceUse(register, { key, nonce, ivCount: 1, image: sha256Hex(image) }, out);
  await writeOutput(out, image);
  printFacts(context, out, factsOf(image, out));
  return 0;
}

async function oemPublicKey(args: Arguments): Promise<Uint8Array> {
  const file = requiredText(args, "public-key");
  const { publicKey } = keyOfPem(await readInputText(file), file);
  const name = publicKeyName(publicKey);
  if (name !== undefined && args["allow-public-key"] !== true)
    throw StationError.of("KEY_PUBLIC", { file, name });
  return publicKey;
}

async function show(args: Arguments, context: CommandContext): Promise<number> {
  const file = fileName(args);
  const bytes = await readInput(file);
  if (args["action"] === "verify") {
    const key = await readSecret(requiredText(args, "key"));
    openSsp(parseSsp(bytes, file), key, await readSecret(requiredText(args, "nonce")), file);
  }
  printFacts(context, file, factsOf(bytes, file));
  return 0;
}

/** Shows a secrets file, or makes and changes one with --set and --out. */
async function secrets(args: Arguments, context: CommandContext): Promise<number> {
  const deviceId = requiredNumber(args, "device", 0xfff);
  sspDeviceOf(deviceId);
  const given = textOption(args, "file");
  let content = given === undefined ? new Uint8Array(sspSecretsSizeBytes) : await readSecret(given);
  if (content.length !== sspSecretsSizeBytes) {
    throw StationError.of("INPUT_INVALID", {
      file: given ?? "the secrets",
      format: "secrets file",
      position: `offset ${content.length}`,
      detail: `it ends here; a secrets file has ${sspSecretsSizeBytes} bytes`,
    });
  }
  for (const text of textList(args, "set")) {
    const [where, value] = [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)];
    if (!text.includes("="))
      throw StationError.of("USAGE_INVALID", { detail: `--set ${text} is not WORDS=VALUE` });
    content = setSecretWords(content, deviceId, where, await valueBytes(value, where));
  }
  const out = textOption(args, "out");
  if (out !== undefined) await writeOutput(out, content, { mode: 0o600 });
  else if (textList(args, "set").length > 0)
    throw StationError.of("USAGE_INVALID", { detail: "--set needs --out" });
  const values = args["values"] === true;
  const rows = listSecretWords(content, deviceId).map(({ word, field, value, written }) => ({
    word,
    field,
    written,
    ...(values ? { value: hex32(value) } : {}),
  }));
  printResult(context, { file: out ?? given ?? null, words: rows }, () =>
    rows
      .map(
        ({ word, field, written, value }) =>
          `OTP ${word}  ${field.padEnd(10)}  ${written ? "set" : "zero: neither written nor locked"}${value === undefined ? "" : `  ${value}`}`,
      )
      .join("\n"),
  );
  return 0;
}

async function valueBytes(value: string, where: string): Promise<Uint8Array> {
  if (value.startsWith("@")) return readSecret(value.slice(1));
  if (!value.startsWith("hex:")) return fromWords([toNumber(value, where)]);
  const digits = value.slice(4);
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]+$/.test(digits)) {
    throw StationError.of("USAGE_INVALID", { detail: `the value of ${where} is no hexadecimal text` });
  }
  return fromHex(digits);
}

async function words(args: Arguments, context: CommandContext): Promise<number> {
  const map = otpMaps[requiredNumber(args, "device", 0xfff)];
  if (map === undefined) {
    throw StationError.of("USAGE_INVALID", {
      detail: `OTP words are known for ${Object.keys(otpMaps)
        .map((id) => `0x${Number(id).toString(16)}`)
        .join(", ")}`,
    });
  }
  const rows = map.map(({ name, words: [first, last], text, secret }) => ({
    name,
    first,
    last,
    text,
    secret,
  }));
  printResult(context, { words: rows }, () =>
    rows
      .map(
        ({ name, first, last, text, secret }) =>
          `${name.padEnd(13)} ${first === last ? first : `${first}..${last}`}  ${text}${secret ? " (in the secrets file)" : ""}`,
      )
      .join("\n"),
  );
  return 0;
}

function fileName(args: Arguments): string {
  const file = textOption(args, "file");
  if (file === undefined) throw StationError.of("USAGE_INVALID", { detail: "name the .ssp file" });
  return file;
}
