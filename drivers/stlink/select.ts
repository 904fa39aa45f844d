import type { ErrorCode } from "../../src/errors/catalogue.ts";
import { StationError } from "../../src/errors/station-error.ts";
import type { ProbeAttachment } from "../../src/ports/index.ts";
import { stlinkProduct } from "./ids.ts";
import { sameSerial } from "./serial.ts";

/** A probe on the USB bus. */
export interface UsbAttachment extends ProbeAttachment {
  readonly kind: "usb";
  /** Where it is plugged in: `<bus>-<port.port>`. */
  readonly path: string;
  /** Why its serial number could not be read, when it could not: PROBE_BUSY, USB_PERMISSION, USB_IO … */
  readonly obstacle?: ErrorCode;
}

/** `<bus>-<port.port>`, the part of a `usb@` selector that says where a device is plugged in. */
export function usbPath(busNumber: number, portNumbers: readonly number[]): string {
  return `${busNumber}-${portNumbers.join(".")}`;
}

/**
 * Gives every probe the selector that names exactly it: its serial number where it has one that no other has, else its
 * place on the bus (clones share serials or have none).
 */
export function withSelectors(found: readonly Omit<UsbAttachment, "selector">[]): UsbAttachment[] {
  return found.map((probe) => {
    const alike = found.filter((other) => sameSerial(other.serial, probe.serial));
    return { ...probe, selector: alike.length === 1 ? `usb:${probe.serial}` : `usb@${probe.path}` };
  });
}

/**
 * The one probe that `--probe` means.
 * @param selector `usb:<serial>` in any spelling, `usb@<bus>-<ports>`, or undefined for the only one attached. Loaders
 *   and V1 probes are passed over then, unless there is nothing else.
 * @throws PROBE_NOT_FOUND, PROBE_AMBIGUOUS (both name what is attached), SELECTOR_INVALID; USB_PERMISSION or PROBE_BUSY
 *   when nothing matches and a probe could not be asked for its serial number
 */
export function selectProbe(
  attachments: readonly UsbAttachment[],
  selector: string | undefined,
): UsbAttachment {
  const matching = selector === undefined ? preferred(attachments) : attachments.filter(matcher(selector));
  const [only, second] = matching;
  if (only === undefined) {
    // One whose serial number could not be read may well be the one that is meant: say what keeps it closed.
    const unread = attachments.find(
      ({ obstacle }) => obstacle === "USB_PERMISSION" || obstacle === "PROBE_BUSY",
    );
    if (unread?.obstacle === "USB_PERMISSION" || unread?.obstacle === "PROBE_BUSY") {
      throw StationError.of(unread.obstacle, { probe: unread.selector });
    }
    const attached = attachments.length === 0 ? "nothing" : selectors(attachments);
    const wanted = selector === undefined ? "" : ` as ${selector}; attached: ${attached}`;
    throw StationError.of("PROBE_NOT_FOUND", { wanted });
  }
  if (second !== undefined) {
    throw StationError.of("PROBE_AMBIGUOUS", { count: matching.length, selectors: selectors(matching) });
  }
  return only;
}

function preferred(attachments: readonly UsbAttachment[]): readonly UsbAttachment[] {
  const usable = attachments.filter(
    ({ vendorId, productId }) => stlinkProduct(vendorId, productId)?.role === "probe",
  );
  return usable.length > 0 ? usable : attachments;
}

function matcher(selector: string): (probe: UsbAttachment) => boolean {
  const [, kind, name = ""] = /^usb([:@])(.+)$/s.exec(selector) ?? [];
  if (kind === ":") return (probe) => sameSerial(probe.serial, name);
  if (kind === "@" && /^\d+-\d+(\.\d+)*$/.test(name)) return (probe) => probe.path === name;
  const detail = "a USB probe is usb:<serial> or usb@<bus>-<port.port>";
  throw StationError.of("SELECTOR_INVALID", { selector, detail });
}

function selectors(probes: readonly UsbAttachment[]): string {
  return probes.map((probe) => probe.selector).join(", ");
}
