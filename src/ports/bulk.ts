/**
 * The seam above the wire: what the ST-LINK protocol code needs of a USB connection.
 * Implemented by libusb, by the virtual probe in memory and by a replayed trace.
 *
 * Failures are StationErrors: USB_TIMEOUT, USB_STALL, USB_OVERFLOW, USB_IO, PROBE_LOST, PROBE_BUSY, USB_PERMISSION.
 * After USB_STALL the implementation has already cleared the halt of both endpoints.
 */
export interface BulkPort {
  /** Send all of `data` on the debug OUT endpoint. */
  send(data: Uint8Array, timeoutMs: number): Promise<void>;
  /** Receive up to `sizeBytes` bytes from the debug IN endpoint; may return fewer when the device ends early. */
  receive(sizeBytes: number, timeoutMs: number): Promise<Uint8Array>;
  /** Release the interface and the device. Safe to call twice. */
  close(): Promise<void>;
}

/** What is known of a probe before it is opened. */
export interface ProbeAttachment {
  readonly kind: "usb" | "virtual" | "replay";
  /** The `--probe` selector that names exactly this probe. */
  readonly selector: string;
  readonly vendorId: number;
  readonly productId: number;
  /** Canonical serial number (24 upper-case hex digits where the probe has a good one); "" when it has none. */
  readonly serial: string;
  /** True for a virtual probe that is reached through the operating system's USB interface (`sfi virtual run`). */
  readonly emulated?: boolean;
}

/** Opens the connection to one attached probe, and opens it again when it is out of step. */
export interface BulkOpener {
  readonly attachment: ProbeAttachment;
  /** @param reset reset the USB device first (recovery only: it disturbs the target's NRST). */
  open(options?: { readonly reset?: boolean }): Promise<BulkPort>;
}
