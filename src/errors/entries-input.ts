import type { CatalogueEntry } from "./entry.ts";

const untouched = { exit: 4, disposition: "untouched", retry: "after-remedy" } as const;

/** Packages and other input files (exit 4). */
export const inputEntries = {
  FILE_UNREADABLE: {
    ...untouched,
    message: "cannot read {file}: {detail}",
    cause: "The file is missing, or this user may not read it.",
    remedy: "Check the path and its permissions.",
  },
  FIRMWARE_INVALID: {
    ...untouched,
    message: "{file} is not valid {format} at {position}: {detail}",
    cause: "The firmware file is damaged or is of another format.",
    remedy: "Build or copy it again.",
  },
  FIRMWARE_OVERLAP: {
    ...untouched,
    message: "{first} and {second} both define the bytes from {address}",
    cause: "Two records or two files hold different content for the same address.",
    remedy: "Remove one of them, or correct the linker script.",
  },
  FIRMWARE_ADDRESS_MISSING: {
    ...untouched,
    message: "{file} is a plain binary and needs an address: {file}@0x08000000",
    cause: "A .bin file does not say where it belongs.",
    remedy: "Add @ADDRESS behind the file name.",
  },
  FIRMWARE_OUTSIDE_FLASH: {
    ...untouched,
    message: "{file} has bytes at {address}, outside the flash of device {device}",
    cause: "The firmware was linked for another memory or another device.",
    remedy: "Check the linker script and --device.",
  },
  KEY_LENGTH: {
    ...untouched,
    message: "{file} is {actualBytes} bytes long; a {kind} is {expectedBytes} bytes",
    cause: "The file is not a raw binary key or nonce of the right length.",
    remedy: "Give the raw binary file: 16 bytes for the key, 12 for the nonce.",
  },
  KEY_FILE_EXPOSED: {
    ...untouched,
    message: "{file} may be read by others (mode {mode})",
    cause: "A key that other users of the machine can read is no secret.",
    remedy: "chmod 600 {file}",
  },
  KEY_NONCE_REUSED: {
    ...untouched,
    message:
      "this key and nonce were already used for another image: {file}, made {time} (register {register})",
    cause:
      "AES-GCM protects nothing any more when one key and nonce encrypt two different images: contents and tags of both can be worked out from each other.",
    remedy:
      "Make a new nonce (`sfi key generate --nonce F`) and give it to the license source with the key, or build the image with the very inputs it had.",
  },
  KEY_REGISTER_INVALID: {
    ...untouched,
    message: "the key's register {file} is damaged at line {line}",
    cause: "The file that notes which nonces were used was edited or cut off.",
    remedy: "Restore it from a backup, or use a new key: without it a nonce could be used twice.",
  },
  KEY_PUBLIC: {
    ...untouched,
    message: "{file} rests on a key that everybody has: {name}",
    cause:
      "The key, password or certificate comes from ST's published examples or from this project's tests.",
    remedy: "Make keys of your own; --allow-public-key lets an example pass on a bench.",
  },
  FORMAT_NOT_PUBLIC: {
    exit: 2,
    message: "{what} cannot be made: {detail}",
    cause: "ST does not publish this part of the format, and a guess would spoil parts.",
    remedy: "Use STM32TrustedPackageCreator for this image; the station installs and inspects what it makes.",
    disposition: "untouched",
    retry: "no",
  },
  INPUT_INVALID: {
    ...untouched,
    message: "{file} is not a sound {format} at {position}: {detail}",
    cause: "The file is damaged, was cut off, or is of another format.",
    remedy: "Make or fetch it again; docs/formats.md describes every format.",
  },
  RECIPE_INVALID: {
    ...untouched,
    message: "recipe {file} is not valid at {path}: {detail}",
    cause: "A key of the recipe is unknown, missing or has a value that does not fit.",
    remedy: "Correct it as the message says; docs/formats.md lists the keys.",
  },
  INPUT_DIGEST_DIFFERS: {
    ...untouched,
    message: "{file} is not the file that {recipe} pins: SHA-256 {actual} instead of {expected}",
    cause: "The file was built again or replaced since the recipe was written.",
    remedy: "Fetch the pinned file, or review the new one and change the digest in the recipe.",
  },
  PACKAGE_CORRUPT: {
    ...untouched,
    message: "{file} is not a sound SFI package at offset {offset}: {detail}",
    cause: "The file is truncated, was changed, or is no SFI package.",
    remedy: "Fetch or build the package again and compare its SHA-256.",
  },
  PACKAGE_STRUCTURE: {
    ...untouched,
    message: "{file} cannot be installed: {detail}",
    cause: "The package is readable, but its areas break a rule of the format or of the device.",
    remedy: "Build the package again for this device.",
  },
  PACKAGE_TAG_WRONG: {
    ...untouched,
    message: "{file}: the tag of {part} does not match under this key and nonce",
    cause: "The key or nonce is not the package's, or the content was changed.",
    remedy: "Check that key, nonce and package belong together; build the package again.",
  },
  PACKAGE_PROTOCOL: {
    ...untouched,
    message: "package protocol version {version} is refused by device {device} (it takes {accepted})",
    cause:
      'Tools from about 2.10 on write protocol 2; these devices reject it ("SFI with hash is not supported on this device").',
    remedy:
      "Build the package with `sfi package build --device {device}`, or with STM32TrustedPackageCreator 2.9.",
  },
  OPTION_CSV_INVALID: {
    ...untouched,
    message: "{file} line {line}: {detail}",
    cause: "Rows of an option-byte file may not be added, removed, reordered or renamed.",
    remedy: "Start again from a file of this device: `sfi options csv` shows what each row means.",
  },
  CERTIFICATE_INVALID: {
    ...untouched,
    message: "{source} is not a chip certificate: {detail}",
    cause: "It has the wrong length, no product id, or a public key that is not on the curve.",
    remedy: "Read it from the chip again (`sfi certificate read`).",
  },
  EXPECTATION_INVALID: {
    ...untouched,
    message: "the expected end state cannot be used: {detail}",
    cause: "The file given with --expect does not fit the device.",
    remedy: "Give the option-byte CSV the package was built with.",
  },
  JOURNAL_DAMAGED: {
    exit: 4,
    message: "journal {file} is damaged at line {line}: {detail}",
    cause: "The file was edited, truncated in the middle, or the disk lost part of it.",
    remedy: "Do not resume from it. Inspect the part by hand (`sfi inspect`).",
    disposition: "quarantine",
    retry: "no",
  },
  REPORT_MISMATCH: {
    exit: 4,
    message: "report {file} does not agree with its journal in {field}",
    cause: "The report or the journal was edited, or they belong to different runs.",
    remedy: "Trust neither. Make a new report from a verified journal (`sfi report show JOURNAL`).",
    disposition: "quarantine",
    retry: "no",
  },
  TRACE_INVALID: {
    ...untouched,
    message: "trace {file} is not valid at line {line}: {detail}",
    cause: "The file is no trace of this station or was damaged.",
    remedy: "Record it again.",
  },
  CAPTURE_INVALID: {
    ...untouched,
    message: "USB capture {file} cannot be used at packet {packet}: {detail}",
    cause:
      "The file is no pcap or pcapng capture of Linux usbmon, was cut off or damaged, or holds no ST-LINK traffic.",
    remedy:
      "Capture again with `tshark -i usbmon<bus> -w F` or Wireshark, and without a limit on the packet size.",
  },
  REPLAY_MISMATCH: {
    ...untouched,
    message: "replay differs from trace at transfer {index}: expected {expected}, got {actual}",
    cause: "The program now sends something else than when the trace was recorded.",
    remedy: "Record the trace again, or find the change.",
  },
} as const satisfies Record<string, CatalogueEntry>;
