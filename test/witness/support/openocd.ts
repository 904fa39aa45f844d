import type { UsbBus } from "../../../drivers/virtual/usb/bus.ts";
import { run } from "../../drivers/virtual/usb/support/usb-bench.ts";

/** OpenOCD's two ways to drive an ST-LINK: the probe's own target commands, and the DAP registers. */
export const transports = ["hla_swd", "dapdirect_swd"] as const;
export type Transport = (typeof transports)[number];

const interfaceOf = { hla_swd: "interface/stlink.cfg", dapdirect_swd: "interface/stlink-dap.cfg" } as const;

/** What OpenOCD is to do before the target's script. */
const preparation: readonly string[] = [
  // No server sockets: other programs of the machine may use the usual ports.
  ...["gdb_port disabled", "tcl_port disabled", "telnet_port disabled"],
  // The virtual core executes nothing: without RAM for its loaders OpenOCD does everything by single accesses.
  "set WORKAREASIZE 0",
  "set DUAL_BANK 1",
];

/** Command line of OpenOCD for an STM32H7 behind an ST-LINK; `shutdown` comes last. */
export function openocdWords(transport: Transport, commands: readonly string[]): string[] {
  const asWords = (list: readonly string[]) => list.flatMap((command) => ["-c", command]);
  return [
    ...["-f", interfaceOf[transport]],
    ...asWords(preparation),
    ...["-f", "target/stm32h7x.cfg"],
    ...asWords([...commands, "shutdown"]),
  ];
}

/** Runs OpenOCD on a bus. @returns what it printed, with its exit code */
export async function openocd(bus: UsbBus, transport: Transport, ...commands: string[]) {
  const { all, exitCode } = await run(bus, "openocd", ...openocdWords(transport, commands));
  return { text: all ?? "", exitCode };
}
