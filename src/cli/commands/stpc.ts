import type { Argv } from "yargs";
import type { Arguments } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { translateStpc } from "../stpc-words.ts";

export function build(yargs: Argv): Argv {
  return yargs.positional("words", {
    type: "string",
    array: true,
    describe: "as STM32TrustedPackageCreator_CLI takes them, e.g. -sfi -devid 0x450 -fir app.hex …",
  });
}

/** Runs the station's own command for the vendor's words and says which one it is. */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const words = ((args["words"] as string[] | undefined) ?? []).map(String);
  const command = translateStpc(words);
  const shown = command
    .map((word) => (/^[\w@%+=:,./\\-]+$/.test(word) ? word : JSON.stringify(word)))
    .join(" ");
  if (!context.options.quiet) context.say(`sfi ${shown}`);
  const { json, quiet, color } = context.options;
  return context.runCommand([
    ...command,
    ...(json ? ["--json"] : []),
    ...(quiet ? ["--quiet"] : []),
    ...(color ? [] : ["--no-color"]),
  ]);
}
