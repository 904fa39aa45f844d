import { StationError } from "../../../src/errors/station-error.ts";
import type { BulkPort } from "../../../src/ports/index.ts";
import type { VirtualClock } from "../clock.ts";
import type { FaultEngine, TransferFault } from "../faults/engine.ts";
import type { UsbDevice } from "./device.ts";

/** Bytes and transfers that went over a bench's ports. */
export interface TransferCounts {
  count: number;
  bytesOut: number;
  bytesIn: number;
}

/** What an open port works with. */
export interface PortParts {
  readonly device: UsbDevice;
  readonly clock: VirtualClock;
  readonly faults: FaultEngine;
  readonly counts: TransferCounts;
  /** Texts of the host's framing mistakes. */
  readonly violations: string[];
  /** True: a framing mistake throws. False: it stalls, as a probe would. */
  readonly strict: boolean;
  /** The probe leaves the bus, for `returnsAfterMs`. */
  leaveBus(returnsAfterMs: number): void;
  closed(): void;
}

/** A BulkPort to a virtual probe. */
export class VirtualPort implements BulkPort {
  readonly #parts: PortParts;
  #open = true;
  #lost = false;

  constructor(parts: PortParts) {
    this.#parts = parts;
  }

  async send(data: Uint8Array, timeoutMs: number): Promise<void> {
    await this.#turn();
    const { device, counts, faults } = this.#parts;
    const transfer = `OUT ${data.length} bytes`;
    counts.count++;
    const command = device.commandIn(data);
    const fault = faults.beginTransfer("out", command);
    this.#before(fault, transfer, timeoutMs);
    if (fault?.kind === "disconnect" && fault.when === "middle") this.#leave(fault);
    counts.bytesOut += data.length;
    const answer = device.out(command === undefined ? faults.flip(data) : data);
    if (answer.kind === "stall") throw this.#stall(transfer);
    if (answer.kind === "violation") this.#violate(answer.detail, transfer);
    if (fault?.kind === "disconnect") this.#leave(fault);
  }

  async receive(sizeBytes: number, timeoutMs: number): Promise<Uint8Array> {
    await this.#turn();
    const { device, counts, faults } = this.#parts;
    const transfer = `IN ${sizeBytes} bytes`;
    counts.count++;
    const fault = faults.beginTransfer("in");
    this.#before(fault, transfer, timeoutMs);
    if (fault?.kind === "disconnect" && fault.when === "middle") this.#leave(fault);
    if (fault?.kind === "late-reply") {
      device.delayReplies();
      throw this.#timeout(transfer, timeoutMs);
    }
    const answer = device.in();
    if (answer.kind === "stall") throw this.#stall(transfer);
    if (answer.kind === "nothing") throw this.#timeout(transfer, timeoutMs);
    const bytes =
      fault?.kind === "short-reply" ? answer.bytes.subarray(0, answer.bytes.length >> 1) : answer.bytes;
    if (bytes.length > sizeBytes || fault?.kind === "babble") {
      throw StationError.of("USB_OVERFLOW", { transfer });
    }
    // A reply of whole packets has no short packet at its end: a host that asked for more waits on.
    const wholePackets = bytes.length % device.probe.personality.packetBytes === 0;
    if (bytes.length < sizeBytes && wholePackets && bytes.length > 0)
      throw this.#timeout(transfer, timeoutMs);
    counts.bytesIn += bytes.length;
    if (fault?.kind === "disconnect") this.#leave(fault);
    return faults.flip(bytes);
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    if (!this.#lost) this.#parts.closed();
  }

  /** One turn of the event loop, so that signals and timers of the process get their chance. */
  async #turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#lost) throw StationError.of("PROBE_LOST", {});
    if (!this.#open) throw new RangeError("the port is closed");
  }

  /** Faults that keep the transfer from happening. */
  #before(fault: TransferFault | undefined, transfer: string, timeoutMs: number): void {
    if (fault?.kind === "stall") throw this.#stall(transfer);
    if (fault?.kind === "timeout") {
      this.#parts.device.halt();
      throw this.#timeout(transfer, timeoutMs);
    }
    if (fault?.kind === "re-enumerate") this.#leave({ returnsAfterMs: 0 });
    if (fault?.kind === "disconnect" && fault.when === "before") this.#leave(fault);
  }

  #leave({ returnsAfterMs }: { readonly returnsAfterMs: number }): never {
    this.#lost = true;
    this.#parts.leaveBus(returnsAfterMs);
    throw StationError.of("PROBE_LOST", {});
  }

  #violate(detail: string, transfer: string): never {
    this.#parts.violations.push(detail);
    if (this.#parts.strict) throw new RangeError(`the host broke the probe's framing: ${detail}`);
    throw this.#stall(transfer);
  }

  #stall(transfer: string): StationError {
    this.#parts.device.halt();
    return StationError.of("USB_STALL", { transfer });
  }

  #timeout(transfer: string, timeoutMs: number): StationError {
    this.#parts.clock.advance(timeoutMs);
    return StationError.of("USB_TIMEOUT", { timeoutMs, transfer });
  }
}
