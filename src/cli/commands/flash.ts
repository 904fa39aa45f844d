import type { Argv } from "yargs";
import { hex32 } from "../../bytes/hex.ts";
import { StationError } from "../../errors/station-error.ts";
import { readFirmware } from "../../firmware/read-firmware.ts";
import { joinSegments, type Segment } from "../../firmware/segments.ts";
import { eraseAll, eraseSectors, programFlash, readFlash, verifyFlash } from "../../target/flash.ts";
import {
  fileWithAddress,
  numberOption,
  requiredNumber,
  requiredText,
  targetOptions,
  textOption,
} from "../arguments.ts";
import type { Arguments } from "../command.ts";
import { requireApproval } from "../consent.ts";
import { type CommandContext, printResult } from "../context.ts";
import { readInput, writeOutput } from "../files.ts";
import { type ConnectedTarget, withTarget } from "../target.ts";

export function build(yargs: Argv): Argv {
  return targetOptions(
    yargs
      .positional("action", { choices: ["read", "erase", "write", "verify"] as const })
      .option("address", { type: "string", describe: "first byte" })
      .option("size", { type: "string", describe: "number of bytes" })
      .option("file", { type: "string", describe: "firmware: bin (with --address), hex, s-record or ELF" })
      .option("out", { type: "string", describe: "read: where to write the bytes" })
      .option("all", { type: "boolean", describe: "erase: the whole flash" })
      .option("approve", { type: "string", describe: "erase: digest of the erasure on a real part" }),
  );
}

type Action = (args: Arguments, context: CommandContext, target: ConnectedTarget) => Promise<Result>;
type Result = Readonly<Record<string, string | number | boolean>>;

const actions: Readonly<Record<string, Action>> = { read, erase, write, verify };

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const action = actions[String(args["action"])];
  if (action === undefined)
    throw StationError.of("USAGE_INVALID", { detail: "flash read | erase | write | verify" });
  await withTarget(args, context, "normal", async (target) => {
    const result = await action(args, context, target);
    printResult(context, result, () =>
      Object.entries(result)
        .map(([name, value]) => `${name}: ${value}`)
        .join("\n"),
    );
  });
  return 0;
}

async function read(args: Arguments, _: CommandContext, { debug }: ConnectedTarget): Promise<Result> {
  const address = requiredNumber(args, "address");
  const sizeBytes = requiredNumber(args, "size");
  const out = requiredText(args, "out");
  await writeOutput(out, await readFlash(debug.memory(), address, sizeBytes));
  return { address: hex32(address), sizeBytes, file: out };
}

async function erase(args: Arguments, _: CommandContext, target: ConnectedTarget): Promise<Result> {
  const { debug, clock, identity, probe } = target;
  const approved = textOption(args, "approve");
  if (args["all"] === true) {
    requireApproval({ uid: identity.uid, erase: "all" }, probe.identity, approved);
    await eraseAll(debug.memory(), clock, identity.manifest, identity.variant);
    return { erased: "all" };
  }
  const address = requiredNumber(args, "address");
  const sizeBytes = requiredNumber(args, "size");
  requireApproval({ uid: identity.uid, erase: { address, sizeBytes } }, probe.identity, approved);
  await eraseSectors(debug.memory(), clock, identity.manifest, { address, sizeBytes });
  return { address: hex32(address), sizeBytes };
}

async function write(args: Arguments, _: CommandContext, target: ConnectedTarget): Promise<Result> {
  const { debug, clock, identity } = target;
  const segments = await readSegments(args);
  for (const { address, data } of segments) {
    await programFlash(debug.memory(), clock, identity.manifest, address, data);
    await verifyFlash(debug.memory(), address, data);
  }
  return { segments: segments.length, sizeBytes: total(segments), verified: true };
}

async function verify(args: Arguments, _: CommandContext, { debug }: ConnectedTarget): Promise<Result> {
  const segments = await readSegments(args);
  for (const { address, data } of segments) await verifyFlash(debug.memory(), address, data);
  return { segments: segments.length, sizeBytes: total(segments), verified: true };
}

async function readSegments(args: Arguments): Promise<Segment[]> {
  const { file, address: inName } = fileWithAddress(requiredText(args, "file"));
  const address = numberOption(args, "address") ?? inName;
  const image = readFirmware(await readInput(file), {
    source: file,
    ...(address === undefined ? {} : { address }),
  });
  return joinSegments([image]);
}

function total(segments: readonly Segment[]): number {
  return segments.reduce((sum, { data }) => sum + data.length, 0);
}
