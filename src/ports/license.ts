/** What a license is asked for: one chip, one package. */
export interface LicenseRequest {
  /** The chip's 136-byte certificate. */
  readonly certificate: Uint8Array;
  /** SHA-256 of the whole package file, hexadecimal. */
  readonly packageDigest: string;
  /**
   * Firmware identifier of the source that is to issue. Where it is known it takes the package's place in the license's
   * key: a license opens the firmware key, and every package under one identifier has the same one (AN5054 3.1).
   */
  readonly firmwareId?: string | undefined;
}

/**
 * What is known of a request that gave no license.
 * - absent: there is no token or reader to ask; worth waiting for
 * - not-sent: nothing was asked for, and asking again fails again (PIN, wrong card, missing module)
 * - refused: the source said no
 * - unknown: it may have spent one (crash, timeout, card removed)
 */
export type IssueOutcome = "absent" | "not-sent" | "refused" | "unknown";

/** What a license source says about itself before it is asked for a license. */
export interface LicenseSourceState {
  /** True when it would issue now. */
  readonly ready: boolean;
  /** Licenses left; undefined when it does not count or cannot tell. */
  readonly remaining: number | undefined;
  /** Firmware identifier that tells HSMs of different firmware apart; undefined when it has none. */
  readonly firmwareId: string | undefined;
  /** State in the source's own words, e.g. "OPERATIONAL_STATE". Never key material. */
  readonly detail: string;
}

/** Where licenses come from: a file, a development issuer, an HSM. */
export interface LicenseSource {
  /** Short name for plan, journal and report, e.g. "file:lic.bin" or "development". Never key material. */
  readonly name: string;
  /** True when every issued license costs one of a limited number. */
  readonly counted: boolean;
  /**
   * Anything that can be told to fail before a license is asked for; throws the license class of errors.
   * @param real true when the chip is silicon, false on the virtual bench
   */
  check(real: boolean): Promise<void>;
  /** State and counter, read without changing either; absent where there is nothing to read. */
  inspect?(): Promise<LicenseSourceState>;
  /** True when asking twice for the same chip costs one license (a service with an account of its own). */
  readonly idempotent?: boolean;
  /** True when each of its licenses is usable once: after it was given up, it is not issued again (a bundle). */
  readonly once?: boolean;
  /** What an error of `issue` or `inspect` means for the account. Absent: every error may have spent a license. */
  outcomeOf?(error: unknown): IssueOutcome;
  /** The 136 license bytes for the request. */
  issue(request: LicenseRequest): Promise<Uint8Array>;
}

/** Where issued licenses are kept, so that each chip's is bought once. Keys are opaque text safe as file names. */
export interface LicenseStore {
  /** The stored license, or undefined. @throws LICENSE_STORE_DAMAGED when something is there but not whole. */
  load(key: string): Promise<Uint8Array | undefined>;
  /** Durable when the promise resolves. Never replaces a different license. @throws LICENSE_STORE_FAILED */
  save(key: string, license: Uint8Array): Promise<void>;
  /** Fails early when a later save could not work. @throws LICENSE_STORE_FAILED */
  checkWritable(): Promise<void>;
  /** Firmware id under which the chip has its license for this very package, while its source cannot be asked. */
  firmwareOf?(request: LicenseRequest): Promise<string | undefined>;
  /** A chip refused this license: it is used once more at most, until the operator has decided. */
  suspect?(key: string, reason: string): Promise<void>;
  /** Takes a license that was given up out of use; the bytes are kept beside it. */
  setAside?(key: string): Promise<void>;
}
