import { parseVirtualSelector } from "../bench.ts";
import { openUsbProbe, type UsbProbe } from "./usb-probe.ts";
import { UsbIpServer } from "./usbip-server.ts";

/** A virtual probe that a kernel can attach. */
export interface UsbIpProbe extends UsbProbe {
  /** What `usbip attach` calls it. */
  readonly busId: string;
}

/** Virtual probes, each with its chip, behind a USB/IP server on this machine. */
export interface UsbIpBench {
  /** TCP port on the loopback interface. */
  readonly port: number;
  readonly probes: readonly UsbIpProbe[];
  /** Unplugs every probe. */
  close(): Promise<void>;
}

/**
 * Offers virtual ST-LINKs over USB/IP.
 * @param selectors `virtual:<chip>[,key=value…]`, one for each probe
 * @param port TCP port; 0 for one that is free
 * @param onFailure told about mistakes in the bench itself
 * @throws USAGE_INVALID for a port that cannot be had, and what opening a virtual bench throws
 */
export async function openUsbIpBench(
  selectors: readonly string[],
  port: number,
  onFailure: (thrown: unknown) => void,
): Promise<UsbIpBench> {
  const configs = selectors.map((selector) => parseVirtualSelector(selector));
  const probes: UsbProbe[] = [];
  const closeProbes = async () => {
    for (const { bench } of probes) await bench.close();
  };
  try {
    for (const config of configs) probes.push(await openUsbProbe(config, onFailure));
    const models = probes.map(({ model }) => model);
    const server = await UsbIpServer.open(models, port, onFailure);
    const { busIds } = server;
    return {
      port: server.port,
      probes: probes.map((probe, index) => ({ ...probe, busId: busIds[index] ?? "" })),
      close: async () => {
        await server.close();
        await closeProbes();
      },
    };
  } catch (thrown) {
    await closeProbes();
    throw thrown;
  }
}
