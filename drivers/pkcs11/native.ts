import { createRequire } from "node:module";
import { StationError } from "../../src/errors/station-error.ts";

/** Slot, session and object handles: opaque bytes of the module's word size. */
export type Handle = Uint8Array;

/** One attribute of a template or an object. */
export interface Attribute {
  readonly type: number;
  readonly value?: number | boolean | string | Uint8Array;
}

/** A mechanism with its parameter. */
export interface Mechanism {
  readonly mechanism: number;
  readonly parameter: Readonly<Record<string, unknown>> | null;
}

/**
 * The part of pkcs11js the station uses. Written out here, because the package is optional: a station without it must
 * still build.
 */
export interface Cryptoki {
  load(module: string): void;
  C_Initialize(options: { readonly flags: number }): void;
  C_Finalize(): void;
  C_GetInfo(): {
    readonly manufacturerID: string;
    readonly libraryDescription: string;
    readonly libraryVersion: { readonly major: number; readonly minor: number };
  };
  C_GetSlotList(tokenPresent: boolean): Handle[];
  C_GetTokenInfo(slot: Handle): {
    readonly label: string;
    readonly serialNumber: string;
    readonly manufacturerID: string;
    readonly model: string;
    readonly flags: number;
  };
  C_GetMechanismList(slot: Handle): number[];
  C_OpenSession(slot: Handle, flags: number): Handle;
  C_CloseSession(session: Handle): void;
  C_Login(session: Handle, userType: number, pin: string): void;
  C_FindObjectsInit(session: Handle, template: readonly Attribute[]): void;
  C_FindObjects(session: Handle, maximum: number): Handle[];
  C_FindObjectsFinal(session: Handle): void;
  C_GetAttributeValue(
    session: Handle,
    object: Handle,
    template: readonly Attribute[],
  ): { readonly type: number; readonly value: Uint8Array }[];
  C_CreateObject(session: Handle, template: readonly Attribute[]): Handle;
  C_DestroyObject(session: Handle, object: Handle): void;
  C_GenerateKeyPair(
    session: Handle,
    mechanism: Mechanism,
    publicTemplate: readonly Attribute[],
    privateTemplate: readonly Attribute[],
  ): { readonly publicKey: Handle; readonly privateKey: Handle };
  C_DeriveKey(session: Handle, mechanism: Mechanism, baseKey: Handle, template: readonly Attribute[]): Handle;
  C_EncryptInit(session: Handle, mechanism: Mechanism, key: Handle): void;
  C_Encrypt(session: Handle, plaintext: Uint8Array, room: Uint8Array): Uint8Array;
}

/** pkcs11js: the class and its constants by name. */
export type Binding = { readonly PKCS11: new () => Cryptoki } & Readonly<Record<string, unknown>>;

const require = createRequire(import.meta.url);

/** The binding to PKCS#11 modules. @throws PKCS11_UNAVAILABLE when the optional package is missing or was not built */
export function loadBinding(): Binding {
  try {
    return require("pkcs11js") as Binding;
  } catch (error) {
    const detail = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw StationError.of("PKCS11_UNAVAILABLE", { detail }, { cause: error });
  }
}

/** Number of one of the binding's own parameter types. @throws RangeError for a name it does not have */
export function bindingNumber(binding: Binding, name: string): number {
  const value = binding[name];
  if (typeof value !== "number") throw new RangeError(`pkcs11js has no ${name}`);
  return value;
}

/**
 * Loads a library so that it finds its own libraries before those inside Node (RTLD_DEEPBIND). Node exports its OpenSSL
 * to everything it loads; a module made for another OpenSSL would get a mixture of both. The loader hands the library,
 * bound like that, to whoever opens the path again.
 * @returns what keeps it loaded; undefined where it cannot be done: then the module is bound as the system does it
 */
export function loadDeep(module: string): { readonly library: unknown } | undefined {
  const koffi = process.platform === "linux" ? optionalKoffi() : undefined;
  if (koffi === undefined) return undefined;
  try {
    return { library: koffi.load(module, { lazy: true, deep: true }) };
  } catch {
    // A library that cannot be loaded at all: the plain loading that follows names the reason better.
    return undefined;
  }
}

/** The part of koffi the station uses. */
export interface Koffi {
  load(path: string, options: { readonly lazy: boolean; readonly deep?: boolean }): KoffiLibrary;
}

interface KoffiLibrary {
  func(prototype: string): (...values: readonly unknown[]) => unknown;
  /** Address of a symbol. */
  symbol(name: string, type: string): unknown;
}

/** koffi; undefined where the optional package is missing. Most modules work without what it is for. */
export function optionalKoffi(): Koffi | undefined {
  try {
    return require("koffi") as Koffi;
  } catch {
    return undefined;
  }
}
