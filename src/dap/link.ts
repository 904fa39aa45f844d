import { hex32 } from "../bytes/hex.ts";
import { isStationError, StationError } from "../errors/station-error.ts";
import type { Clock, DebugPort, Probe } from "../ports/index.ts";
import { poll } from "./poll.ts";
import { abortClearErrors, ctrlStat, dp } from "./registers.ts";

/** How long a debug domain may take to power up (probe-rs waits as long; OpenOCD 100 ms). */
const powerUpMs = 1000;

/**
 * Makes a freshly entered debug port usable: identification, sticky errors cleared, debug and system domain powered
 * up and acknowledged (Arm IHI 0031 B2.4; the order of OpenOCD `dap_dp_init`).
 * @returns DPIDR
 * @throws PROBE_UNSUPPORTED for a DPv3 (ADIv6), which no ST-LINK can drive; TARGET_NO_ANSWER without power-up
 */
export async function initDebugPort(probe: Probe, port: DebugPort, clock: Clock): Promise<number> {
  const dpidr = await port.readDp(dp.DPIDR);
  const version = (dpidr >>> 12) & 0xf;
  if (version < 1 || version > 2) {
    throw StationError.of("PROBE_UNSUPPORTED", {
      probe: probe.identity.selector,
      detail: `the target's debug port (DPIDR ${hex32(dpidr)}) is not version 1 or 2`,
    });
  }
  await port.writeDp(dp.ABORT, abortClearErrors);
  await port.writeDp(dp.CTRL_STAT, ctrlStat.CSYSPWRUPREQ | ctrlStat.CDBGPWRUPREQ);
  const acknowledged = (ctrlStat.CSYSPWRUPACK | ctrlStat.CDBGPWRUPACK) >>> 0;
  const poweredUp = await poll(clock, { timeoutMs: powerUpMs, intervalMs: 10 }, async () => {
    const status = await port.readDp(dp.CTRL_STAT);
    return (status & acknowledged) >>> 0 === acknowledged ? true : undefined;
  });
  if (poweredUp === undefined) {
    throw StationError.of("TARGET_NO_ANSWER", { detail: "the debug domain does not power up" });
  }
  return dpidr;
}

/**
 * True for the failures that a target shows while it resets, is held by RSS or comes back, so that asking again
 * makes sense: the ST-LINK statuses 05, 09, 10..1D and a stalled pipe (OpenOCD and probe-rs reconnect logic).
 */
export function isLinkTrouble(thrown: unknown): thrown is StationError {
  return isStationError(
    thrown,
    "TARGET_NO_ANSWER",
    "TARGET_LINK_LOST",
    "TARGET_FAULT",
    "TARGET_BUSY",
    "ACCESS_PORT_REFUSED",
    "PROBE_COMMAND_FAILED",
    "USB_STALL",
  );
}
