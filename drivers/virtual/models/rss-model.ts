/** Where host and RSS meet in RAM. */
export interface BufferPlaces {
  readonly license: number;
  /** Status word, and 4 behind it the value. */
  readonly completion: number;
  /** u32 areas of this part, u32 address of the first, u32 size of all, u32 0. */
  readonly wrapper: number;
  readonly header: number;
  readonly areas: number;
  /** Behind the last byte RSS takes areas from. */
  readonly areasEnd: number;
}

/** Option words in the order of the C area; undefined is a row that is ignored. */
export type OptionRows = readonly (string | undefined)[];

/** What every install service has. */
interface InstallService {
  readonly buffers: BufferPlaces;
  readonly rows: OptionRows;
  /** SFI protocol versions that are taken. */
  readonly protocols: readonly number[];
}

/** No install over SWD. */
export interface NoRss {
  readonly kind: "none";
}

/** H7: the install service is in ROM and starts at a reset. */
export interface RomRss extends InstallService {
  readonly kind: "rom";
}

/** The other families: an RSSe binary is loaded to RAM, asked by calls, and started by a command word and a reset. */
export interface LoadedRss extends InstallService {
  readonly kind: "rsse";
  /** Eight characters, zero padded, in the binary. */
  readonly family: string;
  readonly window: { readonly address: number; readonly sizeBytes: number };
  /** RSSLIB in ROM has functions for a debugger too (H7RS). */
  readonly library?: boolean;
  /** K areas (keys and debug-authentication objects) are taken. */
  readonly takesKeys: boolean;
  /** Where the version of ST's secure firmware (SFSP) stands, on parts that have one. */
  readonly sfspAddress?: number;
}

export type RssModel = NoRss | RomRss | LoadedRss;
