import { openVirtualBench, parseVirtualSelector, type VirtualBench } from "../bench.ts";
import { personalities } from "../stlink/personalities.ts";
import { type PluggedDevice, UsbBus } from "./bus.ts";
import { CoupledClock } from "./coupled-clock.ts";
import { describeStlink } from "./stlink-descriptors.ts";
import { StlinkUsbDevice } from "./stlink-device.ts";

/** A virtual probe on a virtual USB bus. */
export interface UsbBenchProbe {
  /** `usb:<serial>`: what programs on the bus call it. */
  readonly selector: string;
  readonly serial: string;
  readonly productId: number;
  readonly plugged: PluggedDevice;
  readonly bench: VirtualBench;
}

/** A USB bus with virtual probes, each with its chip. */
export interface UsbBench {
  readonly bus: UsbBus;
  readonly probes: readonly UsbBenchProbe[];
  /** Only after every program on the bus has ended. Safe to call twice. */
  close(): Promise<void>;
}

/** Probes whose serial number is in the form of the first loaders. */
const withRawSerial: readonly string[] = ["v2-j17"];

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
      // The host on this bus is another program, which lives in real time and breaks framing as it likes.
      const bench = await openVirtualBench({ ...config, strict: false }, { clock: new CoupledClock() });
      const { serial, productId } = bench.opener.attachment;
      const raw = withRawSerial.includes(config.probe);
      const description = describeStlink(personalities[config.probe], serial, raw);
      const plugged = await bus.plug(new StlinkUsbDevice(description, bench.opener, onFailure));
      probes.push({ selector: `usb:${serial}`, serial, productId, plugged, bench });
    }
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return { bus, probes, close };
}
