import type { ErrorCode } from "../../src/errors/catalogue.ts";

/** Which token: by label and, where two carry the same one, serial number. Never by slot: slots are renumbered. */
export interface TokenSelector {
  readonly label: string;
  readonly serial?: string;
}

/** A token as its module describes it (PKCS#11 v2.40, CK_TOKEN_INFO). */
export interface TokenInfo {
  readonly label: string;
  readonly serial: string;
  readonly manufacturer: string;
  readonly model: string;
  /** CKF_* bits. */
  readonly flags: number;
}

/** What a module says about itself and what it can see. */
export interface ModuleInfo {
  readonly manufacturer: string;
  readonly library: string;
  /** Version of the library, e.g. "2.6". */
  readonly version: string;
  /** True when the module was bound to its own libraries instead of those inside Node (Linux with glibc). */
  readonly deep: boolean;
  /** Readers, with or without a token. */
  readonly slots: number;
  readonly tokens: readonly TokenInfo[];
}

/** Life of a development token, in the words of a real card (CubeProgrammer_API.h, getHsmState). */
export type HsmState = "ST_STATE" | "OEM_STATE" | "OPERATIONAL_STATE" | "UNKNOWN_STATE";

/** What a development token says without a PIN. */
export interface TokenState {
  readonly token: TokenInfo;
  readonly state: HsmState;
  readonly firmwareId?: string;
  /** Licenses left. */
  readonly counter?: number;
}

/** Every request, its arguments and its answer. Bytes travel as hexadecimal text. */
export interface Operations {
  /** Loads and initializes the module; the first request to every child. */
  readonly open: { readonly args: { readonly module: string }; readonly result: ModuleInfo };
  readonly ping: { readonly args: Record<string, never>; readonly result: "pong" };
  readonly tokens: {
    readonly args: Record<string, never>;
    readonly result: Pick<ModuleInfo, "slots" | "tokens">;
  };
  readonly state: { readonly args: { readonly token: TokenSelector }; readonly result: TokenState };
  /** Value of the public data object with this label, or null. */
  readonly findData: {
    readonly args: { readonly token: TokenSelector; readonly label: string };
    readonly result: string | null;
  };
  /** Names of the mechanisms that issuing needs and the token lacks. */
  readonly missingMechanisms: {
    readonly args: { readonly token: TokenSelector };
    readonly result: readonly string[];
  };
  readonly login: {
    readonly args: { readonly token: TokenSelector; readonly pin: string };
    readonly result: "logged-in";
  };
  readonly issue: {
    readonly args: {
      readonly token: TokenSelector;
      /** The chip's public key, X then Y, 64 bytes. */
      readonly chipKey: string;
      /** License bytes 0 to 23. */
      readonly header: string;
    };
    /** The 136 license bytes; the counter has gone down when they are given out. */
    readonly result: { readonly license: string; readonly counter: number };
  };
  readonly provision: {
    readonly args: {
      readonly token: TokenSelector;
      readonly firmwareId: string;
      /** 16 bytes IV, then 16 bytes key (AN5054 3.1). */
      readonly secret: string;
      readonly maximum: number;
      readonly lock: boolean;
    };
    readonly result: TokenState;
  };
}

export type OperationName = keyof Operations;

/** Parent to child, one line each. */
export interface Request<Op extends OperationName = OperationName> {
  readonly id: number;
  readonly op: Op;
  readonly args: Operations[Op]["args"];
}

/** A catalogue entry on the wire. Parameters never hold secrets. */
export interface WireError {
  readonly code: ErrorCode;
  readonly parameters: Readonly<Record<string, string | number>>;
}

/** Child to parent, one line each. */
export type Answer =
  | { readonly id: number; readonly ok: true; readonly result: unknown }
  | { readonly id: number; readonly ok: false; readonly error: WireError };

/** Descriptor of the pipe that carries requests and answers; 0 to 2 stay the module's own. */
export const protocolDescriptor = 3;

/**
 * Cuts a stream into lines.
 * @param onLine called for each whole line, without its end
 * @param maximumCharacters more than this without an end of line is no message of this protocol
 * @returns feed it text as it comes; it throws RangeError on an overlong line
 */
export function lineReader(
  onLine: (line: string) => void,
  maximumCharacters = 1 << 20,
): (text: string) => void {
  let rest = "";
  return (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > maximumCharacters) throw new RangeError("a line of the protocol is too long");
    for (const line of lines) onLine(line);
  };
}
