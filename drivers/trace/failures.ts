import { asStationError, StationError } from "../../src/errors/station-error.ts";

/** Parameters of a recorded error, by name. */
export type FailureParameters = Readonly<Record<string, string | number>>;

/** A failure as a trace holds it: the error's permanent name and what its message is made of. */
export interface TraceFailure {
  readonly code: FailureCode;
  readonly parameters: FailureParameters;
}

/** Makes the error again. `text` gives a parameter; one that was not recorded is empty. */
type Remake = (text: (name: string) => string | number) => StationError;

/** Every error a bulk port or its opener may throw (src/ports/bulk.ts); anything else is recorded as INTERNAL. */
const remakes = {
  USB_TIMEOUT: (p) => StationError.of("USB_TIMEOUT", { transfer: p("transfer"), timeoutMs: p("timeoutMs") }),
  USB_STALL: (p) => StationError.of("USB_STALL", { transfer: p("transfer") }),
  USB_OVERFLOW: (p) => StationError.of("USB_OVERFLOW", { transfer: p("transfer") }),
  USB_IO: (p) => StationError.of("USB_IO", { transfer: p("transfer"), detail: p("detail") }),
  USB_PERMISSION: (p) => StationError.of("USB_PERMISSION", { probe: p("probe") }),
  PROBE_LOST: () => StationError.of("PROBE_LOST", {}),
  PROBE_BUSY: (p) => StationError.of("PROBE_BUSY", { probe: p("probe") }),
  PROBE_NOT_FOUND: (p) => StationError.of("PROBE_NOT_FOUND", { wanted: p("wanted") }),
  PROBE_UNSUPPORTED: (p) => StationError.of("PROBE_UNSUPPORTED", { probe: p("probe"), detail: p("detail") }),
  INTERNAL: (p) => StationError.of("INTERNAL", { detail: p("detail") }),
} as const satisfies Record<string, Remake>;

export type FailureCode = keyof typeof remakes;

/** True when a trace may name `code` as the failure of a transfer. */
export function isFailureCode(code: unknown): code is FailureCode {
  return typeof code === "string" && Object.hasOwn(remakes, code);
}

/** What was thrown, as it is recorded. */
export function toFailure(thrown: unknown): TraceFailure {
  const { code, parameters, message } = asStationError(thrown);
  return isFailureCode(code)
    ? { code, parameters }
    : { code: "INTERNAL", parameters: { detail: `${code}: ${message}` } };
}

/** The recorded failure as the error it was. */
export function fromFailure({ code, parameters }: TraceFailure): StationError {
  return remakes[code]((name) => parameters[name] ?? "");
}
