import type { Argv } from "yargs";
import type { CommandContext } from "./context.ts";

/** Values of the parsed command line, by option name. */
export type Arguments = Readonly<Record<string, unknown>>;

/** What a command's file exports. */
export interface CommandModule {
  /** Adds the command's own options and positionals. */
  build(yargs: Argv): Argv;
  /** Does the work; returns the exit code. Failures are thrown StationErrors. */
  run(args: Arguments, context: CommandContext): Promise<number>;
}
