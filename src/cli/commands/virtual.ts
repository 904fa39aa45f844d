import { rmSync } from "node:fs";
import { constants } from "node:os";
import { execa } from "execa";
import type { Argv } from "yargs";
import { openUsbBench, type UsbBench } from "../../../drivers/virtual/usb/bench.ts";
import { hexNumber } from "../../bytes/hex.ts";
import { isStationError, StationError } from "../../errors/station-error.ts";
import { requiredNumber, textList, textOption } from "../arguments.ts";
import type { Arguments } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { serveProbes } from "../serve-probes.ts";

/** How long a program that ignores the deadline may go on. */
const graceMs = 5000;

export function build(yargs: Argv): Argv {
  return yargs
    .positional("action", { choices: ["run", "serve"] as const })
    .positional("words", {
      type: "string",
      array: true,
      describe: "run, behind --: the program and its arguments",
    })
    .option("chip", {
      type: "string",
      array: true,
      requiresArg: true,
      nargs: 1,
      describe: "what follows virtual: in a probe selector; repeat for more probes",
    })
    .option("fault", { type: "string", describe: "fault script for every probe that has none of its own" })
    .option("usbip", { type: "string", describe: "serve: TCP port on this machine, 0 for any that is free" });
}

export async function run(args: Arguments, context: CommandContext): Promise<number> {
  if (args["action"] === "run") return runProgram(args, context);
  return serveProbes(virtualSelectors(args), requiredNumber(args, "usbip", 0xffff), context);
}

/**
 * Runs a program with virtual ST-LINKs on its USB bus. The probes live in this process, the program in another.
 * @returns the program's exit code; 128 and the signal's number when a signal ended it
 * @throws USB_BENCH_MISSING, USAGE_INVALID, DEADLINE, and what opening a virtual bench throws
 */
async function runProgram(args: Arguments, context: CommandContext): Promise<number> {
  const [program, ...words] = programWords(args);
  if (program === undefined)
    throw usage("say which program to run: sfi virtual run --chip h753 -- st-info --probe");
  const selectors = virtualSelectors(args);

  let stop = () => {};
  const failures: unknown[] = [];
  const bench = await openUsbBench(selectors, (thrown) => {
    failures.push(thrown);
    stop();
  });
  // A second Ctrl-C ends this process without further ado.
  const sweep = () => rmSync(bench.bus.directory, { recursive: true, force: true });
  process.once("exit", sweep);
  try {
    if (!context.options.quiet) for (const line of introduction(bench)) context.say(line);
    const child = execa(program, words, {
      stdio: "inherit",
      reject: false,
      forceKillAfterDelay: false,
      env: bench.bus.environment(context.env),
    });
    stop = () => child.kill("SIGTERM");
    const undo = passSignals(context.signal, (signal) => child.kill(signal));
    const result = await child;
    undo();
    if (context.options.verbose > 0) for (const line of summary(bench)) context.say(line);
    if (failures.length > 0) throw failures[0];
    if (isStationError(context.signal.reason, "DEADLINE")) throw context.signal.reason;
    if (result.exitCode !== undefined) return result.exitCode;
    if (result.signal !== undefined) return 128 + constants.signals[result.signal];
    throw usage(`${program} cannot be started (${result.code ?? result.shortMessage})`);
  } finally {
    process.off("exit", sweep);
    await bench.close();
  }
}

/** The program's words: what follows -- is behind the command's own name, untouched by the parser. */
function programWords(args: Arguments): string[] {
  return [...textList(args, "words"), ...textList(args, "_").slice(1)];
}

/** Passes on what should end the program. @returns how to stop doing so */
function passSignals(aborted: AbortSignal, kill: (signal: NodeJS.Signals) => void): () => void {
  let hardStop: NodeJS.Timeout | undefined;
  const onAbort = () => {
    if (isStationError(aborted.reason, "INTERRUPTED")) {
      // A terminal's Ctrl-C goes to the program as well; twice would mean more than once.
      if (!process.stdin.isTTY) kill("SIGINT");
      return;
    }
    kill("SIGTERM");
    if (isStationError(aborted.reason, "DEADLINE")) hardStop = setTimeout(() => kill("SIGKILL"), graceMs);
  };
  const onHangup = () => kill("SIGHUP");
  if (aborted.aborted) onAbort();
  else aborted.addEventListener("abort", onAbort, { once: true });
  process.on("SIGHUP", onHangup);
  return () => {
    aborted.removeEventListener("abort", onAbort);
    process.off("SIGHUP", onHangup);
    clearTimeout(hardStop);
  };
}

/** The probes of --chip, with --fault where they have no fault script of their own. @throws USAGE_INVALID */
function virtualSelectors(args: Arguments): string[] {
  const chips = textList(args, "chip");
  if (chips.length === 0) throw usage("--chip is missing");
  const fault = textOption(args, "fault");
  return chips.map((chip) => withFault(`virtual:${chip}`, fault));
}

function withFault(selector: string, fault: string | undefined): string {
  return fault === undefined || /,fault=/.test(selector) ? selector : `${selector},fault=${fault}`;
}

function introduction({ probes }: UsbBench): string[] {
  return probes.map(
    ({ selector, productId, plugged, bench }) =>
      `${bench.chip.model.name} behind ${selector} (0483:${hexNumber(productId, 4).slice(2).toLowerCase()}, usb@${plugged.path})`,
  );
}

function summary({ probes }: UsbBench): string[] {
  return probes.flatMap(({ selector, bench }) => {
    const { count, bytesOut, bytesIn } = bench.transfers();
    return [
      `${selector}: ${count} transfers, ${bytesOut} bytes out, ${bytesIn} bytes in`,
      ...bench.violations().map((text) => `${selector}: ${text}`),
    ];
  });
}

function usage(detail: string): StationError {
  return StationError.of("USAGE_INVALID", { detail });
}
