import type { Argv } from "yargs";
import { hexNumber } from "../../bytes/hex.ts";
import { StationError } from "../../errors/station-error.ts";
import { planPreparation, prepare } from "../../target/prepare.ts";
import { targetOptions, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { requireApproval } from "../consent.ts";
import { type CommandContext, printResult } from "../context.ts";
import { withTarget } from "../target.ts";

export function build(yargs: Argv): Argv {
  return targetOptions(yargs)
    .option("dry-run", { type: "boolean", describe: "say what would be done" })
    .option("approve", { type: "string", describe: "digest of the erasure, on a real part" });
}

/**
 * Makes a part ready for a secure install: removes protections, sets the option bytes an install begins with, erases
 * what is not blank. Checks afterwards that nothing is left to do.
 */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  await withTarget(args, context, "hot-plug", async ({ identity, probe, debug, clock }) => {
    const { manifest, variant, flashSizeBytes } = identity;
    const found = await planPreparation(debug, manifest, variant, flashSizeBytes);
    const changes = found.changes.map(({ field, from, to }) => ({
      field,
      from: hexNumber(from),
      to: hexNumber(to),
    }));
    const { regression, erase } = found;
    const todo = changes.length > 0 || regression || erase;
    const text = (done: string): string =>
      [
        ...changes.map(({ field, from, to }) => `${field}  ${from} -> ${to}`),
        ...(regression ? ["regression with erase of the whole flash"] : erase ? ["erase of the flash"] : []),
        todo ? done : "nothing to do: the part is ready",
      ].join("\n");
    if (args["dry-run"] === true || !todo) {
      printResult(context, { changes, regression, erase, done: false }, () => text("not done (dry run)"));
      return;
    }
    if (regression || erase) {
      requireApproval(
        { uid: identity.uid, prepare: { changes, regression, erase } },
        probe.identity,
        textOption(args, "approve"),
      );
    }
    await prepare(debug, clock, manifest, variant, found);
    const left = await planPreparation(debug, manifest, variant, flashSizeBytes);
    if (left.changes.length > 0 || left.regression || left.erase) {
      const fields = left.changes.map(({ field }) => field).join(", ");
      throw StationError.of("OPTION_BYTES_NOT_TAKEN", {
        detail: `after preparing there is still to do: ${fields || "a regression or an erase"}`,
      });
    }
    printResult(context, { changes, regression, erase, done: true }, () =>
      text("ready for a secure install"),
    );
  });
  return 0;
}
