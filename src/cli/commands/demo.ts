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
  const at = (name: string) => join(folder, name);
  await writeFile(at("firmware.bin"), exampleFirmware());
  await writeFile(at("key.bin"), randomBytes(16), { mode: 0o600 });
  await writeFile(at("nonce.bin"), randomBytes(12), { mode: 0o600 });

  const probe = ["--probe", `virtual:h753,state=${at("chip.state")}`];
  const secrets = ["--key", at("key.bin"), "--nonce", at("nonce.bin")];
  const firmware = `${at("firmware.bin")}@0x08000000`;
  const globals = [
    ...(context.options.json ? ["--json"] : []),
    ...(context.options.color ? [] : ["--no-color"]),
  ];
  const logs = ["--log-dir", at("runs")];
  const commands: string[][] = [
    ["options", "csv", "--device", device, "--out", at("options.csv"), "SECURITY=1", "ST_RAM_SIZE=3"],
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
        at("options.csv"),
      ],
      ...["--ram-size", "0x1E000", "--token", "0x081FF000", "--out", at("demo.sfi")],
    ],
    ["inspect", ...probe],
    ["plan", "--device", device, "--package", at("demo.sfi"), "--expect", at("options.csv"), ...secrets],
    [
      ...["install", ...probe, "--package", at("demo.sfi"), "--development-license", ...secrets],
      ...["--expect", at("options.csv"), "--license-dir", at("licenses"), ...logs],
    ],
    ["flash", "verify", ...probe, "--file", firmware],
  ];
  for (const command of commands) {
    const code = await show(context, [...command, ...globals]);
    if (code !== 0) return code;
  }
  return checkRecords(context, at("runs"), globals);
}

async function checkRecords(
  context: CommandContext,
  folder: string,
  globals: readonly string[],
): Promise<number> {
  const names = await readdir(folder);
  const file = (ending: string) => join(folder, names.find((name) => name.endsWith(ending)) ?? "");
  const journal = await show(context, ["journal", "verify", file(".journal.ndjson"), ...globals]);
  if (journal !== 0) return journal;
  return show(context, ["report", "verify", file(".report.json"), ...globals]);
}

async function show(context: CommandContext, words: readonly string[]): Promise<number> {
  context.say(`\n$ sfi ${words.join(" ")}`);
  return context.runCommand(words);
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
