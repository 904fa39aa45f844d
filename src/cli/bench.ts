import { openStlink } from "../../drivers/stlink/probe.ts";
import { StationError } from "../errors/station-error.ts";
import type { BulkOpener, Clock, Probe, ProbeAttachment } from "../ports/index.ts";
import { nodeClock } from "./node-clock.ts";

/** One probe and the clock that belongs to it. The only place that knows which driver serves which selector. */
export interface Bench {
  readonly attachment: ProbeAttachment;
  readonly clock: Clock;
  openProbe(): Promise<Probe>;
  /** Tell fault scripts of the virtual bench which state an install is in. */
  enterState(state: string): void;
  /** Modelled figures of a virtual bench; undefined on a real probe. */
  figures(): BenchFigures | undefined;
  close(): Promise<void>;
}

export interface BenchFigures {
  readonly usbTransfers: number;
  readonly modelledMs: number;
}

/**
 * Finds the probe of a `--probe` selector without touching its target.
 * @param selector as in the command line's contract; undefined: the only attached ST-LINK
 * @throws SELECTOR_INVALID, PROBE_NOT_FOUND, PROBE_AMBIGUOUS, CHIP_UNKNOWN, STATE_FILE_INVALID
 */
export async function openBench(selector: string | undefined): Promise<Bench> {
  const scheme = selector === undefined ? "usb" : selector.split(/[:@]/, 1)[0];
  switch (scheme) {
    case "virtual":
      return openVirtual(selector ?? "");
    case "usb":
      return openUsb(selector);
    default:
      throw StationError.of("SELECTOR_INVALID", {
        selector: selector ?? "",
        detail: "it begins with none of usb:, usb@, virtual:",
      });
  }
}

/** Attached ST-LINKs, without opening any target. */
export async function listProbes(): Promise<ProbeAttachment[]> {
  const { listUsbProbes } = await import("../../drivers/stlink/libusb.ts");
  return listUsbProbes();
}

async function openUsb(selector: string | undefined): Promise<Bench> {
  const { libusbOpener, listUsbProbes } = await import("../../drivers/stlink/libusb.ts");
  const { selectProbe } = await import("../../drivers/stlink/select.ts");
  const attachment = selectProbe(await listUsbProbes(), selector);
  return benchOf(libusbOpener(attachment), nodeClock, {
    enterState: () => {},
    figures: () => undefined,
    close: async () => {},
  });
}

async function openVirtual(selector: string): Promise<Bench> {
  const { openVirtualBench, parseVirtualSelector } = await import("../../drivers/virtual/bench.ts");
  const virtual = await openVirtualBench(parseVirtualSelector(selector));
  return benchOf(virtual.opener, virtual.clock, {
    enterState: (state) => virtual.enterState(state),
    figures: () => ({ usbTransfers: virtual.transfers().count, modelledMs: virtual.modelledMs() }),
    close: () => virtual.close(),
  });
}

function benchOf(
  opener: BulkOpener,
  clock: Clock,
  rest: Pick<Bench, "enterState" | "figures" | "close">,
): Bench {
  return { attachment: opener.attachment, clock, openProbe: () => openStlink(opener, clock), ...rest };
}
