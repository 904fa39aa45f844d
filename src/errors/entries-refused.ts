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
