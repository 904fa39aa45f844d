import { fromHex, toHex } from "../../../../src/bytes/hex.ts";
import type { ErrorCode } from "../../../../src/errors/catalogue.ts";
import { StationError } from "../../../../src/errors/station-error.ts";
import type { BulkOpener, BulkPort } from "../../../../src/ports/index.ts";
import { attachment } from "./attachments.ts";

/** One transfer of a script. */
export type Step =
  | { readonly kind: "out"; readonly bytes: Uint8Array }
  | { readonly kind: "in"; readonly bytes: Uint8Array }
  | { readonly kind: "drain" }
  | { readonly kind: "error"; readonly direction: "out" | "in"; readonly code: UsbFault }
  | { readonly kind: "reset" };

export type UsbFault = Extract<
  ErrorCode,
  "USB_TIMEOUT" | "USB_STALL" | "USB_OVERFLOW" | "USB_IO" | "PROBE_LOST"
>;

/**
 * A script from text, one transfer a line:
 * `> F2 36 …` a 16-byte block, zero filled; `>> 00 01 …` OUT data as they are; `< 80 00` IN; `drain` an IN read that
 * finds nothing; `! in USB_TIMEOUT` a transfer that fails; `reset` the device is reset and opened again.
 * Text behind `#` is a comment.
 */
export function script(text: string): Step[] {
  return text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "")
    .map((line): Step => {
      const [sign = "", ...rest] = line.split(/\s+/);
      const bytes = () => fromHex(rest.join(""));
      switch (sign) {
        case ">": {
          const block = new Uint8Array(16);
          block.set(bytes());
          return { kind: "out", bytes: block };
        }
        case ">>":
          return { kind: "out", bytes: bytes() };
        case "<":
          return { kind: "in", bytes: bytes() };
        case "!":
          return { kind: "error", direction: rest[0] as "out" | "in", code: rest[1] as UsbFault };
        case "drain":
        case "reset":
          return { kind: sign };
        default:
          throw new Error(`script line not understood: ${line}`);
      }
    });
}

/** A probe that expects exactly one script. */
export interface ScriptedProbe {
  readonly opener: BulkOpener;
  /** Fails when part of the script was not used. */
  done(): void;
  /** Transfers used so far. */
  transfers(): number;
  /** How often the port was closed. */
  closes(): number;
}

export function scriptedProbe(
  productId: number,
  ...parts: readonly (string | readonly Step[])[]
): ScriptedProbe {
  const steps = parts.flatMap((part) => (typeof part === "string" ? script(part) : part));
  let at = 0;
  let closes = 0;

  function next(direction: "out" | "in" | "reset", what: string): Step {
    const step = steps[at];
    if (step === undefined) throw new Error(`transfer ${at} is behind the end of the script: ${what}`);
    at += 1;
    if (step.kind === "error" && step.direction === direction) throw fault(step.code);
    return step;
  }

  const port: BulkPort = {
    send: async (data) => {
      const step = next("out", `OUT ${toHex(data)}`);
      if (step.kind !== "out" || toHex(step.bytes) !== toHex(data)) {
        const expected = step.kind === "out" ? `OUT ${toHex(step.bytes)}` : step.kind;
        throw new Error(`transfer ${at - 1}: expected ${expected}, got OUT ${toHex(data)}`);
      }
    },
    receive: async (sizeBytes, timeoutMs) => {
      const step = next("in", `IN ${sizeBytes}`);
      if (step.kind === "drain") {
        if (timeoutMs >= 1000) throw new Error(`transfer ${at - 1}: expected a drain, got IN ${sizeBytes}`);
        throw fault("USB_TIMEOUT");
      }
      if (step.kind !== "in")
        throw new Error(`transfer ${at - 1}: expected ${step.kind}, got IN ${sizeBytes}`);
      if (step.bytes.length > sizeBytes) throw fault("USB_OVERFLOW");
      return step.bytes;
    },
    close: async () => {
      closes += 1;
    },
  };
  return {
    opener: {
      attachment: attachment(productId),
      open: async ({ reset = false } = {}) => {
        if (reset) {
          const step = next("reset", "reset");
          if (step.kind !== "reset") throw new Error(`transfer ${at - 1}: expected ${step.kind}, got reset`);
        }
        return port;
      },
    },
    done: () => {
      if (at !== steps.length) throw new Error(`${steps.length - at} transfers of the script were not used`);
    },
    transfers: () => at,
    closes: () => closes,
  };
}

export function fault(code: UsbFault): StationError {
  const transfer = "scripted";
  switch (code) {
    case "USB_TIMEOUT":
      return StationError.of(code, { timeoutMs: 6000, transfer });
    case "USB_IO":
      return StationError.of(code, { transfer, detail: "scripted" });
    case "PROBE_LOST":
      return StationError.of(code, {});
    default:
      return StationError.of(code, { transfer });
  }
}
