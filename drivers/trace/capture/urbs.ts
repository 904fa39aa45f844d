import { packetsOf } from "./container.ts";
import { type UsbmonEvent, usbmonEvent } from "./usbmon.ts";

/** One bulk transfer, from its submission to its end. */
export interface Urb {
  /** Packet of its submission, or of its completion where the capture began in between. */
  readonly packet: number;
  readonly bus: number;
  readonly device: number;
  readonly endpoint: number;
  /** When it took effect on the wire, in microseconds since 1970: OUT at its submission, IN at its end. */
  readonly atMicroseconds: number;
  /** From submission to end, where both are in the capture. */
  readonly durationMicroseconds: number;
  /** Bytes asked for or offered. */
  readonly sizeBytes: number;
  /** Bytes that were really transferred. */
  readonly actualBytes: number;
  readonly data: Uint8Array;
  readonly cut: boolean;
  /** Negative Linux errno; 0 when all is well. */
  readonly status: number;
}

/** -EINPROGRESS, what a submission's status says; here of a transfer whose end is not in the capture. */
export const stillRunning = -115;

/**
 * The bulk transfers of a capture in the order in which they took effect: sends when they were submitted, receives
 * when they ended, so that a reply never stands before its command.
 * Receives that had not ended when the capture did are left out.
 * @throws CAPTURE_INVALID
 */
export function urbsOf(bytes: Uint8Array, file: string): Urb[] {
  const submitted = new Map<string, UsbmonEvent>();
  const urbs: { order: number; urb: Urb }[] = [];
  for (const packet of packetsOf(bytes, file)) {
    const event = usbmonEvent(packet, file);
    if (event === undefined) continue;
    const key = `${event.bus}:${event.urb}`;
    if (event.kind === "submit") {
      submitted.set(key, event);
      continue;
    }
    const submission = submitted.get(key);
    submitted.delete(key);
    const urb = joined(submission, event);
    if (urb !== undefined) urbs.push({ order: urb.packet, urb });
  }
  for (const event of submitted.values()) {
    if (!isIn(event)) urbs.push({ order: event.packet, urb: unfinished(event) });
  }
  return urbs.sort((a, b) => a.order - b.order).map(({ urb }) => urb);
}

/** Undefined for an OUT transfer whose bytes were submitted before the capture began. */
function joined(submission: UsbmonEvent | undefined, end: UsbmonEvent): Urb | undefined {
  const { bus, device, endpoint, status } = end;
  if (isIn(end)) {
    return {
      packet: end.packet,
      bus,
      device,
      endpoint,
      atMicroseconds: end.atMicroseconds,
      durationMicroseconds: submission === undefined ? 0 : end.atMicroseconds - submission.atMicroseconds,
      sizeBytes: submission?.lengthBytes ?? end.lengthBytes,
      actualBytes: end.kind === "complete" ? end.lengthBytes : 0,
      data: end.data,
      cut: end.cut,
      status,
    };
  }
  if (submission === undefined) return undefined;
  const actualBytes = end.kind === "complete" ? end.lengthBytes : 0;
  const durationMicroseconds = end.atMicroseconds - submission.atMicroseconds;
  return { ...unfinished(submission), durationMicroseconds, actualBytes, status };
}

function unfinished(submission: UsbmonEvent): Urb {
  const { packet, bus, device, endpoint, atMicroseconds, lengthBytes, data, cut } = submission;
  return {
    packet,
    bus,
    device,
    endpoint,
    atMicroseconds,
    durationMicroseconds: 0,
    sizeBytes: lengthBytes,
    actualBytes: 0,
    data,
    cut,
    status: stillRunning,
  };
}

function isIn(event: UsbmonEvent): boolean {
  return (event.endpoint & 0x80) !== 0;
}
