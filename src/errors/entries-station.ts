import type { CatalogueEntry } from "./entry.ts";

const untouched = { exit: 3, disposition: "untouched", retry: "after-remedy" } as const;

/** Station: probe, USB, permission, wiring, power (exit 3). */
export const stationEntries = {
  PROBE_NOT_FOUND: {
    ...untouched,
    message: "no ST-LINK found{wanted}",
    cause: "Nothing with ST's vendor id and a known product id is attached, or the selector matches none.",
    remedy:
      "Attach a probe, check the cable (a charge-only cable shows nothing), and run `sfi list` and `sfi doctor`.",
  },
  PROBE_AMBIGUOUS: {
    ...untouched,
    message: "{count} probes match: {selectors}",
    cause: "More than one ST-LINK is attached and the command did not say which.",
    remedy: "Pass --probe with one of the selectors in the message.",
  },
  PROBE_BUSY: {
    ...untouched,
    message: "probe {probe} is in use by another program",
    cause: "A debug interface can be claimed by one program at a time.",
    remedy: "Close the IDE, debugger or other station that uses the probe.",
  },
  USB_PERMISSION: {
    ...untouched,
    message: "no permission to open probe {probe}",
    cause: "The operating system does not let this user open the device.",
    remedy: "Run `sfi doctor`: it prints the udev rule to install. Then plug the probe in again.",
  },
  PROBE_FIRMWARE_OLD: {
    ...untouched,
    message: "probe {probe} has firmware {firmware}; at least {minimum} is needed",
    cause: "Older firmware lacks commands that secure parts need, or has known defects in them.",
    remedy: "Update the probe with ST's STLinkUpgrade, then try again.",
  },
  PROBE_UNSUPPORTED: {
    ...untouched,
    message: "probe {probe} cannot be used: {detail}",
    cause: "ST-LINK V1, a probe in firmware-update mode, or one that can only program STM8.",
    remedy: "Use an ST-LINK V2, V2-1 or V3; re-plug one that is stuck in update mode.",
  },
  PROBE_LOST: {
    ...untouched,
    message: "the probe disappeared from the USB bus",
    cause: "The cable was pulled, the probe lost power or reset itself.",
    remedy: "Check cable and hub, plug it in again; an interrupted install goes on with `sfi resume`.",
  },
  USB_TIMEOUT: {
    ...untouched,
    message: "the probe did not answer within {timeoutMs} ms ({transfer})",
    cause: "The probe's firmware hangs, or the USB connection is bad.",
    remedy: "Plug the probe in again; use another cable or port.",
  },
  USB_STALL: {
    ...untouched,
    message: "the probe refused a transfer ({transfer})",
    cause: "The probe does not know the command or is in the wrong mode.",
    remedy: "Plug the probe in again; update its firmware.",
  },
  USB_OVERFLOW: {
    ...untouched,
    message: "the probe sent more than was asked for ({transfer})",
    cause: "Probe and station are out of step, after an earlier broken transfer.",
    remedy: "Plug the probe in again.",
  },
  USB_IO: {
    ...untouched,
    message: "USB transfer failed ({transfer}): {detail}",
    cause: "Cable, hub or host controller.",
    remedy: "Use another cable or port.",
  },
  PROBE_PROTOCOL: {
    ...untouched,
    message: "the probe's answer to {command} is not understood: {detail}",
    cause: "A clone with other firmware, or an answer that belongs to an earlier command.",
    remedy: "Plug the probe in again; update its firmware.",
  },
  PROBE_COMMAND_FAILED: {
    ...untouched,
    message: "the probe answered {command} with status {status} ({name})",
    cause: "The probe could not carry the command out.",
    remedy: "Check wiring and target power, then try again.",
  },
  TARGET_UNPOWERED: {
    ...untouched,
    message: "target voltage is {millivolts} mV; at least {minimumMillivolts} mV is needed",
    cause: "The board has no power, or VTref is not connected to the probe.",
    remedy: "Power the board; check the VTref line and the ribbon cable.",
  },
  TARGET_NO_ANSWER: {
    ...untouched,
    message: "no answer from the target over SWD ({detail})",
    cause:
      "SWDIO, SWCLK or GND is not connected, NRST is held low, the part is off, or its debug port is closed.",
    remedy: "Check wiring and power; try --mode under-reset and a lower --clock.",
  },
  TARGET_LINK_LOST: {
    ...untouched,
    message: "the SWD connection was lost ({detail})",
    cause: "The target was reset, lost power, or closed its debug port.",
    remedy: "Check power and wiring, then connect again.",
  },
  TARGET_FAULT: {
    ...untouched,
    message: "the target refused an access at {address} ({detail})",
    cause: "The address does not exist, is protected, or its clock is off.",
    remedy: "Check the part's protections with `sfi inspect`.",
  },
  ACCESS_PORT_REFUSED: {
    ...untouched,
    message: "the probe does not go through access port {ap} ({detail})",
    cause:
      "The access port does not exist or was not opened, its number is above what the probe's firmware takes, or the target is not ST's: recent firmware refuses those.",
    remedy: "Check that the board carries the part the job is for, then connect again.",
  },
  TARGET_BUSY: {
    ...untouched,
    message: "the target kept answering WAIT ({detail})",
    cause: "The bus is held by a flash operation or sleep mode, or the SWD clock is too fast for the wire.",
    remedy: "Try a lower --clock or --mode under-reset.",
  },
  CORE_NOT_HALTED: {
    ...untouched,
    message: "the core did not halt within {timeoutMs} ms",
    cause: "The core sleeps without a clock, is held in reset, or debug of it is disabled.",
    remedy: "Try --mode under-reset.",
  },
  CORE_RUNNING: {
    ...untouched,
    message: "the core is running, so its registers cannot be reached",
    cause: "Another debugger or a reset let the core run again.",
    remedy: "Close other debuggers; try --mode under-reset.",
  },
  CALL_NOT_RETURNED: {
    ...untouched,
    message: "the function at {entry} that was called on the target did not return: {detail}",
    cause: "Running firmware disturbs the call, or there is no such function on this part.",
    remedy: "Power the board off and on; try --mode under-reset.",
  },
  RESET_NOT_SEEN: {
    ...untouched,
    message: "the target did not go through reset ({detail})",
    cause: "NRST is not wired to the probe or is held by the board.",
    remedy: "Connect the probe's NRST to the part's NRST and keep other drivers off it.",
  },
  USB_BENCH_MISSING: {
    ...untouched,
    message: "the virtual USB bus needs umockdev's preload library {library}: {detail}",
    cause:
      "Other programs see virtual ST-LINKs on their USB bus through a library that is loaded in front of the operating system's.",
    remedy:
      "Debian and Ubuntu: apt-get install umockdev. On other systems the virtual USB bus is not available; --probe virtual:<chip> works everywhere.",
  },
} as const satisfies Record<string, CatalogueEntry>;
