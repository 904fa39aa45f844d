import { fromHex, toHex } from "../../src/bytes/hex.ts";
import { StationError } from "../../src/errors/station-error.ts";
import { endCleanlyOnExit } from "./clean-exit.ts";
import { ck } from "./constants.ts";
import { loadErrorOf, returnCodeOf } from "./failure.ts";
import { type Binding, type Cryptoki, type Handle, loadBinding, loadDeep } from "./native.ts";
import { findData, readAttribute, withSession } from "./objects.ts";
import type { OperationName, Operations, TokenSelector, TokenState } from "./protocol.ts";
import { type PresentToken, presentTokens, selectToken, trimmed } from "./slots.ts";
import { provision, readContent, readSecret, takeFromCounter } from "./token-content.ts";
import { makeTokenLicense, neededMechanisms } from "./token-license.ts";

/** The operations of one child; it holds one module for as long as it lives. */
export type Handlers = {
  readonly [Op in OperationName]: (args: Operations[Op]["args"]) => Operations[Op]["result"];
};

/** Handlers and how to end them. */
export interface Host {
  readonly handlers: Handlers;
  /** The binding's constants, once it is loaded; they name return codes. */
  binding(): Binding | undefined;
  finalize(): void;
}

interface Loaded {
  readonly binding: Binding;
  readonly cryptoki: Cryptoki;
  /** Keeps the deep-bound library in memory. */
  readonly deep: ReturnType<typeof loadDeep>;
}

/** Makes the handlers of a child. Nothing native is touched before `open`. */
export function createHost(): Host {
  let binding: Binding | undefined;
  let loaded: Loaded | undefined;
  // One session stays open as long as the child lives: closing the last one would log out and races in some modules.
  const idle = new Map<string, Handle>();

  const use = (): Loaded => {
    if (loaded === undefined) throw new RangeError("the module is not open");
    return loaded;
  };
  const token = (wanted: TokenSelector): PresentToken => {
    const { cryptoki } = use();
    const tokens = presentTokens(cryptoki);
    const found = selectToken(tokens, wanted);
    const key = `${found.info.label}\0${found.info.serial}`;
    if (!idle.has(key)) idle.set(key, cryptoki.C_OpenSession(found.slot, ck.CKF_SERIAL_SESSION));
    return found;
  };
  const stateOf = (wanted: TokenSelector): TokenState => {
    const { slot, info } = token(wanted);
    return { token: info, ...withSession(use().cryptoki, slot, readContent) };
  };
  const seen = (cryptoki: Cryptoki) => ({
    slots: cryptoki.C_GetSlotList(false).length,
    tokens: presentTokens(cryptoki).map(({ info }) => info),
  });

  const handlers: Handlers = {
    open({ module }) {
      binding ??= loadBinding();
      endCleanlyOnExit();
      const deep = loadDeep(module);
      const cryptoki = openModule(binding, module);
      loaded = { binding, cryptoki, deep };
      const { manufacturerID, libraryDescription, libraryVersion } = cryptoki.C_GetInfo();
      return {
        manufacturer: trimmed(manufacturerID),
        library: trimmed(libraryDescription),
        version: `${libraryVersion.major}.${libraryVersion.minor}`,
        deep: deep !== undefined,
        ...seen(cryptoki),
      };
    },
    ping: () => "pong",
    tokens: () => seen(use().cryptoki),
    state: ({ token: wanted }) => stateOf(wanted),
    findData({ token: wanted, label }) {
      const { slot } = token(wanted);
      return withSession(use().cryptoki, slot, (session) => {
        const [object] = findData(session, label);
        return object === undefined ? null : toHex(readAttribute(session, object, ck.CKA_VALUE));
      });
    },
    missingMechanisms({ token: wanted }) {
      const { slot } = token(wanted);
      const present = use().cryptoki.C_GetMechanismList(slot);
      return Object.entries(neededMechanisms).flatMap(([name, value]) =>
        present.includes(value) ? [] : [name],
      );
    },
    login({ token: wanted, pin }) {
      const { slot, info } = token(wanted);
      login(use(), slot, info, pin);
      return "logged-in";
    },
    issue({ token: wanted, chipKey, header }) {
      const { slot, info } = token(wanted);
      const { cryptoki, binding: constants } = use();
      return withSession(cryptoki, slot, (session) => {
        const { state } = readContent(session);
        if (state !== "OPERATIONAL_STATE") {
          throw StationError.of("HSM_STATE_UNFIT", { source: info.label, state });
        }
        const secret = readSecret(session, info.label);
        const license = makeTokenLicense(session, constants, {
          header: fromHex(header),
          chipKey: fromHex(chipKey),
          secret,
        });
        secret.fill(0);
        // Counted before it is given out: nobody gets a license that was not counted.
        return { counter: takeFromCounter(session, info.label), license: toHex(license) };
      });
    },
    provision({ token: wanted, firmwareId, secret, maximum, lock }) {
      const { slot, info } = token(wanted);
      withSession(use().cryptoki, slot, (session) =>
        provision(session, info.label, { firmwareId, secret: fromHex(secret), maximum, lock }),
      );
      return stateOf(wanted);
    },
  };
  return { handlers, binding: () => binding, finalize: () => loaded?.cryptoki.C_Finalize() };
}

/** @throws PKCS11_LOAD_FAILED and its kin, PKCS11_INIT_FAILED. After a failure the object is never used again. */
function openModule(binding: Binding, module: string): Cryptoki {
  const cryptoki = new binding.PKCS11();
  try {
    cryptoki.load(module);
  } catch (error) {
    throw loadErrorOf(error, module);
  }
  try {
    cryptoki.C_Initialize({ flags: ck.CKF_OS_LOCKING_OK });
  } catch (error) {
    const ckr = returnCodeOf(error, binding)?.ckr ?? String(error);
    throw StationError.of("PKCS11_INIT_FAILED", { module, ckr }, { cause: error });
  }
  return cryptoki;
}

/** One try. @throws HSM_PIN_REFUSED, HSM_PIN_LAST_TRY, HSM_PIN_LOCKED */
function login({ cryptoki, binding }: Loaded, slot: Handle, info: PresentToken["info"], pin: string): void {
  const name = info.label;
  if ((info.flags & ck.CKF_USER_PIN_LOCKED) !== 0) throw StationError.of("HSM_PIN_LOCKED", { token: name });
  if ((info.flags & ck.CKF_USER_PIN_FINAL_TRY) !== 0) {
    throw StationError.of("HSM_PIN_LAST_TRY", { token: name });
  }
  withSession(cryptoki, slot, ({ handle }) => {
    try {
      cryptoki.C_Login(handle, ck.CKU_USER, pin);
    } catch (error) {
      const ckr = returnCodeOf(error, binding)?.ckr ?? "";
      if (ckr === "CKR_USER_ALREADY_LOGGED_IN") return;
      if (ckr === "CKR_PIN_LOCKED") throw StationError.of("HSM_PIN_LOCKED", { token: name });
      if (/^CKR_PIN_/.test(ckr)) throw StationError.of("HSM_PIN_REFUSED", { token: name, ckr });
      throw error;
    }
  });
}
