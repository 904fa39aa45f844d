import { startLicenseServer } from "../../drivers/licenses/license-server.ts";
import { StationError } from "../errors/station-error.ts";
import { requiredText, textList, toNumber } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { readInput, readSecret } from "./files.ts";
import { issuingSource } from "./license-sources.ts";
import { licensingSettings, openLicensing } from "./licensing.ts";

/**
 * `license serve`: one source for several stations, over HTTPS, until it is told to stop. The first line on stdout says
 * where it listens; every request is a JSON line on stdout with --json, else a line for people on stderr.
 */
export async function serveLicenses(args: Arguments, context: CommandContext): Promise<number> {
  const { host, port } = listenAddress(requiredText(args, "listen"));
  const quotas = quotasOf(args);
  const key = await readSecret(requiredText(args, "tls-key"));
  const certificate = await readInput(requiredText(args, "tls-cert"));
  const clientAuthority = await readInput(requiredText(args, "client-ca"));
  const settings = await licensingSettings(args, context);
  const opened = await issuingSource(args, context);
  const licensing = openLicensing(settings, (message) => context.say(`warning: ${message}`));
  try {
    // A damaged ledger is to be known now, not with the first request.
    await licensing.ledger.account(opened.source.name);
    const server = await startLicenseServer({
      ...{ host, port, key, certificate, clientAuthority, quotas },
      broker: licensing.broker(opened.source),
      source: licensing.source(opened.source),
      development: args["development"] === true,
      onRequest: (line) => report(line, context),
    });
    const url = `https://${host}:${server.port}`;
    context.out(context.options.json ? `${JSON.stringify({ listening: url })}\n` : `listening on ${url}\n`);
    await stopped(context.signal);
    await server.close();
    return 0;
  } finally {
    await licensing.close();
    await opened.close();
  }
}

function report(line: Readonly<Record<string, unknown>>, context: CommandContext): void {
  const timed = { time: new Date().toISOString(), ...line };
  if (context.options.json) context.out(`${JSON.stringify(timed)}\n`);
  else if (!context.options.quiet) context.say(Object.values(timed).join("  "));
}

/** Ctrl-C and SIGTERM are how a service is meant to end; only the deadline of --timeout is an error. */
function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function listenAddress(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:(.+):)?(\d+)$/.exec(text);
  if (match === null) throw StationError.of("USAGE_INVALID", { detail: `--listen ${text} is no HOST:PORT` });
  return { host: match[1] ?? "127.0.0.1", port: toNumber(match[2] ?? "", "the port of --listen", 0xffff) };
}

function quotasOf(args: Arguments): ReadonlyMap<string, number> | undefined {
  const given = textList(args, "quota");
  if (given.length === 0) return undefined;
  return new Map(
    given.map((text) => {
      const at = text.lastIndexOf("=");
      if (at <= 0) throw StationError.of("USAGE_INVALID", { detail: `--quota ${text} is no STATION=NUMBER` });
      return [text.slice(0, at), toNumber(text.slice(at + 1), `--quota ${text}`)] as const;
    }),
  );
}
