import { openVirtualBench, type VirtualBench, type VirtualConfig } from "../bench.ts";
import { personalities } from "../stlink/personalities.ts";
import { CoupledClock } from "./coupled-clock.ts";
import type { UsbDeviceModel } from "./device-model.ts";
import { describeStlink } from "./stlink-descriptors.ts";
import { StlinkUsbDevice } from "./stlink-device.ts";

/** A virtual probe with its chip, as a device that can be put on a bus. */
export interface UsbProbe {
  /** `usb:<serial>`: what programs on the bus call it. */
  readonly selector: string;
  readonly serial: string;
  readonly productId: number;
  readonly model: UsbDeviceModel;
  readonly bench: VirtualBench;
}

/** Probes whose serial number is in the form of the first loaders. */
const withRawSerial: readonly string[] = ["v2-j17"];

/**
 * A virtual ST-LINK for hosts that are other programs: they live in real time and break framing as they like.
 * @param onFailure told about mistakes in the bench itself
 * @throws what opening a virtual bench throws
 */
export async function openUsbProbe(
  config: VirtualConfig,
  onFailure: (thrown: unknown) => void,
): Promise<UsbProbe> {
  const bench = await openVirtualBench({ ...config, strict: false }, { clock: new CoupledClock() });
  const { serial, productId } = bench.opener.attachment;
  const description = describeStlink(
    personalities[config.probe],
    serial,
    withRawSerial.includes(config.probe),
  );
  const model = new StlinkUsbDevice(description, bench.opener, onFailure);
  return { selector: `usb:${serial}`, serial, productId, model, bench };
}
