import { StationError } from "../../src/errors/station-error.ts";

/** At which point libusb reported an error; the same number means different things. */
export type UsbStage = "open" | "claim" | "transfer";

type UsbErrorCode =
  | "PROBE_LOST"
  | "PROBE_BUSY"
  | "USB_PERMISSION"
  | "USB_TIMEOUT"
  | "USB_STALL"
  | "USB_OVERFLOW"
  | "USB_IO";

interface UsbErrno {
  readonly errno: number;
  readonly name: string;
  readonly code: UsbErrorCode;
}

/** libusb numbers: above 0 how a transfer ended, below 0 how a call failed. */
const errnos: readonly UsbErrno[] = [
  { errno: 1, name: "LIBUSB_TRANSFER_ERROR", code: "USB_IO" },
  { errno: 2, name: "LIBUSB_TRANSFER_TIMED_OUT", code: "USB_TIMEOUT" },
  { errno: 3, name: "LIBUSB_TRANSFER_CANCELLED", code: "USB_IO" },
  { errno: 4, name: "LIBUSB_TRANSFER_STALL", code: "USB_STALL" },
  { errno: 5, name: "LIBUSB_TRANSFER_NO_DEVICE", code: "PROBE_LOST" },
  { errno: 6, name: "LIBUSB_TRANSFER_OVERFLOW", code: "USB_OVERFLOW" },
  { errno: -1, name: "LIBUSB_ERROR_IO", code: "USB_IO" },
  { errno: -2, name: "LIBUSB_ERROR_INVALID_PARAM", code: "USB_IO" },
  { errno: -3, name: "LIBUSB_ERROR_ACCESS", code: "USB_PERMISSION" },
  { errno: -4, name: "LIBUSB_ERROR_NO_DEVICE", code: "PROBE_LOST" },
  { errno: -5, name: "LIBUSB_ERROR_NOT_FOUND", code: "PROBE_LOST" },
  { errno: -6, name: "LIBUSB_ERROR_BUSY", code: "PROBE_BUSY" },
  { errno: -7, name: "LIBUSB_ERROR_TIMEOUT", code: "USB_TIMEOUT" },
  { errno: -8, name: "LIBUSB_ERROR_OVERFLOW", code: "USB_OVERFLOW" },
  { errno: -9, name: "LIBUSB_ERROR_PIPE", code: "USB_STALL" },
  { errno: -10, name: "LIBUSB_ERROR_INTERRUPTED", code: "USB_IO" },
  { errno: -11, name: "LIBUSB_ERROR_NO_MEM", code: "USB_IO" },
  {
    errno: -12,
    name: "LIBUSB_ERROR_NOT_SUPPORTED (on Windows: no WinUSB driver is bound to it)",
    code: "USB_IO",
  },
  { errno: -99, name: "LIBUSB_ERROR_OTHER", code: "USB_IO" },
];
const byErrno: ReadonlyMap<number, UsbErrno> = new Map(errnos.map((entry) => [entry.errno, entry]));

/** What an error happened to. */
export interface UsbErrorContext {
  readonly stage: UsbStage;
  /** Selector of the probe. */
  readonly probe: string;
  /** What was being done, for the message: "OUT 16 bytes". */
  readonly transfer: string;
  readonly timeoutMs: number;
}

/**
 * Anything the `usb` package throws, as a catalogue error. Its errors are plain `Error`s with a numeric `errno`; its
 * LibUSBException class exists in the types only.
 * A refused claim is a busy probe: macOS reports another program's claim as missing permission.
 */
export function usbError(
  thrown: unknown,
  { stage, probe, transfer, timeoutMs }: UsbErrorContext,
): StationError {
  if (thrown instanceof StationError) return thrown;
  const entry = byErrno.get(errnoOf(thrown));
  const detail = entry?.name ?? (thrown instanceof Error ? thrown.message : String(thrown));
  const context = { cause: thrown };
  switch (entry?.code) {
    case "PROBE_LOST":
      return StationError.of("PROBE_LOST", {}, context);
    case "PROBE_BUSY":
      return StationError.of("PROBE_BUSY", { probe }, context);
    case "USB_PERMISSION":
      return StationError.of(stage === "claim" ? "PROBE_BUSY" : "USB_PERMISSION", { probe }, context);
    case "USB_TIMEOUT":
      return StationError.of("USB_TIMEOUT", { transfer, timeoutMs }, context);
    case "USB_STALL":
      return StationError.of("USB_STALL", { transfer }, context);
    case "USB_OVERFLOW":
      return StationError.of("USB_OVERFLOW", { transfer }, context);
    case "USB_IO":
    case undefined:
      return StationError.of("USB_IO", { transfer, detail }, context);
  }
}

/** True when a transfer ended because it was cancelled. */
export function isCancelled(thrown: unknown): boolean {
  return byErrno.get(errnoOf(thrown))?.name === "LIBUSB_TRANSFER_CANCELLED";
}

/** True when a call failed because the device is no longer the one it was. */
export function isNotFound(thrown: unknown): boolean {
  return byErrno.get(errnoOf(thrown))?.name === "LIBUSB_ERROR_NOT_FOUND";
}

/** The libusb number an error carries; 0 when it carries none. */
function errnoOf(thrown: unknown): number {
  const errno = thrown instanceof Error && "errno" in thrown ? thrown.errno : undefined;
  return typeof errno === "number" ? errno : 0;
}
