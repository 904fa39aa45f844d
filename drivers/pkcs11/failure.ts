import { isStationError, StationError } from "../../src/errors/station-error.ts";
import type { Binding } from "./native.ts";
import type { WireError } from "./protocol.ts";

/** Codes that pkcs11js has no name for. */
const moreNames: Readonly<Record<number, string>> = { 27: "CKR_ACTION_PROHIBITED" };

/** A PKCS#11 return code that a module answered with. */
export interface ReturnCode {
  /** e.g. "CKR_PIN_INCORRECT", or the number when it has no name. */
  readonly ckr: string;
  /** The function, e.g. "C_Login"; empty when the error does not say. */
  readonly method: string;
}

/**
 * The return code in a thrown error. pkcs11js throws in several shapes: with `code` and `method`, or as a plain Error
 * whose text holds `CKR_NAME:number`; codes it cannot name are all called CKR_VENDOR_DEFINED.
 * @returns undefined when the error carries none
 */
export function returnCodeOf(
  thrown: unknown,
  binding: Readonly<Record<string, unknown>>,
): ReturnCode | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { code, method } = thrown as { readonly code?: unknown; readonly method?: unknown };
  const inText = /CKR_\w+:(\d+)/.exec(thrown.stack ?? thrown.message);
  const number =
    typeof code === "number" && code !== 0 ? code : inText === null ? undefined : Number(inText[1]);
  if (number === undefined) return undefined;
  const name = Object.entries(binding).find(
    ([key, value]) => value === number && key.startsWith("CKR_"),
  )?.[0];
  return {
    ckr: moreNames[number] ?? name ?? `0x${number.toString(16)}`,
    method: typeof method === "string" ? method : "",
  };
}

/** Anything an operation threw as a catalogue entry. */
export function wireErrorOf(thrown: unknown, operation: string, binding: Binding | undefined): WireError {
  const error = isStationError(thrown) ? thrown : stationErrorOf(thrown, operation, binding);
  return { code: error.code, parameters: error.parameters };
}

function stationErrorOf(thrown: unknown, operation: string, binding: Binding | undefined): StationError {
  const found = returnCodeOf(thrown, binding ?? {});
  if (found !== undefined) {
    return StationError.of("PKCS11_ERROR", { operation: found.method || operation, ckr: found.ckr });
  }
  const detail = thrown instanceof Error ? thrown.message.split("\n")[0] : String(thrown);
  return StationError.of("INTERNAL", { detail: `PKCS#11 ${operation}: ${detail}` });
}

/** The error for a module that the loader or pkcs11js refused, from the loader's own text. */
export function loadErrorOf(thrown: unknown, module: string): StationError {
  const detail = thrown instanceof Error ? (thrown.message.split("\n")[0] ?? "") : String(thrown);
  if (/C_GetFunctionList|could not be found/i.test(detail)) {
    return StationError.of("PKCS11_NO_FUNCTION_LIST", { module });
  }
  const missing = /(\S+): cannot open shared object file/.exec(detail)?.[1];
  if (missing !== undefined && missing !== module) {
    return StationError.of("PKCS11_LIBRARY_MISSING", { module, library: missing });
  }
  return StationError.of("PKCS11_LOAD_FAILED", { module, detail });
}
