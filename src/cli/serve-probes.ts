import { openUsbIpBench, type UsbIpBench } from "../../drivers/virtual/usb/usbip-bench.ts";
import { hexNumber } from "../bytes/hex.ts";
import { isStationError } from "../errors/station-error.ts";
import { type CommandContext, printResult } from "./context.ts";

/**
 * Offers virtual ST-LINKs to this machine's kernel over USB/IP until it is told to stop (Ctrl-C, SIGTERM), which is how
 * this ends well. How to attach them is printed once they can be attached.
 * @param port TCP port on the loopback interface; 0 for one that is free
 * @returns exit code 0
 * @throws DEADLINE, USAGE_INVALID for a port that cannot be had, and what opening a virtual bench throws
 */
export async function serveProbes(
  selectors: readonly string[],
  port: number,
  context: CommandContext,
): Promise<number> {
  const { signal } = context;
  const failures: unknown[] = [];
  let stop = () => {};
  const bench = await openUsbIpBench(selectors, port, (thrown) => {
    failures.push(thrown);
    stop();
  });
  try {
    announce(bench, context);
    await new Promise<void>((resolve) => {
      stop = resolve;
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted || failures.length > 0) stop();
    });
  } finally {
    await bench.close();
  }
  if (failures.length > 0) throw failures[0];
  if (isStationError(signal.reason, "DEADLINE")) throw signal.reason;
  return 0;
}

function announce({ port, probes }: UsbIpBench, context: CommandContext): void {
  const devices = probes.map(({ busId, selector, productId }) => ({
    busId,
    selector,
    productId: hexNumber(productId, 4),
  }));
  printResult(context, { port, devices }, () =>
    devices
      .map(({ busId, selector }) => `${selector}: usbip --tcp-port ${port} attach -r 127.0.0.1 -b ${busId}`)
      .join("\n"),
  );
}
