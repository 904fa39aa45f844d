import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Argv } from "yargs";
import { ByteWriter } from "../../bytes/writer.ts";
import { textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import type { CommandContext } from "../context.ts";

/** Size of the firmware in the public H753 log that the splitting rule was taken from: it needs two parts. */
const firmwareSizeBytes = 182_592;
const device = "0x450";

export function build(yargs: Argv): Argv {
  return yargs.option("dir", {
    type: "string",
    describe: "where to leave the files (default: a new temporary folder)",
  });
}

/**
 * The whole job on the virtual bench, by the same commands a person would type: firmware and option bytes into a
 * package, a virtual STM32H753 inspected, the package installed, and the chip, journal and report checked afterwards.
 * Stops at the first command that fails and returns its exit code.
 */
export async function run(args: Arguments, context: CommandContext): Promise<number> {
  const folder = textOption(args, "dir") ?? (await mkdtemp(join(tmpdir(), "sfi-demo-")));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "firmware.bin"), exampleFirmware());
  await writeFile(join(folder, "key.bin"), randomBytes(16), { mode: 0o600 });
  await writeFile(join(folder, "nonce.bin"), randomBytes(12), { mode: 0o600 });
  context.say(`in ${folder}:`);
  const before = process.cwd();
  process.chdir(folder);
  try {
    return await runCommands(context);
  } finally {
    process.chdir(before);
  }
}

async function runCommands(context: CommandContext): Promise<number> {
  const probe = ["--probe", "virtual:h753,state=chip.state"];
  const secrets = ["--key", "key.bin", "--nonce", "nonce.bin"];
  const firmware = "firmware.bin@0x08000000";
  const expect = ["--expect", "options.csv"];
  const commands: string[][] = [
    ["options", "csv", "--device", device, "--out", "options.csv", "SECURITY=1"],
    [
      ...[
        "package",
        "build",
        "--device",
        device,
        "--firmware",
        firmware,
        ...secrets,
        "--options",
        "options.csv",
      ],
      ...["--ram-size", "0x1E000", "--token", "0x081FF000", "--out", "demo.sfi"],
    ],
    ["inspect", ...probe],
    ["plan", "--device", device, "--package", "demo.sfi", ...expect, ...secrets],
    [
      ...["install", ...probe, "--package", "demo.sfi", "--development-license", ...secrets, ...expect],
      ...["--license-dir", "licenses", "--log-dir", "runs"],
    ],
    ["flash", "verify", ...probe, "--file", firmware],
  ];
  for (const command of commands) {
    const code = await show(context, command);
    if (code !== 0) return code;
  }
  return checkRecords(context, "runs");
}

async function checkRecords(context: CommandContext, folder: string): Promise<number> {
  const names = await readdir(folder);
  const file = (ending: string) => join(folder, names.find((name) => name.endsWith(ending)) ?? "");
  const journal = await show(context, ["journal", "verify", file(".journal.ndjson")]);
  if (journal !== 0) return journal;
  return show(context, ["report", "verify", file(".report.json")]);
}

async function show(context: CommandContext, words: readonly string[]): Promise<number> {
  const { json, color } = context.options;
  context.say(`\n$ sfi ${words.join(" ")}`);
  return context.runCommand([...words, ...(json ? ["--json"] : []), ...(color ? [] : ["--no-color"])]);
}

/** A vector table (stack pointer, reset vector) and then bytes that differ everywhere, so that any mix-up shows. */
function exampleFirmware(): Uint8Array {
  const firmware = new ByteWriter(firmwareSizeBytes).u32(0x20020000).u32(0x08000409).finish();
  let state = 0x2545f491;
  for (let i = 8; i < firmware.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    firmware[i] = state >>> 24;
  }
  return firmware;
}
