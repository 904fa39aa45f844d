import { hex32, hexNumber } from "../../src/bytes/hex.ts";
import { StationError } from "../../src/errors/station-error.ts";

/**
 * What to do about a status code.
 * - wait: the target is not ready; the whole command is sent again after a pause
 * - fault: the target refused this access; sticky errors are cleared, the link stays up
 * - link-lost: nobody understood each other on the wire; SWD has to be entered again
 * - closed-ap: the probe will not go through this access port
 * - fatal: anything that trying again does not help
 */
export type StatusAction = "ok" | "wait" | "fault" | "link-lost" | "closed-ap" | "fatal";

/** One status code: its name in the field and what to do about it. */
export interface StatusEntry {
  readonly code: number;
  readonly name: string;
  readonly action: StatusAction;
}

export const statusOk = 0x80;
export const statusApFault = 0x11;

/**
 * Status codes in byte 0 of a reply. 10..1A are the same in OpenOCD, pyOCD, probe-rs, stlink-org, Black Magic and
 * psdb; the others come from pyOCD and probe-rs. 0D is not an error to OpenOCD and Black Magic either.
 */
const entries: readonly StatusEntry[] = [
  { code: 0x80, name: "OK", action: "ok" },
  { code: 0x81, name: "FAULT", action: "fault" },
  { code: 0x01, name: "UNKNOWN_ERROR", action: "fatal" },
  { code: 0x02, name: "SPI_ERROR", action: "fatal" },
  { code: 0x03, name: "DMA_ERROR", action: "fatal" },
  { code: 0x04, name: "UNKNOWN_JTAG_CHAIN", action: "fatal" },
  { code: 0x05, name: "NO_DEVICE_CONNECTED", action: "link-lost" },
  { code: 0x06, name: "INTERNAL_ERROR", action: "fatal" },
  { code: 0x07, name: "CMD_WAIT", action: "wait" },
  { code: 0x08, name: "CMD_ERROR", action: "fatal" },
  { code: 0x09, name: "GET_IDCODE_ERROR", action: "link-lost" },
  { code: 0x0a, name: "ALIGNMENT_ERROR", action: "fatal" },
  // The debug power-up handshake failed; entering again is what Black Magic does about it.
  { code: 0x0b, name: "DBG_POWER_ERROR", action: "link-lost" },
  { code: 0x0c, name: "WRITE_ERROR", action: "fatal" },
  { code: 0x0d, name: "WRITE_VERIF_ERROR", action: "ok" },
  { code: 0x0e, name: "ALREADY_OPENED_IN_OTHER_MODE", action: "fatal" },
  { code: 0x10, name: "AP_WAIT", action: "wait" },
  { code: 0x11, name: "AP_FAULT", action: "fault" },
  { code: 0x12, name: "AP_ERROR", action: "link-lost" },
  { code: 0x13, name: "AP_PARITY_ERROR", action: "link-lost" },
  { code: 0x14, name: "DP_WAIT", action: "wait" },
  { code: 0x15, name: "DP_FAULT", action: "fault" },
  { code: 0x16, name: "DP_ERROR", action: "link-lost" },
  { code: 0x17, name: "DP_PARITY_ERROR", action: "link-lost" },
  { code: 0x18, name: "AP_WDATA_ERROR", action: "fault" },
  { code: 0x19, name: "AP_STICKY_ERROR", action: "fault" },
  { code: 0x1a, name: "AP_STICKYORUN_ERROR", action: "fault" },
  { code: 0x1d, name: "BAD_AP", action: "closed-ap" },
  { code: 0x20, name: "SWV_NOT_AVAILABLE", action: "fatal" },
  { code: 0x29, name: "TOO_MANY_AP", action: "closed-ap" },
  { code: 0x40, name: "CONF_CHANGED", action: "ok" },
  { code: 0x41, name: "FREQ_NOT_SUPPORTED", action: "fatal" },
  { code: 0x42, name: "UNKNOWN_CMD", action: "fatal" },
];
const byCode: ReadonlyMap<number, StatusEntry> = new Map(entries.map((entry) => [entry.code, entry]));

/** The entry of a status code; an unknown code is fatal. */
export function statusEntry(code: number): StatusEntry {
  return byCode.get(code) ?? { code, name: "UNKNOWN_STATUS", action: "fatal" };
}

/** Where in the target a command works. `ap` undefined means the debug port itself. */
export interface TargetPlace {
  readonly ap?: number;
  readonly register?: number;
  readonly address?: number;
  readonly sizeBytes?: number;
}

/**
 * The error of a status code that is neither ok nor worth waiting for (or no longer worth it).
 * @param place undefined for commands that concern the probe and not the target
 * @param faultAddress what the probe reported of the failing access, where it did
 */
export function statusError(
  code: number,
  command: string,
  place: TargetPlace | undefined,
  faultAddress?: number,
): StationError {
  const { name, action } = statusEntry(code);
  const detail = `${command}: ${name}, status ${hexNumber(code, 2)}`;
  if (action === "wait") return StationError.of("TARGET_BUSY", { detail });
  if (action === "link-lost") return StationError.of("TARGET_LINK_LOST", { detail });
  if (action === "fault" && place !== undefined) {
    return StationError.of("TARGET_FAULT", { address: faultPlace(place, faultAddress), detail });
  }
  if (action === "closed-ap" && place?.ap !== undefined) {
    return StationError.of("ACCESS_PORT_REFUSED", { ap: place.ap, detail });
  }
  return StationError.of("PROBE_COMMAND_FAILED", { command, status: hexNumber(code, 2), name });
}

/** The address the probe reported when it lies in the block (or is the one just behind), else where the block begins. */
function faultPlace(place: TargetPlace, reported: number | undefined): string {
  const { ap, register, address, sizeBytes = 4 } = place;
  if (address !== undefined) {
    const inside = reported !== undefined && reported >= address && reported <= address + sizeBytes;
    return hex32(inside ? reported : address);
  }
  const port = ap === undefined ? "DP" : `AP${ap}`;
  return register === undefined ? port : `${port} register ${hexNumber(register, 2)}`;
}
