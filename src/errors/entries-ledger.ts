import type { CatalogueEntry } from "./entry.ts";

const license = { exit: 6, disposition: "untouched", retry: "after-remedy" } as const;

/** The account of licenses, the broker and the license service (exit 6). */
export const ledgerEntries = {
  LEDGER_UNAVAILABLE: {
    ...license,
    message: "the license ledger {ledger} cannot be used: {detail}",
    cause: "Its folder cannot be written, or its database server does not answer.",
    remedy:
      "Bring the ledger back; nothing is issued without it. A license already in hand is in the license folder.",
  },
  LEDGER_BUSY: {
    ...license,
    message: "another process has been using {source} for more than {seconds} s",
    cause: "One process at a time asks a license source, so that its counter can be accounted for.",
    remedy: "Wait for the other station's request, or end that process.",
  },
  LEDGER_DAMAGED: {
    ...license,
    message: "the license ledger {ledger} is damaged at record {record}: {detail}",
    cause:
      "It was edited, truncated, or restored from an old copy. What it would say from there on is not known.",
    remedy:
      "Restore the newest copy. Without one: `sfi license ledger restart --reason TEXT` keeps the damaged one aside and begins anew with the stored licenses.",
    retry: "no",
  },
  LEDGER_NOTHING_DAMAGED: {
    ...license,
    message: "the license ledger {ledger} is whole; it is not begun anew",
    cause: "A restart forgets the account, so it is for a damaged ledger only.",
    remedy: "Go on with the ledger as it is.",
    retry: "no",
  },
  LEDGER_KEY_UNKNOWN: {
    ...license,
    message: "the ledger has nothing under {key} for which that can be done: {detail}",
    cause: "The key is of no license in this ledger, or of one in another state.",
    remedy: "`sfi license ledger show` lists keys and states.",
  },
  LEDGER_COUNTER_RAISED: {
    ...license,
    message: "{source} has {actual} licenses left; by the ledger it must be {expected}",
    cause: "A counter never goes up: this is another card, or a ledger restored from an old copy.",
    remedy:
      "Put the right card in. If it is the right one: `sfi license ledger accept --source NAME --remaining N --reason TEXT`.",
  },
  LEDGER_COUNTER_LOWERED: {
    ...license,
    message:
      "{source} has {actual} licenses left; by the ledger it must be {expected}: {missing} were used elsewhere",
    cause: "Something other than this ledger's stations used the source, and --strict-counter is set.",
    remedy: "Find out who; then run once without --strict-counter, which records the difference.",
  },
  LICENSE_BATCH_TOO_LARGE: {
    ...license,
    message: "{needed} licenses are needed and {source} has {remaining} left",
    cause: "A batch that cannot be finished is not begun.",
    remedy: "Make the batch smaller or use another card.",
  },
  LICENSE_BURNED: {
    ...license,
    message: "{source} spent a license for {key} and gave none (counter {before}, then {after})",
    cause: "The request was cut off between the source and the station. Asking again spends another license.",
    remedy:
      "If another may be spent: repeat with --allow-burn 1, or `sfi license forget {key} --reason TEXT`.",
    retry: "no",
  },
  LICENSE_OUTCOME_UNKNOWN: {
    ...license,
    message: "whether {source} spent a license for {key} is not known: {detail}",
    cause: "The request was cut off, and the counter cannot be read.",
    remedy: "Make the source readable and try again: its counter decides, and nothing is asked for before.",
  },
  LICENSE_RESERVED: {
    ...license,
    message: "a license for {key} is being issued by {station} from {source} since {since}",
    cause: "Another source has been asked for this chip and has not answered, or its station died.",
    remedy:
      "Wait, or start that station again, which settles it. If it never comes back: `sfi license forget {key} --reason TEXT`.",
  },
  LICENSE_SUSPECT: {
    ...license,
    message: "the license {key} was refused by its chip {count} times",
    cause: "It is used twice at most: once for the refusal, once to see whether the refusal stays.",
    remedy:
      "If something else was wrong: `sfi license clear {key} --reason TEXT`. To spend another one: `sfi license forget {key} --reason TEXT`.",
    retry: "no",
  },
  LICENSE_QUOTA: {
    ...license,
    message: "station {client} has had its {quota} licenses",
    cause:
      "The license service gives each station a number of licenses; ones issued before are still served.",
    remedy: "Raise the quota of that station at the service.",
  },
  LICENSE_CLIENT_UNKNOWN: {
    ...license,
    message: "the license service does not know the client {client}",
    cause: "Its certificate is not of the service's authority, or no quota was set for it.",
    remedy: "Give the station a certificate and a quota at the service.",
  },
  LICENSE_SERVICE_FAILED: {
    ...license,
    message: "the license service {url} did not give a license: {detail}",
    cause: "The service refused, cannot be reached, or its own source failed.",
    remedy: "See the detail. Asking again for the same chip costs no second license.",
  },
  LICENSE_BUNDLE_INVALID: {
    ...license,
    message: "license bundle {file} is not usable: {detail}",
    cause: "It is damaged, was edited, or was signed by another key.",
    remedy: "Ask the issuer for it again.",
    retry: "no",
  },
  LICENSE_BUNDLE_USED: {
    ...license,
    message: "the license for {key} in {source} was used before",
    cause: "A license in a bundle is usable once.",
    remedy: "Ask the issuer for another license for this chip.",
    retry: "no",
  },
} as const satisfies Record<string, CatalogueEntry>;
