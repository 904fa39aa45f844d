/** What a license is asked for: one chip, one package. */
export interface LicenseRequest {
  /** The chip's 136-byte certificate. */
  readonly certificate: Uint8Array;
  /** SHA-256 of the whole package file, hexadecimal. */
  readonly packageDigest: string;
}

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
}
