import { isStationError } from "../../../src/errors/station-error.ts";
import type { BulkOpener, BulkPort } from "../../../src/ports/index.ts";
import type { ClaimRefusal, TransferEnd, UsbDeviceModel } from "./device-model.ts";
import type { DebugEndpoints, StlinkDescription } from "./stlink-descriptors.ts";

const debugInterface = 0;

/** An IN transfer that the probe has no answer for yet. */
interface WaitingRead {
  readonly sizeBytes: number;
  readonly end: (end: TransferEnd) => void;
}

/**
 * A probe behind a bulk port, as a device on a USB bus. Claiming the debug interface opens the port, letting go of it
 * closes it. Transfers are carried out one after the other in the order in which they were begun; a read without an
 * answer waits for the next command, as the probe's NAK would have it.
 */
export class StlinkUsbDevice implements UsbDeviceModel {
  readonly speed: UsbDeviceModel["speed"];
  readonly deviceDescriptor: Uint8Array;
  readonly configurationDescriptor: Uint8Array;
  readonly strings: ReadonlyMap<number, string>;
  readonly kernelDrivers: ReadonlyMap<number, string>;
  readonly #endpoints: DebugEndpoints;
  readonly #opener: BulkOpener;
  readonly #onFailure: (thrown: unknown) => void;
  readonly #waitingReads = new Set<WaitingRead>();
  #port: BulkPort | undefined;
  /** Ends when everything begun so far has been carried out. */
  #idle: Promise<void> = Promise.resolve();

  /** @param onFailure told what the probe throws that is no way for a transfer to end */
  constructor(description: StlinkDescription, opener: BulkOpener, onFailure: (thrown: unknown) => void) {
    this.speed = description.speed;
    this.deviceDescriptor = description.deviceDescriptor;
    this.configurationDescriptor = description.configurationDescriptor;
    this.strings = description.strings;
    this.kernelDrivers = description.kernelDrivers;
    this.#endpoints = description.endpoints;
    this.#opener = opener;
    this.#onFailure = onFailure;
  }

  async claim(interfaceNumber: number): Promise<ClaimRefusal | undefined> {
    return interfaceNumber === debugInterface ? this.#open() : undefined;
  }

  async release(interfaceNumber: number): Promise<void> {
    if (interfaceNumber !== debugInterface) return;
    await this.#idle;
    await this.#port?.close();
    this.#port = undefined;
  }

  async reset(): Promise<ClaimRefusal | undefined> {
    const refusal = await this.#open({ reset: true });
    await this.release(debugInterface);
    return refusal;
  }

  bulkOut(endpoint: number, data: Uint8Array, end: (end: TransferEnd) => void): () => void {
    let wanted = true;
    if (endpoint === this.#endpoints.out) {
      this.#whenIdle(async () => {
        if (!wanted) return;
        const how = await this.#transfer(async (port) => {
          await port.send(data, 0);
          return { kind: "done" };
        });
        if (wanted && how !== undefined) end(how);
        // Now there may be an answer to a read that was begun before its command.
        for (const read of [...this.#waitingReads]) await this.#read(read);
      });
    }
    return () => {
      wanted = false;
    };
  }

  bulkIn(endpoint: number, sizeBytes: number, end: (end: TransferEnd) => void): () => void {
    const read = { sizeBytes, end };
    if (endpoint === this.#endpoints.in) {
      this.#waitingReads.add(read);
      this.#whenIdle(() => this.#read(read));
    }
    return () => {
      this.#waitingReads.delete(read);
    };
  }

  control(): undefined {
    return undefined;
  }

  async #open(options?: { readonly reset: boolean }): Promise<ClaimRefusal | undefined> {
    try {
      this.#port = await this.#opener.open(options);
      return undefined;
    } catch (thrown) {
      if (isStationError(thrown, "PROBE_BUSY")) return "busy";
      if (isStationError(thrown, "USB_PERMISSION")) return "permission";
      if (isStationError(thrown, "PROBE_NOT_FOUND")) return "gone";
      throw thrown;
    }
  }

  async #read(read: WaitingRead): Promise<void> {
    if (!this.#waitingReads.has(read)) return;
    const how = await this.#transfer(async (port) => ({
      kind: "done",
      bytes: await port.receive(read.sizeBytes, 0),
    }));
    // Deleting tells whether it was still wanted: it may have been taken back meanwhile.
    if (how !== undefined && this.#waitingReads.delete(read)) read.end(how);
  }

  /** Carries a transfer out. @returns how it ended; undefined when the probe does not answer */
  async #transfer(carryOut: (port: BulkPort) => Promise<TransferEnd>): Promise<TransferEnd | undefined> {
    if (this.#port === undefined) return { kind: "gone" };
    try {
      return await carryOut(this.#port);
    } catch (thrown) {
      if (isStationError(thrown, "USB_TIMEOUT")) return undefined;
      if (isStationError(thrown, "USB_STALL")) return { kind: "stall" };
      if (isStationError(thrown, "USB_OVERFLOW")) return { kind: "overflow" };
      if (isStationError(thrown, "USB_IO")) return { kind: "protocol-error" };
      if (isStationError(thrown, "PROBE_LOST")) return { kind: "gone" };
      throw thrown;
    }
  }

  #whenIdle(action: () => Promise<void>): void {
    this.#idle = this.#idle.then(action).catch(this.#onFailure);
  }
}
