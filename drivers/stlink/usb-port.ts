import { isStationError, StationError } from "../../src/errors/station-error.ts";
import type { BulkPort } from "../../src/ports/index.ts";
import type { DebugEndpoints } from "./ids.ts";
import { isCancelled, type UsbErrorContext, usbError } from "./usb-errors.ts";

/** Begins a transfer into or out of `buffer`; `ended` is called once. Answers the function that cancels it; may throw. */
export type StartTransfer = (
  buffer: Uint8Array,
  ended: (error: unknown, actualBytes: number) => void,
) => () => void;

/** An open device with its interface claimed, as little of it as a bulk port needs. */
export interface ClaimedDevice {
  readonly endpoints: DebugEndpoints;
  start(address: number): StartTransfer;
  clearHalt(address: number): Promise<void>;
  release(): Promise<void>;
  close(): void;
}

/** A transfer under way. */
export interface WatchedTransfer {
  /** Bytes transferred. @throws USB_TIMEOUT, and what usbError makes of a failure */
  readonly done: Promise<number>;
  cancel(): void;
}

/**
 * Starts one transfer with an own watchdog that cancels it: the time-outs of `usb` 2.18 on Linux come up to 60 s late,
 * because its libusb is built without timerfd and nothing wakes its event thread.
 */
export function watchTransfer(
  start: StartTransfer,
  buffer: Uint8Array,
  context: UsbErrorContext,
): WatchedTransfer {
  const { transfer, timeoutMs } = context;
  let cancel = () => {};
  const done = new Promise<number>((resolve, reject) => {
    let expired = false;
    const watchdog = setTimeout(() => {
      expired = true;
      cancel();
    }, timeoutMs);
    try {
      cancel = start(buffer, (error, actualBytes) => {
        clearTimeout(watchdog);
        if (!error) resolve(actualBytes);
        else if (expired && isCancelled(error))
          reject(StationError.of("USB_TIMEOUT", { transfer, timeoutMs }));
        else reject(usbError(error, context));
      });
    } catch (thrown) {
      clearTimeout(watchdog);
      reject(usbError(thrown, context));
    }
  });
  return { done, cancel: () => cancel() };
}

/** The station's bulk port over a claimed device. Closing cancels, awaits, releases and closes, in that order. */
export function usbBulkPort(device: ClaimedDevice, probe: string): BulkPort {
  const { outAddress, inAddress } = device.endpoints;
  const underWay = new Set<WatchedTransfer>();
  let closed = false;

  async function transfer(address: number, buffer: Uint8Array, timeoutMs: number): Promise<number> {
    if (closed) throw StationError.of("PROBE_LOST", {});
    const name = transferName(address === outAddress, buffer.length);
    const context = { stage: "transfer", probe, transfer: name, timeoutMs } as const;
    const watched = watchTransfer(device.start(address), buffer, context);
    underWay.add(watched);
    try {
      return await watched.done;
    } catch (thrown) {
      if (isStationError(thrown, "USB_STALL")) await clearHalts(context);
      throw thrown;
    } finally {
      underWay.delete(watched);
    }
  }

  async function clearHalts(context: UsbErrorContext): Promise<void> {
    try {
      await device.clearHalt(outAddress);
      await device.clearHalt(inAddress);
    } catch (thrown) {
      throw usbError(thrown, { ...context, transfer: "clear halt" });
    }
  }

  return {
    send: async (data, timeoutMs) => {
      const sentBytes = await transfer(outAddress, data, timeoutMs);
      if (sentBytes === data.length) return;
      const detail = `${sentBytes} bytes were taken`;
      throw StationError.of("USB_IO", { transfer: transferName(true, data.length), detail });
    },
    receive: async (sizeBytes, timeoutMs) => {
      const bytes = new Uint8Array(sizeBytes);
      return bytes.subarray(0, await transfer(inAddress, bytes, timeoutMs));
    },
    close: async () => {
      if (closed) return;
      closed = true;
      const last = [...underWay];
      for (const watched of last) watched.cancel();
      await Promise.allSettled(last.map((watched) => watched.done));
      try {
        await device.release();
      } catch (thrown) {
        // The interface of a probe that was pulled out cannot be released, and need not be.
        const error = usbError(thrown, { stage: "transfer", probe, transfer: "release", timeoutMs: 0 });
        if (error.code !== "PROBE_LOST") throw error;
      } finally {
        device.close();
      }
    },
  };
}

function transferName(out: boolean, sizeBytes: number): string {
  return `${out ? "OUT" : "IN"} ${sizeBytes} bytes`;
}
