import type { ErrorCode } from "../errors/catalogue.ts";
import { isStationError } from "../errors/station-error.ts";
import type { IssueOutcome, LicenseSource } from "../ports/index.ts";

/** Errors that say for certain that nothing was asked for. Every other one may have spent a license. */
const known: Readonly<Partial<Record<ErrorCode, IssueOutcome>>> = {
  HSM_NO_TOKEN: "absent",
  HSM_TOKEN_NOT_FOUND: "absent",
  HSM_TOKEN_AMBIGUOUS: "not-sent",
  HSM_PIN_MISSING: "not-sent",
  HSM_PIN_REFUSED: "not-sent",
  HSM_PIN_LAST_TRY: "not-sent",
  HSM_PIN_LOCKED: "not-sent",
  HSM_IN_USE: "not-sent",
  HSM_FIRMWARE_ID_WRONG: "not-sent",
  HSM_STATE_UNFIT: "not-sent",
  HSM_EXHAUSTED: "not-sent",
  HSM_MECHANISM_MISSING: "not-sent",
  HSM_ISSUE_NOT_PUBLIC: "not-sent",
  PKCS11_UNAVAILABLE: "not-sent",
  PKCS11_LOAD_FAILED: "not-sent",
  PKCS11_LIBRARY_MISSING: "not-sent",
  PKCS11_NO_FUNCTION_LIST: "not-sent",
  PKCS11_DOWN: "not-sent",
  VENDOR_TOOL_MISSING: "not-sent",
  CERTIFICATE_INVALID: "not-sent",
  LICENSE_DEVELOPMENT: "not-sent",
  LICENSE_QUOTA: "not-sent",
  LICENSE_CLIENT_UNKNOWN: "not-sent",
  LICENSE_BUNDLE_USED: "not-sent",
  LICENSE_BUNDLE_INVALID: "not-sent",
  KEY_FILE_EXPOSED: "not-sent",
};

/** What an error of a source means for the account: by the source's own word, else by the catalogue, else the worst. */
export function outcomeOf(source: LicenseSource, error: unknown): IssueOutcome {
  const own = source.outcomeOf?.(error);
  if (own !== undefined) return own;
  return isStationError(error) ? (known[error.code] ?? "unknown") : "unknown";
}
