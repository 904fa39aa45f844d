import { resolve } from "node:path";
import { openStlink } from "../../drivers/stlink/probe.ts";
import { StationError } from "../errors/station-error.ts";
import type { BulkOpener, Clock, Probe, ProbeAttachment } from "../ports/index.ts";
import { textOption } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import { nodeClock } from "./node-clock.ts";

/** One probe and the clock that belongs to it. The only place that knows which driver serves which selector. */
export interface Bench {
  readonly attachment: ProbeAttachment;
  readonly clock: Clock;
  openProbe(): Promise<Probe>;
  /** Tell fault scripts of the virtual bench, and the trace, which state an install is in. */
  enterState(state: string): void;
  /** Keep these bytes out of the trace; a replay takes them for the ones its trace hides. */
  hide(secret: Uint8Array): void;
  /** Modelled figures of a virtual bench; undefined on a real probe. */
  figures(): BenchFigures | undefined;
  close(): Promise<void>;
}

/** A recording that was asked for with --trace. */
export interface TraceRequest {
  readonly file: string;
  /** Told when the trace could not be written to its end. */
  warn(message: string): void;
}

/** The recording that the command line asks for, if any. */
export function traceRequest(
  args: Arguments,
  context: { readonly say: (line: string) => void },
): TraceRequest | undefined {
  const file = textOption(args, "trace");
  if (file === undefined) return undefined;
  return { file: resolve(file), warn: (message) => context.say(`warning: ${message}`) };
}

export interface BenchFigures {
  readonly usbTransfers: number;
  readonly modelledMs: number;
}

/** What serves one selector: the opener, its clock, and what the bench passes on. */
interface Attached extends Omit<Bench, "attachment" | "openProbe"> {
  readonly opener: BulkOpener;
}

/**
 * Finds the probe of a `--probe` selector without touching its target.
 * @param selector as in the command line's contract; undefined: the only attached ST-LINK
 * @param trace write every USB transfer to a file
 * @throws SELECTOR_INVALID, PROBE_NOT_FOUND, PROBE_AMBIGUOUS, CHIP_UNKNOWN, STATE_FILE_INVALID, TRACE_INVALID,
 *   OUTPUT_UNWRITABLE for the trace; REPLAY_MISMATCH from `close` of a replay that was not played to its end
 */
export async function openBench(selector: string | undefined, trace?: TraceRequest): Promise<Bench> {
  const attached = await attach(selector);
  if (trace === undefined) return benchOf(attached);
  try {
    return benchOf(await recorded(attached, trace));
  } catch (thrown) {
    await attached.close();
    throw thrown;
  }
}

function attach(selector: string | undefined): Promise<Attached> {
  const scheme = selector === undefined ? "usb" : selector.split(/[:@]/, 1)[0];
  switch (scheme) {
    case "virtual":
      return openVirtual(selector ?? "");
    case "replay":
      return openReplay(selector ?? "");
    case "usb":
      return openUsb(selector);
    default:
      throw StationError.of("SELECTOR_INVALID", {
        selector: selector ?? "",
        detail: "it begins with none of usb:, usb@, virtual:, replay:",
      });
  }
}

/** Attached ST-LINKs, without opening any target. */
export async function listProbes(): Promise<ProbeAttachment[]> {
  const { listUsbProbes } = await import("../../drivers/stlink/libusb.ts");
  return listUsbProbes();
}

async function openUsb(selector: string | undefined): Promise<Attached> {
  const { libusbOpener, listUsbProbes } = await import("../../drivers/stlink/libusb.ts");
  const { selectProbe } = await import("../../drivers/stlink/select.ts");
  const attachment = selectProbe(await listUsbProbes(), selector);
  return {
    opener: libusbOpener(attachment),
    clock: nodeClock,
    enterState: () => {},
    hide: () => {},
    figures: () => undefined,
    close: async () => {},
  };
}

async function openVirtual(selector: string): Promise<Attached> {
  const { openVirtualBench, parseVirtualSelector } = await import("../../drivers/virtual/bench.ts");
  const virtual = await openVirtualBench(parseVirtualSelector(selector));
  return {
    opener: virtual.opener,
    clock: virtual.clock,
    enterState: (state) => virtual.enterState(state),
    hide: () => {},
    figures: () => ({ usbTransfers: virtual.transfers().count, modelledMs: virtual.modelledMs() }),
    close: () => virtual.close(),
  };
}

/** Time of a replay is the recorded one: it moves with the transfers and with every wait, and never really passes. */
async function openReplay(selector: string): Promise<Attached> {
  const { replayOpener } = await import("../../drivers/trace/replay.ts");
  const { VirtualClock } = await import("../../drivers/virtual/clock.ts");
  const { readTraceFile } = await import("./trace-file.ts");
  const file = selector.slice("replay:".length);
  if (file === "") throw StationError.of("SELECTOR_INVALID", { selector, detail: "it names no trace file" });
  const trace = await readTraceFile(file);
  const clock = new VirtualClock(new Date(trace.header.time));
  const opener = replayOpener(trace, { selector, onTime: (elapsedMs) => clock.advanceTo(elapsedMs) });
  return {
    opener,
    clock,
    enterState: () => {},
    hide: (secret) => opener.hide(secret),
    figures: () => undefined,
    close: async () => opener.finish(),
  };
}

async function recorded(attached: Attached, { file, warn }: TraceRequest): Promise<Attached> {
  const { recordingOpener } = await import("../../drivers/trace/record.ts");
  const { createTraceFile } = await import("./trace-file.ts");
  const sink = createTraceFile(file, warn);
  const opener = recordingOpener(attached.opener, sink, attached.clock);
  return {
    ...attached,
    opener,
    enterState: (state) => {
      opener.enterPhase(state);
      attached.enterState(state);
    },
    hide: (secret) => {
      opener.hide(secret);
      attached.hide(secret);
    },
    close: async () => {
      sink.close();
      await attached.close();
    },
  };
}

function benchOf({ opener, ...rest }: Attached): Bench {
  return { attachment: opener.attachment, openProbe: () => openStlink(opener, rest.clock), ...rest };
}
