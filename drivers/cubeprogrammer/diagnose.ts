import { StationError } from "../../src/errors/station-error.ts";
import type { ToolResult } from "./tool.ts";

type VendorFailure =
  | "VENDOR_MODULE_NOT_LOADED"
  | "VENDOR_HSM_NOT_STARTED"
  | "VENDOR_HSM_SESSION_LOST"
  | "VENDOR_HSM_NOT_INITIALIZED";

/**
 * What the tool prints when its smart-card module fails (user reports of STM32CubeProgrammer 2.9 to 2.20), the root
 * first: each of these failures drags the ones below it along, and the last line printed is never the reason.
 */
const signs: readonly { readonly pattern: RegExp; readonly code: VendorFailure }[] = [
  { pattern: /Unable to load \S*(?:stp11|stlibp11)\S* module/i, code: "VENDOR_MODULE_NOT_LOADED" },
  { pattern: /FAILURE loading library/i, code: "VENDOR_MODULE_NOT_LOADED" },
  { pattern: /P11 lib initialization Failure/i, code: "VENDOR_HSM_NOT_STARTED" },
  { pattern: /CKR_SESSION_HANDLE_INVALID|CKR_DEVICE_REMOVED/, code: "VENDOR_HSM_SESSION_LOST" },
  { pattern: /CKR_CRYPTOKI_NOT_INITIALIZED/, code: "VENDOR_HSM_NOT_INITIALIZED" },
];

/**
 * The reason for a failed run.
 * @param tool name of the program
 * @param action what it was run for
 */
export function diagnoseFailure(tool: string, action: string, result: ToolResult): StationError {
  const lines = result.text.split("\n").map((line) => line.trim());
  for (const { pattern, code } of signs) {
    const detail = lines.find((line) => pattern.test(line));
    if (detail !== undefined) return StationError.of(code, { tool, detail: printable(detail) });
  }
  const first =
    lines.find((line) => /^error\b/i.test(withoutTime(line))) ?? lines.findLast((line) => line !== "");
  const ending = result.signal ?? `exit code ${result.exitCode ?? "none"}`;
  return StationError.of("VENDOR_TOOL_FAILED", {
    tool,
    action,
    ending,
    detail: printable(first ?? "it printed nothing"),
  });
}

/** True when the tool itself speaks of an error, whatever its exit code says. */
export function speaksOfFailure({ text }: ToolResult): boolean {
  return (
    signs.some(({ pattern }) => pattern.test(text)) ||
    text.split("\n").some((line) => /^error\b/i.test(withoutTime(line.trim())))
  );
}

/** Lines may begin with a time of day: `15:26:42 : …`. */
function withoutTime(line: string): string {
  return line.replace(/^\d{1,2}:\d{2}:\d{2}\s*:\s*/, "");
}

/** A foreign program's line, cut and without control characters. */
function printable(line: string): string {
  return line.replace(/\p{Cc}/gu, " ").slice(0, 300);
}
