import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { StationError } from "../../src/errors/station-error.ts";
import { licenseSizeBytes } from "../../src/package/license.ts";
import { type CardInfo, parseCardInfo } from "./card-info.ts";
import { diagnoseFailure, speaksOfFailure } from "./diagnose.ts";
import { runTool, type ToolResult, type VendorTool } from "./tool.ts";

/** A card in a reader, as STM32_Programmer_CLI reaches it. */
export interface CardOptions {
  readonly tool: VendorTool;
  /** The tool's number of the reader; 1 is the first. */
  readonly slot: number;
  readonly timeoutMs?: number;
}

/** Cards are slow, and ending the tool in the middle of a request can cost a license. */
const defaultTimeoutMs = 90_000;

/**
 * What the card says about itself. `-hsmgetinfo` is asked first; what it does not say is asked for by itself.
 * @throws VENDOR_* of the failed run
 */
export async function readCardInfo(options: CardOptions): Promise<CardInfo> {
  const ask = async (option: string, action: string) => {
    const result = await run(options, [option, `slot=${options.slot}`], action);
    if (result.exitCode !== 0 || speaksOfFailure(result)) throw failure(options, action, result);
    return parseCardInfo(result.text);
  };
  let info = await ask("-hsmgetinfo", "reading the card's information");
  if (info.counter === undefined) info = { ...(await ask("-hsmgetcounter", "reading the counter")), ...info };
  if (info.state === undefined) info = { ...(await ask("-hsmgetstatus", "reading the state")), ...info };
  if (info.firmwareId === undefined) {
    info = { ...(await ask("-hsmgetfwid", "reading the firmware id")), ...info };
  }
  return info;
}

/**
 * The card's counter. @throws VENDOR_OUTPUT_UNCLEAR when the tool does not say it in a way that can be relied on
 */
export async function readCounter(options: CardOptions): Promise<number> {
  const { counter } = await readCardInfo(options);
  if (counter !== undefined) return counter;
  throw StationError.of("VENDOR_OUTPUT_UNCLEAR", {
    tool: basename(options.tool.file),
    what: "the counter",
    detail: "no line `COUNTER : number`",
  });
}

/**
 * Has the card make a license for a certificate (`-hsmgetlicensefromcertifbin`, no target needed). The tool's word is
 * not enough: it must end with 0 and have written a new file of a license's size.
 * @param certificate 136 bytes
 * @returns 136 license bytes
 * @throws VENDOR_NO_LICENSE, VENDOR_* of a failed run
 */
export async function requestLicense(options: CardOptions, certificate: Uint8Array): Promise<Uint8Array> {
  const action = "the license request";
  const folder = await mkdtemp(join(tmpdir(), "sfi-license-"));
  const name = randomBytes(8).toString("hex");
  const certificateFile = join(folder, `${name}.certificate.bin`);
  const licenseFile = join(folder, `${name}.license.bin`);
  try {
    await writeFile(certificateFile, certificate, { mode: 0o600, flag: "wx" });
    // Written just now on the same file system, so no clock but that one decides what is new.
    const { mtimeMs: startMs } = await stat(certificateFile);
    const words = ["-hsmgetlicensefromcertifbin", certificateFile, licenseFile];
    const result = await run(options, [...words, `slot=${options.slot}`, "protocol=static"], action);
    if (result.exitCode !== 0) throw failure(options, action, result);
    const license = await readNewLicense(licenseFile, startMs);
    // What it complains of after it has written the license costs nothing; without one it is the reason.
    if (license instanceof Uint8Array) return license;
    if (speaksOfFailure(result)) throw failure(options, action, result);
    throw StationError.of("VENDOR_NO_LICENSE", { tool: basename(options.tool.file), detail: license.none });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The license, or why there is none. */
async function readNewLicense(
  file: string,
  startMs: number,
): Promise<Uint8Array | { readonly none: string }> {
  let written: { readonly mtimeMs: number };
  let license: Uint8Array;
  try {
    written = await stat(file);
    license = new Uint8Array(await readFile(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return { none: "there is no license file" };
  }
  if (written.mtimeMs < startMs) return { none: "the license file is older than the request" };
  if (license.length !== licenseSizeBytes) {
    return { none: `the license file has ${license.length} bytes instead of ${licenseSizeBytes}` };
  }
  return license;
}

function run(options: CardOptions, words: readonly string[], action: string): Promise<ToolResult> {
  return runTool(options.tool, { words, action, timeoutMs: options.timeoutMs ?? defaultTimeoutMs });
}

function failure(options: CardOptions, action: string, result: ToolResult): StationError {
  return diagnoseFailure(basename(options.tool.file), action, result);
}
