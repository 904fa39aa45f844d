import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The folder of the installed package: where package.json and rsse/ are, from sources and from dist alike. */
export const packageFolder = fileURLToPath(new URL(".", import.meta.resolve("#rsse/README.md"))).replace(
  /rsse\/$/,
  "",
);

const manifest: unknown = JSON.parse(readFileSync(`${packageFolder}package.json`, "utf8"));

/** The station's version, from package.json. */
export const version = String((manifest as { readonly version?: unknown }).version);
