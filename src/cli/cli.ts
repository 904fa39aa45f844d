import yargs, { type Argv } from "yargs";
import { asStationError, StationError } from "../errors/station-error.ts";
import type { Arguments, CommandModule } from "./command.ts";
import { commandTable } from "./command-table.ts";
import { commandSignal, type GlobalOptions } from "./context.ts";
import { stateFolder } from "./folders.ts";
import { renderError } from "./render-error.ts";
import { version } from "./version.ts";

/**
 * Runs one command line.
 * @param argv the words after the program's name
 * @returns the exit code (docs/errors.md)
 */
export async function runCli(argv: readonly string[]): Promise<number> {
  let code = 0;
  let globals = preliminaryGlobals(argv);
  const { own, raw } = splitRawWords(argv);
  const parser = yargs(own)
    .scriptName("sfi")
    .detectLocale(false)
    .parserConfiguration({ "parse-numbers": false, "parse-positional-numbers": false })
    .usage("$0 <command>\n\nOpen programming station for STM32 secure firmware install.")
    .option("json", { type: "boolean", default: false, global: true, describe: "result as JSON on stdout" })
    .option("quiet", { type: "boolean", default: false, global: true, describe: "only what went wrong" })
    .option("verbose", { alias: "v", type: "count", global: true, describe: "more detail on stderr" })
    .option("color", { type: "boolean", default: true, global: true, describe: "--no-color for plain text" })
    .option("log-dir", {
      type: "string",
      global: true,
      describe: "folder of journals and reports (SFI_LOG_DIR)",
    })
    .option("timeout", {
      type: "string",
      global: true,
      describe: "deadline of the command, e.g. 90s or 500ms",
    })
    .demandCommand(1, "say what to do; `sfi --help` lists the commands")
    .strict()
    .version(version)
    .help()
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? StationError.of("USAGE_INVALID", { detail: message });
    });
  for (const entry of commandTable) {
    parser.command(
      entry.command,
      entry.describe,
      async (builder: Argv) => (await entry.load()).build(builder),
      async (args: Arguments) => {
        globals = readGlobals(args);
        const given = raw === undefined ? args : { ...args, words: raw };
        code = await runCommand(await entry.load(), given, globals, entry.command.split(" ")[0] ?? "command");
      },
    );
  }
  try {
    await parser.parseAsync();
    return code;
  } catch (thrown) {
    return fail(asStationError(thrown), globals);
  }
}

/**
 * Splits off the words behind a command that takes them as they are, so that none is read as an option of ours.
 * @returns what is ours to read, and the words, when the command is such a one
 */
function splitRawWords(argv: readonly string[]): {
  readonly own: string[];
  readonly raw: string[] | undefined;
} {
  const at = argv.findIndex((word) => !word.startsWith("-"));
  const takesRaw = commandTable.some(
    ({ command, rawWords }) => rawWords && command.split(" ")[0] === argv[at],
  );
  const words = argv.slice(at + 1);
  if (!takesRaw || words.includes("--help")) return { own: [...argv], raw: undefined };
  return {
    own: [...argv.slice(0, at + 1), ...words.filter(isGlobal)],
    raw: words.filter((word) => !isGlobal(word)),
  };
}

/** The global switches that the vendor's tools do not have; `--json` may stand anywhere. */
function isGlobal(word: string): boolean {
  return word === "--json" || word === "--quiet" || word === "--no-color";
}

async function runCommand(
  module: CommandModule,
  args: Arguments,
  options: GlobalOptions,
  name: string,
): Promise<number> {
  const { signal, dispose } = commandSignal(options.timeoutMs, name);
  try {
    return await module.run(args, {
      options,
      out: (text) => process.stdout.write(text),
      say: (line) => process.stderr.write(`${line}\n`),
      signal,
      env: process.env,
      runCommand: runCli,
    });
  } finally {
    dispose();
  }
}

function fail(error: StationError, globals: GlobalOptions): number {
  if (globals.json) process.stdout.write(`${JSON.stringify(error.toRecord())}\n`);
  process.stderr.write(`${renderError(error, globals)}\n`);
  return error.exit;
}

function readGlobals(args: Arguments): GlobalOptions {
  return {
    json: args["json"] === true,
    quiet: args["quiet"] === true,
    verbose: Number(args["verbose"] ?? 0),
    color: args["color"] !== false && useColor(),
    logDir: String(args["log-dir"] ?? process.env["SFI_LOG_DIR"] ?? stateFolder("runs")),
    timeoutMs: parseDuration(args["timeout"]),
  };
}

/** Enough to report an error in the command line itself the way the caller asked for. */
function preliminaryGlobals(argv: readonly string[]): GlobalOptions {
  return {
    json: argv.includes("--json"),
    quiet: argv.includes("--quiet"),
    verbose: 0,
    color: !argv.includes("--no-color") && useColor(),
    logDir: "",
    timeoutMs: undefined,
  };
}

function useColor(): boolean {
  return (
    process.env["NO_COLOR"] === undefined && process.env["TERM"] !== "dumb" && process.stderr.isTTY === true
  );
}

function parseDuration(text: unknown): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(String(text));
  if (match === null) {
    throw StationError.of("USAGE_INVALID", {
      detail: `--timeout ${String(text)} is no duration (90s, 500ms, 5m)`,
    });
  }
  const unitMs = { ms: 1, s: 1000, m: 60_000 }[match[2] ?? "s"] ?? 1000;
  return Number(match[1]) * unitMs;
}
