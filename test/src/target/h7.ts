import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeManifest } from "../../../src/target/manifest.ts";
import type { DeviceManifest, Variant } from "../../../src/target/manifest-types.ts";

const folder = join(import.meta.dirname, "../../../rsse");

/** The file of device 0x450 as JSON, a fresh copy each time. */
export function h7Json(): Record<string, never> {
  return JSON.parse(readFileSync(join(folder, "0x450.json"), "utf8")) as Record<string, never>;
}

export function schemaJson(): unknown {
  return JSON.parse(readFileSync(join(folder, "schema.json"), "utf8"));
}

export const h7: DeviceManifest = decodeManifest(h7Json(), "0x450.json");

export function variant(name: string): Variant {
  const found = h7.variants.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no variant ${name}`);
  return found;
}
export const h753: Variant = variant("STM32H753");
