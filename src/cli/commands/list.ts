import type { Argv } from "yargs";
import { hexNumber } from "../../bytes/hex.ts";
import type { ProbeAttachment } from "../../ports/index.ts";
import { listProbes } from "../bench.ts";
import type { Arguments } from "../command.ts";
import { type CommandContext, printResult } from "../context.ts";

export function build(yargs: Argv): Argv {
  return yargs;
}

export async function run(_args: Arguments, context: CommandContext): Promise<number> {
  const probes = await listProbes();
  if (probes.length === 0) {
    context.say("no ST-LINK attached (`sfi doctor` checks why; the virtual bench is --probe virtual:h753)");
  }
  printResult(context, { probes: probes.map(asJson) }, () =>
    probes.map((probe) => `${probe.selector}  ${hexNumber(probe.productId, 4)}  ${probe.serial}`).join("\n"),
  );
  return 0;
}

function asJson({ kind, selector, serial, vendorId, productId }: ProbeAttachment) {
  return { kind, selector, serial, vendorId: hexNumber(vendorId, 4), productId: hexNumber(productId, 4) };
}
