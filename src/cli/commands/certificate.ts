import type { Argv } from "yargs";
import { toHex } from "../../bytes/hex.ts";
import { StationError } from "../../errors/station-error.ts";
import { type ChipCertificate, parseCertificate } from "../../package/certificate.ts";
import { readCertificate } from "../../target/rss.ts";
import { requiredText, targetOptions, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { requireConsent } from "../consent.ts";
import { type CommandContext, printResult } from "../context.ts";
import { readInput, writeOutput } from "../files.ts";
import { withTarget } from "../target.ts";

export function build(yargs: Argv): Argv {
  return targetOptions(
    yargs
      .positional("action", { choices: ["read", "show"] as const })
      .positional("file", { type: "string", describe: "show: the certificate file" })
      .option("out", { type: "string", describe: "read: where to write the 136 bytes" })
      .option("allow-assumed", { type: "boolean", describe: "act on assumed facts on a real part" }),
  );
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  if (args["action"] === "show") {
    const file = textOption(args, "file");
    if (file === undefined)
      throw StationError.of("USAGE_INVALID", { detail: "certificate show needs a file" });
    show(context, await readInput(file), file);
    return 0;
  }
  const out = requiredText(args, "out");
  await withTarget(args, context, "hot-plug", async ({ debug, clock, identity, probe }) => {
    requireConsent(identity.manifest, "sfi.rss.services", probe.identity, args["allow-assumed"] === true);
    const bytes = await readCertificate(debug, clock, identity.manifest);
    parseCertificate(bytes, "the chip's certificate");
    await writeOutput(out, bytes);
    show(context, bytes, out);
  });
  return 0;
}

function show(context: CommandContext, bytes: Uint8Array, source: string): void {
  const certificate = parseCertificate(bytes, source);
  printResult(context, asJson(certificate), () =>
    [
      `product id  ${certificate.productId}`,
      `device id   0x${certificate.deviceIdText}`,
      `public key  ${toHex(certificate.publicKey.subarray(0, 32))}`,
      `            ${toHex(certificate.publicKey.subarray(32))}   on the curve`,
      `signature   ${certificate.signature.length} bytes, not checked (ST's signing key is not public)`,
    ].join("\n"),
  );
}

function asJson(certificate: ChipCertificate) {
  return {
    productId: certificate.productId,
    deviceId: `0x${certificate.deviceIdText}`,
    publicKey: toHex(certificate.publicKey),
    onCurve: true,
    signature: toHex(certificate.signature),
    signatureChecked: false,
  };
}
