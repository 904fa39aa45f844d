import type { CatalogueEntry } from "./entry.ts";

const refused = { exit: 5, disposition: "untouched", retry: "after-remedy" } as const;

/** Refused before any write: the device or its state does not fit (exit 5). */
export const refusedEntries = {
  DEVICE_UNKNOWN: {
    ...refused,
    message: "device id {deviceId} is not known",
    cause: "There is no data for this device in rsse/.",
    remedy: "Check that the right board is attached; docs/devices.md lists the known devices.",
    retry: "no",
  },
  DEVICE_WRONG: {
    ...refused,
    message: "the attached device is {actual}; the job is for {expected}",
    cause: "Another board is attached, or the package was made for another device.",
    remedy: "Attach the right board or take the right package.",
    retry: "no",
  },
  DEVICE_NO_SECURITY: {
    ...refused,
    message: "this {device} has no security extension and can never run a secure install",
    cause: "Only parts with the security extension have RSS; the chip itself says that this one has none.",
    remedy: "Use a part of the same line with the security extension (753, 755, 757).",
    retry: "no",
  },
  READOUT_PROTECTED: {
    ...refused,
    message: "the part is at {level}; this needs the part open",
    cause:
      "At RDP level 1 the user flash cannot be reached over the debug port, level 2 is permanent; a product state other than Open has its own limits.",
    remedy: "Level 1: `sfi regress` erases the part and opens it. Level 2: the part cannot be changed.",
  },
  RSSE_MISSING: {
    ...refused,
    message: "{device} is installed with an RSSe binary, and none was given",
    cause: "On this family the host loads ST's RSS extension to RAM before it can ask for anything.",
    remedy:
      "Give the binary of the device's family with --rsse (X-CUBE-RSSE, or the RSSe folder of STM32CubeProgrammer).",
  },
  RSSE_WRONG: {
    ...refused,
    message: "the RSSe binary {name} is not for this part: {detail}",
    cause:
      'RSS starts only a binary of its own family; another one is refused after the license is spent ("Cannot launch RSSe").',
    remedy: "Take the binary of the device's family and current version.",
  },
  VERSION_TOO_OLD: {
    ...refused,
    message: "this board cannot work: its {what} is {actual}, needed is {minimum} or later ({why})",
    cause:
      "An install would fail on it after the license is spent. The version is fixed in the part when it leaves the factory.",
    remedy: "Use a board with a newer part.",
    retry: "no",
  },
  OPTION_PRECONDITION: {
    ...refused,
    message: "{field} is {actual}; a secure install begins with {needed} ({why})",
    cause: "The part is not as AN5054 asks for at the beginning of an install.",
    remedy: "`sfi prepare`",
  },
  END_OPTIONS_CONTRADICT: {
    ...refused,
    message:
      "the package sets {field} to {value}, which cannot be the end of a secure install on this part ({why})",
    cause: "RSS refuses such option bytes, after the license is spent.",
    remedy: "Build the package again with other option bytes.",
    retry: "no",
  },
  CLOSES_FOR_GOOD: {
    ...refused,
    message: "the package closes the part ({state}) and brings no debug-authentication object",
    cause: "Without such an object in the image the part can never be opened again (AN5054).",
    remedy: "Add the object to the image (--ob-keys), or say with --allow-permanent that this is meant.",
  },
  OPTION_ORDER_REFUSED: {
    ...refused,
    message: "option bytes not written: {detail}",
    cause: "In this order the part would lock, or not take the change.",
    remedy: "Write them in the order the message says; `sfi regress` and `sfi prepare` know it.",
  },
  SFI_NOT_OVER_SWD: {
    ...refused,
    message: "{device} has no secure install over SWD",
    cause: "Its secure install runs in the bootloader (AN5054, AN2606): over UART, USB DFU, SPI or I2C.",
    remedy:
      "Use the bootloader's interfaces for this part; inspect, options, flash and regress work over SWD.",
    retry: "no",
  },
  REGRESSION_NEEDS_AUTHENTICATION: {
    ...refused,
    message: "the part is in {state}; only debug authentication can open it",
    cause:
      "Parts with a product state take no option write that leads back to Open; the request must be authenticated (AN6008).",
    remedy: "Open it by debug authentication with its password or certificate, then run the command again.",
  },
  REGRESSION_LOCKED: {
    ...refused,
    message: "{lock} is set: going back from RDP level 1 needs the OEM key",
    cause:
      "A key was provisioned on this part; without it a regression is refused, and raising RDP would lock the part (RM0456).",
    remedy: "Give the part its OEM key first.",
  },
  PROTECTION_ACTIVE: {
    ...refused,
    message: "{protection} is active on {range}",
    cause: "RSS cannot erase or write flash that is PCROP, secure-area or write protected.",
    remedy: "Remove it: `sfi regress` for PCROP and secure areas, `sfi options set` for write protection.",
  },
  FLASH_NOT_BLANK: {
    ...refused,
    message: "flash is not erased at {address}",
    cause: "RSS programs the package into erased flash only.",
    remedy: "`sfi flash erase --all`",
  },
  SFI_PENDING: {
    ...refused,
    message: "an earlier secure install has not finished on this part ({detail})",
    cause: "A run was interrupted after RSS had been started.",
    remedy: "`sfi resume <journal>` with the journal of that run, or `sfi abort` to erase and open the part.",
  },
  PREFLIGHT_FAILED: {
    ...refused,
    message: "{count} checks failed: {codes}",
    cause:
      "The part, the package and the job do not fit together. Each finding is printed with its own entry.",
    remedy: "Deal with each finding.",
  },
  RESTORED_AFTER_FAULT: {
    ...refused,
    message: "the run stopped before a license was used: {reason}",
    cause: "A step before the license failed. What had been changed was put back.",
    remedy: "{causeRemedy}",
    disposition: "restored",
  },
  RSS_SILENT: {
    ...refused,
    message: "RSS gives no sign of life: {detail}",
    cause: "The root security services did not answer, so a license would be wasted.",
    remedy: "Power the board off and on; check NRST. If it stays silent the part cannot be used.",
    disposition: "restored",
  },
  RESUME_OTHER_CHIP: {
    ...refused,
    message: "the journal is of chip {expected}, the attached chip is {actual}",
    cause: "A run can be resumed only on the chip it was started on.",
    remedy: "Attach that board, or start a new install.",
  },
  RESUME_INPUT_CHANGED: {
    ...refused,
    message: "{what} differs from the one the run was started with",
    cause: "A run can be resumed only with the same package and expectation.",
    remedy: "Restore the file, or start a new install.",
  },
  NOTHING_TO_RESUME: {
    ...refused,
    message: "the run of journal {file} ended as {outcome}",
    cause: "It reached its end.",
    remedy: "Start a new install.",
    retry: "no",
  },
} as const satisfies Record<string, CatalogueEntry>;
