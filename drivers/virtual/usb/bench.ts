import { parseVirtualSelector } from "../bench.ts";
import { type PluggedDevice, UsbBus } from "./bus.ts";
import { openUsbProbe, type UsbProbe } from "./usb-probe.ts";

/** A virtual probe on a virtual USB bus. */
export interface UsbBenchProbe extends Omit<UsbProbe, "model"> {
  readonly plugged: PluggedDevice;
}

/** A USB bus with virtual probes, each with its chip. */
export interface UsbBench {
  readonly bus: UsbBus;
  readonly probes: readonly UsbBenchProbe[];
  /** Only after every program on the bus has ended. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Puts virtual ST-LINKs on a USB bus of their own.
 * @param selectors `virtual:<chip>[,key=value…]`, one for each probe
 * @param onFailure told about mistakes in the bench itself
 * @throws USB_BENCH_MISSING, and what opening a virtual bench throws
 */
export async function openUsbBench(
  selectors: readonly string[],
  onFailure: (thrown: unknown) => void,
): Promise<UsbBench> {
  const configs = selectors.map((selector) => parseVirtualSelector(selector));
  const bus = await UsbBus.open({ onFailure });
  const probes: UsbBenchProbe[] = [];
  const close = async () => {
    await bus.close();
    for (const { bench } of probes) await bench.close();
  };
  try {
    for (const config of configs) {
      const { model, ...probe } = await openUsbProbe(config, onFailure);
      probes.push({ ...probe, plugged: await bus.plug(model) });
    }
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return { bus, probes, close };
}
