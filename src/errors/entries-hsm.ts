import type { CatalogueEntry } from "./entry.ts";

const hsm = { exit: 6, disposition: "untouched", retry: "after-remedy" } as const;

/** PKCS#11 modules, tokens and the vendor's tools around an HSM (exit 6). */
export const hsmEntries = {
  PKCS11_UNAVAILABLE: {
    ...hsm,
    message: "this station cannot use PKCS#11 modules: the package pkcs11js is missing ({detail})",
    cause:
      "pkcs11js is optional and is compiled when it is installed; without a compiler, or with --ignore-scripts, it is left out.",
    remedy: "Install a C++ compiler, make and Python 3, then `npm rebuild pkcs11js` or `npm ci`.",
  },
  PKCS11_LOAD_FAILED: {
    ...hsm,
    message: "PKCS#11 module {module} could not be loaded: {detail}",
    cause: "The path is wrong, the file is no library, or it was made for another processor.",
    remedy: "Give the absolute path of a 64-bit module for this system; `ldd` and `file` say what it is.",
  },
  PKCS11_LIBRARY_MISSING: {
    ...hsm,
    message: "PKCS#11 module {module} needs the library {library}, which is not there",
    cause: "The loader did not find a library that the module was linked to.",
    remedy: "Install it, or name its folder in LD_LIBRARY_PATH; `ldd {module}` lists all of them.",
  },
  PKCS11_NO_FUNCTION_LIST: {
    ...hsm,
    message: "{module} is no PKCS#11 module: it has no C_GetFunctionList",
    cause: "The file is a library, but another one.",
    remedy: "Give the path of the PKCS#11 module itself.",
  },
  PKCS11_INIT_FAILED: {
    ...hsm,
    message: "PKCS#11 module {module} does not start: C_Initialize gave {ckr}",
    cause: "The smart-card service is not running, or the module does not find its configuration or data.",
    remedy: "Check, in this order, the smart-card service, the reader, the card, the module's configuration.",
  },
  PKCS11_CRASHED: {
    ...hsm,
    message: "PKCS#11 module {module} crashed ({signal}) in {operation}{output}",
    cause: "The module accessed memory it may not. It ran in a process of its own, so the station goes on.",
    remedy:
      "Try another version of the module; `sfi hsm info` says whether it was loaded with its own libraries.",
  },
  PKCS11_ABORTED: {
    ...hsm,
    message: "PKCS#11 module {module} gave itself up (abort) in {operation}{output}",
    cause: "The module found itself in an impossible state: a failed assertion or a damaged heap.",
    remedy: "Try another version of the module, and look at what it printed.",
  },
  PKCS11_EXITED: {
    ...hsm,
    message: "PKCS#11 module {module} ended its process (exit code {exitCode}) in {operation}{output}",
    cause: "The module called exit(), or the loader met an unresolved symbol.",
    remedy: "Look at what it printed; check its configuration and version.",
  },
  PKCS11_HUNG_AT_START: {
    ...hsm,
    message: "PKCS#11 module {module} did not start within {timeoutMs} ms{output}",
    cause: "The module waits for the smart-card service, a reader or a network that does not answer.",
    remedy: "Plug the reader in again and restart the smart-card service (pcscd).",
  },
  PKCS11_HUNG: {
    ...hsm,
    message: "PKCS#11 module {module} did not answer {operation} within {timeoutMs} ms{output}",
    cause: "The card or reader is stuck. The module's process was ended.",
    remedy: "Take the card out and put it in again; restart the smart-card service (pcscd).",
  },
  PKCS11_BROKEN_PIPE: {
    ...hsm,
    message: "the process of PKCS#11 module {module} was cut off in {operation}: {detail}{output}",
    cause: "The module wrote into, or closed, the pipe between its process and the station.",
    remedy: "Try another version of the module.",
  },
  PKCS11_DOWN: {
    ...hsm,
    message: "PKCS#11 module {module} failed {count} times within {seconds} s and is not started again",
    cause: "A module that dies again and again is not asked any more.",
    remedy: "Deal with the first failure (see the log), then start the command again.",
  },
  PKCS11_ERROR: {
    ...hsm,
    message: "PKCS#11 {operation} failed with {ckr}",
    cause: "The token or its module refused the operation.",
    remedy: "See the return code in the PKCS#11 standard; take the card out and put it in again.",
  },
  HSM_MECHANISM_MISSING: {
    ...hsm,
    message: "token {token} cannot issue development licenses: it lacks {mechanisms}",
    cause: "Issuing needs P-256 key generation, ECDH and AES-GCM on the token.",
    remedy: "Use another token, for example SoftHSM2.",
  },
  HSM_NO_TOKEN: {
    ...hsm,
    message: "PKCS#11 module {module} shows no token: {detail}",
    cause: "The smart-card service, the reader or the card is missing.",
    remedy: "Start the service, attach the reader, put the card in, in this order.",
  },
  HSM_TOKEN_NOT_FOUND: {
    ...hsm,
    message: "there is no token {token}; present: {present}",
    cause: "The wrong card is in the reader, or the label is another one.",
    remedy: "Take one of the labels in the message, or put the right card in.",
  },
  HSM_TOKEN_AMBIGUOUS: {
    ...hsm,
    message: "several tokens are called {token}; serial numbers: {serials}",
    cause: "Labels are not unique.",
    remedy: "Add serial=NUMBER to --hsm.",
  },
  HSM_PIN_MISSING: {
    ...hsm,
    message: "token {token} needs a PIN",
    cause: "No PIN was given and there is no terminal to ask at.",
    remedy: "Pass --pin-file FILE (readable by you alone).",
  },
  HSM_PIN_REFUSED: {
    ...hsm,
    message: "token {token} refused the PIN ({ckr}); it is not tried again",
    cause: "The PIN is wrong. Trying again could lock the token.",
    remedy: "Correct the PIN file, then start the command again.",
    retry: "no",
  },
  HSM_PIN_LAST_TRY: {
    ...hsm,
    message: "token {token} has one try of its PIN left; the station does not use it",
    cause: "Wrong PINs were given before. One more would lock the token.",
    remedy: "Log in by hand with the right PIN, which resets the count.",
    retry: "no",
  },
  HSM_PIN_LOCKED: {
    ...hsm,
    message: "the PIN of token {token} is locked",
    cause: "Too many wrong PINs were given.",
    remedy: "The security officer of the token can set a new PIN.",
    retry: "no",
  },
  HSM_IN_USE: {
    ...hsm,
    message: "token {token} is in use by process {pid}",
    cause:
      "One program at a time may use a token: shared by several, counters go wrong and licenses get lost.",
    remedy: "Wait for that program, or let several stations share one license service.",
  },
  HSM_FIRMWARE_ID_WRONG: {
    ...hsm,
    message: "{source} holds firmware id {actual}; the job needs {expected}",
    cause: "The card was made for another firmware, so its licenses would be useless.",
    remedy: "Put the right card in.",
  },
  HSM_STATE_UNFIT: {
    ...hsm,
    message: "{source} is in {state}, so it issues no licenses",
    cause: "Only a provisioned and locked card (OPERATIONAL_STATE) issues licenses (AN5054 3.1).",
    remedy: "Its owner must finish provisioning it: `sfi hsm provision … --lock`.",
  },
  HSM_EXHAUSTED: {
    ...hsm,
    message: "{source} has no licenses left",
    cause: "Its counter is 0.",
    remedy: "Use another card of this firmware. Chips that were licensed already can still be programmed.",
    retry: "no",
  },
  HSM_ALREADY_LOCKED: {
    ...hsm,
    message: "{source} is locked and cannot be provisioned again",
    cause: "Locking is final (AN5054 4.3.5).",
    remedy: "Use a new card; a development token can be initialized anew with its own tools.",
    retry: "no",
  },
  HSM_LICENSE_LOST: {
    ...hsm,
    message: "{source} gave no license, but its counter fell from {before} to {after}: {reason}",
    cause: "The card counted a license that never arrived.",
    remedy: "Deal with the reason first. Asking again spends another license.",
    retry: "no",
  },
  HSM_OUTCOME_UNKNOWN: {
    ...hsm,
    message:
      "whether {source} spent a license is not known: {reason}; its counter was {before} and cannot be read",
    cause: "The request was cut off and the card does not answer any more.",
    remedy: "Make the card readable, compare its counter with `sfi hsm counter`, and only then ask again.",
    retry: "no",
  },
  HSM_VALUE_MISSING: {
    ...hsm,
    message: "{source} does not say its {what}: {detail}",
    cause: "The HSM is blank, or the way to it does not show this value.",
    remedy: "`sfi hsm info` shows what it does say.",
  },
  HSM_ISSUE_NOT_PUBLIC: {
    ...hsm,
    message: "{source} can only be looked at: how its licenses are asked for over PKCS#11 is not public",
    cause:
      "ST's module shows one data object, FwId. Counter, state and licenses use calls that ST does not document.",
    remedy: "Use --hsm slot=N, which asks through STM32CubeProgrammer.",
    retry: "no",
  },
  VENDOR_TOOL_MISSING: {
    ...hsm,
    message: "{tool} was not found: {detail}",
    cause: "ST's tools are not part of this station; a real card is asked through them.",
    remedy: "Install it, put it on PATH, or name it with tool=/absolute/path in --hsm.",
  },
  VENDOR_TOOL_HUNG: {
    ...hsm,
    message: "{tool} did not finish {action} within {timeoutMs} ms and was ended with its children",
    cause: "The card, the reader or the tool is stuck.",
    remedy: "Take the card out and put it in again; restart the smart-card service (pcscd).",
  },
  VENDOR_TOOL_FAILED: {
    ...hsm,
    message: "{tool} could not do {action} ({ending}): {detail}",
    cause: "The tool reported an error that the station has no better explanation for.",
    remedy: "See the detail.",
  },
  VENDOR_OUTPUT_UNCLEAR: {
    ...hsm,
    message: "{tool} said nothing usable about {what}: {detail}",
    cause: "The output of another version of the tool, or of a card that it does not know.",
    remedy: "Run the tool by hand; report its output and version.",
  },
  VENDOR_NO_LICENSE: {
    ...hsm,
    message: "{tool} reported success but left no usable license: {detail}",
    cause: "The tool's exit code alone proves nothing.",
    remedy: "Look at the counter (`sfi hsm counter`): a license may have been spent.",
  },
  VENDOR_MODULE_NOT_LOADED: {
    ...hsm,
    message: "{tool} cannot load its smart-card module: {detail}",
    cause:
      "The module was not found (the tool must run in its own bin folder), or a library it needs is missing (libpcsclite.so.1, libcrypto.so.1.0.0), or it is a 32-bit one.",
    remedy: "Run `ldd` on the module in the tool's bin folder; install what is missing.",
  },
  VENDOR_HSM_NOT_STARTED: {
    ...hsm,
    message: "{tool} cannot start the smart-card module: {detail}",
    cause:
      "The smart-card service is not running, the module's data folder is missing, or the reader is busy.",
    remedy:
      "Check, in this order, the smart-card service (pcscd), the reader, the card, the folder HSM/data.",
  },
  VENDOR_HSM_NOT_INITIALIZED: {
    ...hsm,
    message: "{tool} was told that the smart-card module is not initialized: {detail}",
    cause: "An earlier start of the module failed without a word.",
    remedy: "Check, in this order, the smart-card service (pcscd), the reader, the card.",
  },
  VENDOR_HSM_SESSION_LOST: {
    ...hsm,
    message: "{tool} lost its session with the card: {detail}",
    cause: "The card was taken out or reset, or another program uses it.",
    remedy: "Close other programs that use the reader, put the card in again.",
  },
} as const satisfies Record<string, CatalogueEntry>;
