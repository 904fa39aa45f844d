import { join, parse } from "node:path";
import { execa } from "execa";
import { StationError } from "../errors/station-error.ts";
import type { CommandContext } from "./context.ts";
import { renderError } from "./render-error.ts";

/**
 * Runs the same install on several probes at once, each in a process of its own: a crash or a hang in native code
 * takes down one site only. Sites are numbered in the order of the selectors.
 * @returns 0 when every site passed, the common exit code when all ended alike, else 9
 */
export async function runSites(selectors: readonly string[], context: CommandContext): Promise<number> {
  const codes = await Promise.all(selectors.map((selector, i) => runSite(selector, String(i + 1), context)));
  const [first] = codes;
  if (first !== undefined && codes.every((code) => code === first)) return first;
  const passed = codes.filter((code) => code === 0).length;
  const error = StationError.of("SITES_MIXED", { passed, total: codes.length });
  context.say(renderError(error, context.options));
  if (context.options.json) context.out(`${JSON.stringify(error.toRecord())}\n`);
  return error.exit;
}

async function runSite(selector: string, site: string, context: CommandContext): Promise<number> {
  const [node, program, ...words] = [
    process.execPath,
    process.argv[1] ?? "",
    ...siteArguments(selector, site),
  ];
  const child = execa(node, [program, ...words], {
    reject: false,
    buffer: false,
    stdin: "ignore",
    cancelSignal: context.signal,
    forceKillAfterDelay: false,
    env: { SFI_PROBE: selector },
  });
  const lines = async (stream: AsyncIterable<string>, print: (line: string) => void) => {
    for await (const line of stream) print(line);
  };
  await Promise.all([
    lines(child.iterable({ from: "stdout" }), (line) => context.out(`${prefix(line, site, context)}\n`)),
    lines(child.iterable({ from: "stderr" }), (line) => context.say(prefix(line, site, context))),
  ]);
  const { exitCode } = await child;
  return exitCode ?? 1;
}

/** This command line again, with the one probe and the site's name in place of the probes. */
function siteArguments(selector: string, site: string): string[] {
  const words = process.argv.slice(2);
  const kept: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? "";
    if (word === "--probe" || word === "--site") i++;
    else if (word === "--trace") kept.push(word, siteFile(words[++i] ?? "", site));
    else if (word.startsWith("--trace=")) kept.push("--trace", siteFile(word.slice(8), site));
    else if (!word.startsWith("--probe=") && !word.startsWith("--site=")) kept.push(word);
  }
  return [...kept, "--probe", selector, "--site", site];
}

/** A file of one site's own: `run.ndjson` is `run.1.ndjson` at site 1. */
function siteFile(file: string, site: string): string {
  const { dir, name, ext } = parse(file);
  return join(dir, `${name}.${site}${ext}`);
}

function prefix(line: string, site: string, context: CommandContext): string {
  // Events carry their site themselves.
  return context.options.json && line.startsWith("{") ? line : `[${site}] ${line}`;
}
