import type { Argv } from "yargs";
import { targetOptions } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { openPart } from "../open-part.ts";

export function build(yargs: Argv): Argv {
  return targetOptions(yargs).option("approve", {
    type: "string",
    describe: "digest of the erasure, on a real part",
  });
}

/** Ends a pending install: RDP regression, which erases the flash, and factory option bytes. */
export function run(args: Arguments, context: CommandContext): Promise<number> {
  return openPart(args, context, "abort");
}
