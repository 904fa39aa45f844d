import type { UsbBus } from "../../../drivers/virtual/usb/bus.ts";
import { runSfi } from "../../drivers/virtual/usb/support/usb-bench.ts";

/** Runs the built station on a bus. @returns its result; a failure is one too, with `code` */
export async function station(bus: UsbBus, ...words: string[]): Promise<Record<string, unknown>> {
  const { stdout, all } = await runSfi(bus, ...words, "--json");
  if (stdout === "") throw new Error(`sfi ${words.join(" ")}: ${all}`);
  return JSON.parse(stdout);
}

/** The part's option bytes as the station shows them: field name to number. */
export async function stationOptions(bus: UsbBus): Promise<Record<string, number>> {
  const { fields } = await station(bus, "options", "show");
  return Object.fromEntries(
    (fields as { name: string; value: string }[]).map(({ name, value }) => [name, Number(value)]),
  );
}
