import { basename, join } from "node:path";
import { sha256Hex } from "../bytes/digest.ts";
import { StationError } from "../errors/station-error.ts";
import { makeBundle } from "../license/bundle.ts";
import type { LicenseBroker } from "../license/license-broker.ts";
import type { LicenseRequest } from "../ports/index.ts";
import { requiredText, textList, textOption } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import { type CommandContext, printResult } from "./context.ts";
import { ensureFolder, readInput, readSecret, writeOutput } from "./files.ts";
import { issuingSource } from "./license-sources.ts";
import { type Licensing, licensingSettings, openLicensing } from "./licensing.ts";
import { readPackageFile } from "./package-files.ts";

/** A license that was got for one certificate file. */
interface Issued {
  readonly certificate: string;
  readonly certificateDigest: string;
  readonly key: string;
  readonly issued: boolean;
  readonly license: Uint8Array;
}

/** `license issue`: a license for each certificate, through the ledger. */
export async function issueLicenses(args: Arguments, context: CommandContext): Promise<number> {
  const files = certificateFiles(args);
  const target = outputs(args, files);
  if (target.folder !== undefined) await ensureFolder(target.folder, 0o700);
  const licenses = await withBroker(args, context, (broker) => obtainAll(broker, args, files));
  for (const { certificate, license } of licenses) {
    await writeOutput(target.fileFor(certificate), license, { mode: 0o600 });
  }
  const listed = licenses.map(({ certificate, key, issued }) => {
    return { certificate, key, issued, out: target.fileFor(certificate) };
  });
  printResult(context, { licenses: listed }, () =>
    listed.map(({ out, issued, key }) => `${out}  ${issued ? "issued" : "kept"}  ${key}`).join("\n"),
  );
  return 0;
}

/** `license bundle make`: the same, signed into one file for a station without a way to the source. */
export async function makeLicenseBundle(args: Arguments, context: CommandContext): Promise<number> {
  const out = requiredText(args, "out");
  const signingKey = new TextDecoder().decode(await readSecret(requiredText(args, "signing-key")));
  const files = certificateFiles(args);
  const packageDigest = await packageDigestOf(args);
  let firmwareId = textOption(args, "firmware-id");
  const licenses = await withBroker(args, context, async (broker, _, source) => {
    firmwareId = (await source.inspect?.())?.firmwareId ?? firmwareId;
    return obtainAll(broker, args, files);
  });
  const entries = licenses.map(({ certificateDigest, license }) => ({ certificateDigest, license }));
  const created = new Date().toISOString();
  const bundle = makeBundle({ firmwareId, packageDigest, created, entries }, signingKey);
  await writeOutput(out, bundle, { mode: 0o600 });
  printResult(context, { out, licenses: entries.length, firmwareId: firmwareId ?? null }, () =>
    [`${out}: ${entries.length} licenses`, `firmware ${firmwareId ?? `package ${packageDigest}`}`].join("\n"),
  );
  return 0;
}

async function withBroker<T>(
  args: Arguments,
  context: CommandContext,
  work: (broker: LicenseBroker, licensing: Licensing, source: ReturnType<Licensing["source"]>) => Promise<T>,
): Promise<T> {
  const opened = await issuingSource(args, context);
  const settings = await licensingSettings(args, context);
  const licensing = openLicensing(settings, (message) => context.say(`warning: ${message}`));
  try {
    return await work(licensing.broker(opened.source), licensing, licensing.source(opened.source));
  } finally {
    await licensing.close();
    await opened.close();
  }
}

/** All or none are begun: a batch that cannot be finished is refused before the first license. */
async function obtainAll(
  broker: LicenseBroker,
  args: Arguments,
  files: readonly string[],
): Promise<Issued[]> {
  const packageDigest = (await packageDigestOf(args)) ?? sha256Hex("");
  const firmwareId = textOption(args, "firmware-id");
  const requests: LicenseRequest[] = [];
  for (const file of files) requests.push({ certificate: await readInput(file), packageDigest, firmwareId });
  if (requests.length > 1) await broker.checkBatch(requests);
  const licenses: Issued[] = [];
  for (const [index, request] of requests.entries()) {
    const certificate = files[index] ?? "";
    const certificateDigest = sha256Hex(request.certificate);
    licenses.push({ certificate, certificateDigest, ...(await broker.obtain(request)) });
  }
  return licenses;
}

async function packageDigestOf(args: Arguments): Promise<string | undefined> {
  const file = textOption(args, "package");
  if (file !== undefined) return (await readPackageFile(file)).digest;
  if (textOption(args, "firmware-id") !== undefined || textOption(args, "hsm") !== undefined)
    return undefined;
  if (textOption(args, "license-service") !== undefined || textOption(args, "from") !== undefined)
    return undefined;
  if (textOption(args, "license-bundle") !== undefined) return undefined;
  throw StationError.of("USAGE_INVALID", {
    detail: "say what the license is for: --package FILE or --firmware-id NAME",
  });
}

function certificateFiles(args: Arguments): string[] {
  const files = textList(args, "certificate");
  if (files.length > 0) return files;
  throw StationError.of("USAGE_INVALID", { detail: "--certificate is missing" });
}

function outputs(args: Arguments, files: readonly string[]) {
  const out = textOption(args, "out");
  const folder = textOption(args, "out-dir");
  if ((out === undefined) === (folder === undefined) || (out !== undefined && files.length > 1)) {
    const detail = "--out FILE is for one certificate, --out-dir FOLDER for several";
    throw StationError.of("USAGE_INVALID", { detail });
  }
  const inFolder = (file: string) => join(folder ?? "", `${basename(file).replace(/\.[^.]*$/, "")}.license`);
  return { folder, fileFor: (certificate: string) => out ?? inFolder(certificate) };
}
