import type { StationError } from "../errors/station-error.ts";

/** An error for people: what happened, what to do, what state the part is in, and whether a license was spent. */
export function renderError(error: StationError, options: { readonly color: boolean }): string {
  const paint = (code: number, text: string) => (options.color ? `\u001b[${code}m${text}\u001b[0m` : text);
  return [
    `${paint(31, "error")} ${error.code}: ${error.message}`,
    `  do:      ${error.remedy}`,
    `  part:    ${error.disposition}${error.licenseSpent ? "; a license was spent" : ""}`,
    ...causes(error).map((text) => `  because: ${text}`),
  ].join("\n");
}

function causes(error: StationError): string[] {
  const texts: string[] = [];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    const code = "code" in cause ? `${String(cause.code)}: ` : "";
    texts.push(`${code}${cause.message}`);
  }
  return texts;
}
