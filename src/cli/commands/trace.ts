import type { Argv } from "yargs";
import { isCapture } from "../../../drivers/trace/capture/container.ts";
import { idsText, probeIds, traceOfCapture } from "../../../drivers/trace/capture/convert.ts";
import { type StlinkTraffic, stlinkTraffic } from "../../../drivers/trace/capture/stlink-traffic.ts";
import { assemble } from "../../../drivers/trace/decode/assemble.ts";
import { type ListingEntry, listing } from "../../../drivers/trace/decode/listing.ts";
import { encodeHeader, encodeRecord } from "../../../drivers/trace/format.ts";
import { readTrace } from "../../../drivers/trace/read.ts";
import { createSecrets, withoutSecrets } from "../../../drivers/trace/secrets.ts";
import { StationError } from "../../errors/station-error.ts";
import { requiredText, textList, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";
import { readInput, readSecret, writeOutput } from "../files.ts";
import { renderListing } from "../trace-listing.ts";

export function build(yargs: Argv): Argv {
  return yargs
    .positional("action", { choices: ["show", "convert"] as const })
    .positional("file", { type: "string", describe: "a trace, or a pcap or pcapng capture of Linux usbmon" })
    .option("out", { type: "string", describe: "convert: the trace to write" })
    .option("device", { type: "string", describe: "<bus>.<device> where a capture has several ST-LINKs" })
    .option("hide", {
      type: "string",
      array: true,
      nargs: 1,
      describe: "convert: file (a license) whose bytes to leave out of the trace",
    });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const file = requiredText(args, "file");
  const bytes = await readInput(file);
  if (args["action"] === "convert") await convert(bytes, file, args, context);
  else await show(bytes, file, args, context);
  return 0;
}

/** One probe's traffic, ready to be shown. */
interface Shown {
  readonly source: string;
  readonly time?: string;
  readonly endpoints?: { readonly out: string; readonly in: string };
  readonly entries: readonly ListingEntry[];
}

async function show(bytes: Uint8Array, file: string, args: Arguments, context: CommandContext) {
  const probes = isCapture(bytes) ? shownCapture(bytes, file, args) : [await shownTrace(bytes, file)];
  printResult(context, { file, format: isCapture(bytes) ? "usbmon" : "trace", probes }, () =>
    probes.flatMap(({ source, entries }) => [source, ...renderListing(entries)]).join("\n"),
  );
}

async function shownTrace(bytes: Uint8Array, file: string): Promise<Shown> {
  const { header, records } = await readTrace([bytes], file);
  const { selector, serial } = header.attachment;
  const source = [selector, idsText(header.attachment), ...(serial === "" ? [] : [serial])].join("  ");
  return { source, time: header.time, entries: [...listing(records)] };
}

function shownCapture(bytes: Uint8Array, file: string, args: Arguments): Shown[] {
  const wanted = textOption(args, "device");
  const found = stlinkTraffic(bytes, file);
  const chosen = wanted === undefined ? found : [deviceOf(found, wanted)];
  return chosen.map(({ place, records, outEndpoint, inEndpoint }) => {
    const ids = probeIds(assemble(records));
    const endpoints = { out: endpointText(outEndpoint), in: endpointText(inEndpoint) };
    const source = `usbmon:${place}  ${ids === undefined ? "unknown probe" : idsText(ids)}  OUT ${endpoints.out} IN ${endpoints.in}`;
    return { source, endpoints, entries: [...listing(records)] };
  });
}

async function convert(bytes: Uint8Array, file: string, args: Arguments, context: CommandContext) {
  const out = requiredText(args, "out");
  const { header, records } = traceOfCapture(
    deviceOf(stlinkTraffic(bytes, file), textOption(args, "device")),
    file,
  );
  const secrets = createSecrets();
  for (const secret of textList(args, "hide")) secrets.hide(await readSecret(secret));
  const lines = [
    encodeHeader(header),
    ...records.map((record) => encodeRecord(withoutSecrets(record, secrets))),
  ];
  await writeOutput(out, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
  const { selector } = header.attachment;
  printResult(context, { out, selector, records: records.length }, () =>
    [`${out}: ${records.length} operations of ${selector}`, `play it back with --probe replay:${out}`].join(
      "\n",
    ),
  );
}

/** The only one, or the one that was asked for. @throws USAGE_INVALID naming the choice */
function deviceOf(found: readonly StlinkTraffic[], wanted: string | undefined): StlinkTraffic {
  const matching = wanted === undefined ? found : found.filter(({ place }) => place === wanted);
  const [only, ...others] = matching;
  if (only !== undefined && others.length === 0) return only;
  const places = found.map(({ place }) => place).join(", ");
  throw StationError.of("USAGE_INVALID", { detail: `say which ST-LINK with --device: ${places}` });
}

function endpointText(endpoint: number): string {
  return `0x${endpoint.toString(16).toUpperCase().padStart(2, "0")}`;
}
