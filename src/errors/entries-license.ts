import type { CatalogueEntry } from "./entry.ts";

const license = { exit: 6, disposition: "restored", retry: "after-remedy" } as const;

/** License and HSM (exit 6). */
export const licenseEntries = {
  LICENSE_MISSING: {
    ...license,
    message: "no license source was given",
    cause: "A secure install needs a license for the chip.",
    remedy: "Pass --license FILE or --hsm.",
    disposition: "untouched",
  },
  LICENSE_LENGTH: {
    ...license,
    message: "license {source} is {actualBytes} bytes long; a license is 136 bytes",
    cause: "The file is no license, or was truncated.",
    remedy: "Fetch the license again.",
    disposition: "untouched",
  },
  LICENSE_MISMATCH: {
    ...license,
    message: "license {source} does not fit: {detail}",
    cause: "It was issued for another chip, product or package, or is of a type this device does not take.",
    remedy: "Ask for a license with this chip's certificate.",
    disposition: "untouched",
  },
  LICENSE_DEVELOPMENT: {
    ...license,
    message: "license {source} is a development license; real parts cannot open it",
    cause: "Development licenses exist for the virtual bench only.",
    remedy: "Use a license from ST's HSM.",
    disposition: "untouched",
    retry: "no",
  },
  LICENSE_GENUINE_ON_VIRTUAL: {
    ...license,
    message: "license {source} is not a development license; a virtual chip cannot open it",
    cause: "The key derivation of genuine licenses is not public, so only a real part can open one.",
    remedy: "Issue a development license for the virtual chip.",
    disposition: "untouched",
    retry: "no",
  },
  LICENSE_SOURCE_FAILED: {
    ...license,
    message: "the license source {source} failed: {detail}",
    cause: "The issuer could not be asked or gave no license.",
    remedy: "See the detail; the part was put back as it was.",
  },
  LICENSE_STORE_FAILED: {
    ...license,
    message: "the license could not be stored in {folder}: {detail}",
    cause: "A license is stored before it is used, and the folder cannot be written.",
    remedy:
      "Make room or choose another folder with --license-dir. A license that was issued but not stored is reported as spent.",
  },
  LICENSE_NOT_STORED: {
    ...license,
    message: "the license that the interrupted run was given ({key}…) is not in the license folder",
    cause: "The folder was emptied or another one was named. Asking again could spend a second license.",
    remedy: "Name the right folder with --license-dir, or `sfi abort` and install again.",
    disposition: "resumable",
    retry: "resume",
  },
  LICENSE_STORE_DAMAGED: {
    ...license,
    message: "stored license {file} is damaged: {detail}",
    cause: "The file was edited or truncated. It is not replaced, because that would spend another license.",
    remedy: "Restore the file from a backup; remove it only if another license may be spent.",
    disposition: "untouched",
    retry: "after-remedy",
  },
} as const satisfies Record<string, CatalogueEntry>;
