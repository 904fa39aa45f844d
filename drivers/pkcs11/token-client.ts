import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { toHex } from "../../src/bytes/hex.ts";
import { isStationError, StationError } from "../../src/errors/station-error.ts";
import { type Bridge, type BridgeOptions, createBridge } from "./bridge.ts";
import { claimToken, type OwnerLock } from "./owner-lock.ts";
import type { ModuleInfo, OperationName, Operations, TokenSelector, TokenState } from "./protocol.ts";

/** Which token behind which module, and how to get its PIN. */
export interface TokenOptions
  extends Pick<BridgeOptions, "module" | "env" | "deadlinesMs" | "childFile" | "monotonicMs"> {
  readonly token: TokenSelector;
  /** Gives the user PIN when it is needed for the first time; undefined when there is none. */
  readonly pin: () => Promise<string | undefined>;
}

/** A token that this process owns. */
export interface TokenClient {
  /** What the module said when it was opened. */
  open(): Promise<ModuleInfo>;
  state(): Promise<TokenState>;
  missingMechanisms(): Promise<readonly string[]>;
  /** Value of a public data object, hexadecimal. */
  findData(label: string): Promise<string | null>;
  /** @throws HSM_PIN_MISSING, HSM_PIN_REFUSED (and again, without a second try), HSM_PIN_LOCKED, HSM_PIN_LAST_TRY */
  login(): Promise<void>;
  issue(input: {
    readonly chipKey: Uint8Array;
    readonly header: Uint8Array;
  }): Promise<Operations["issue"]["result"]>;
  provision(input: Omit<Operations["provision"]["args"], "token">): Promise<TokenState>;
  /** The bridge underneath, for diagnosis. */
  readonly bridge: Bridge;
  close(): Promise<void>;
}

/** Where pcscd listens unless it is told otherwise (Linux). */
export const smartCardService = "/run/pcscd/pcscd.comm";

/** Claims a token, lazily: nothing is claimed or started before the first question. */
export function createTokenClient(options: TokenOptions): TokenClient {
  const { token, module, env } = options;
  let pin: string | undefined;
  let refused: StationError | undefined;
  let loggedInGeneration = 0;
  let lock: OwnerLock | undefined;
  const bridge = createBridge({ ...options, secrets: () => (pin === undefined ? [] : [pin]) });

  const claim = async () => {
    lock ??= await claimToken({
      module: await realPath(module),
      label: token.label,
      configuration: env["SOFTHSM2_CONF"] ?? "",
    });
  };
  const call = async <Op extends OperationName>(op: Op, args: Operations[Op]["args"]) => {
    await claim();
    try {
      return await bridge.call(op, args);
    } catch (error) {
      const detail = await absence(error, bridge);
      if (detail === undefined) throw error;
      throw StationError.of("HSM_NO_TOKEN", { module, detail }, { cause: error });
    }
  };

  const login = async () => {
    if (refused !== undefined) throw refused;
    await claim();
    await bridge.open();
    if (loggedInGeneration === bridge.generation) return;
    pin ??= await options.pin();
    if (pin === undefined) throw StationError.of("HSM_PIN_MISSING", { token: token.label });
    try {
      await call("login", { token, pin });
      loggedInGeneration = bridge.generation;
    } catch (error) {
      if (isStationError(error, "HSM_PIN_REFUSED", "HSM_PIN_LOCKED", "HSM_PIN_LAST_TRY")) refused = error;
      throw error;
    }
  };

  return {
    bridge,
    async open() {
      await claim();
      return bridge.open();
    },
    state: () => call("state", { token }),
    missingMechanisms: () => call("missingMechanisms", { token }),
    findData: (label) => call("findData", { token, label }),
    login,
    async issue({ chipKey, header }) {
      await login();
      try {
        return await call("issue", { token, chipKey: toHex(chipKey), header: toHex(header) });
      } catch (error) {
        // The card may have been taken out: the next attempt begins with a login.
        loggedInGeneration = 0;
        throw error;
      }
    },
    async provision(input) {
      await login();
      return call("provision", { token, ...input });
    },
    async close() {
      pin = undefined;
      await bridge.close();
      await lock?.release();
      lock = undefined;
    },
  };
}

/** Why a module shows no token at all; undefined when that is not what went wrong. */
async function absence(error: unknown, bridge: Bridge): Promise<string | undefined> {
  if (!isStationError(error, "HSM_TOKEN_NOT_FOUND") || error.parameters["present"] !== "none")
    return undefined;
  const { slots } = await bridge.call("tokens", {});
  if (slots > 0) return "there is a reader, but no card in it";
  if (/p11-kit-client/.test(bridge.module)) return "there is no PKCS#11 server behind p11-kit-client";
  if (process.platform === "linux" && !existsSync(smartCardService)) {
    return `there is no reader, and the smart-card service is not running (no ${smartCardService})`;
  }
  return "there is no reader";
}

/** A module that is not there is reported by the loader, not here. */
async function realPath(module: string): Promise<string> {
  try {
    return await realpath(module);
  } catch {
    return module;
  }
}
