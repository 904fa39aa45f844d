import { connectDebug } from "../dap/connect.ts";
import type { DebugSession } from "../dap/session.ts";
import { StationError } from "../errors/station-error.ts";
import type { Clock, Probe } from "../ports/index.ts";
import { coreAps, identifyTarget, type TargetIdentity } from "../target/identify.ts";
import type { OptionBytes } from "../target/option-bytes.ts";
import { readOptionBytes } from "../target/option-controller.ts";
import { numberOption, oneProbeSelector, textOption } from "./arguments.ts";
import { openBench, traceRequest } from "./bench.ts";
import type { Arguments } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { loadManifests } from "./manifests.ts";

/** A connected and identified target. */
export interface ConnectedTarget {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly debug: DebugSession;
  readonly identity: TargetIdentity;
  readonly millivolts: number | undefined;
  readOptionBytes(): Promise<OptionBytes>;
}

/**
 * Connects to the target that the command line names, does the work, and leaves the probe clean whatever happens.
 * @param fallbackMode how to connect when --mode was not given
 */
export async function withTarget<T>(
  args: Arguments,
  context: CommandContext,
  fallbackMode: "normal" | "hot-plug",
  work: (target: ConnectedTarget) => Promise<T>,
): Promise<T> {
  const bench = await openBench(oneProbeSelector(args, context.env), traceRequest(args, context));
  try {
    const manifests = await loadManifests();
    const probe = await bench.openProbe();
    try {
      const millivolts = await probe.readTargetMillivolts();
      const debug = await connectDebug(probe, bench.clock, {
        mode: connectMode(args, fallbackMode),
        clockKilohertz: clockKilohertz(args),
        ap: coreAps(manifests),
      });
      const identity = await identifyTarget(debug, manifests);
      return await work({
        probe,
        clock: bench.clock,
        debug,
        identity,
        millivolts,
        readOptionBytes: () => readOptionBytes(debug.memory(), identity.manifest, identity.variant),
      });
    } finally {
      await probe.close();
    }
  } finally {
    await bench.close();
  }
}

/** The connect mode of --mode. */
export function connectMode<Fallback extends "normal" | "hot-plug">(args: Arguments, fallback: Fallback) {
  return (textOption(args, "mode") ?? fallback) as "normal" | "hot-plug" | "under-reset";
}

/** The highest SWD clock of --clock. @throws USAGE_INVALID */
export function clockKilohertz(args: Arguments): number {
  const kilohertz = numberOption(args, "clock", 100_000) ?? 24_000;
  if (kilohertz < 5) throw StationError.of("USAGE_INVALID", { detail: "--clock is below 5 kHz" });
  return kilohertz;
}
