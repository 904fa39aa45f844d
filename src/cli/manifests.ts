import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { hexNumber } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import { decodeManifest } from "../target/manifest.ts";
import type { DeviceManifest } from "../target/manifest-types.ts";
import { readInputText } from "./files.ts";
import { packageFolder } from "./version.ts";

/** Every device of rsse/, decoded and checked. @throws MANIFEST_INVALID */
export async function loadManifests(): Promise<DeviceManifest[]> {
  const folder = join(packageFolder, "rsse");
  const names = (await readdir(folder)).filter((name) => /^0x[0-9A-Fa-f]+\.json$/.test(name)).sort();
  return Promise.all(names.map((name) => loadManifest(join(folder, name), name)));
}

async function loadManifest(path: string, name: string): Promise<DeviceManifest> {
  const text = await readInputText(path);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw StationError.of(
      "MANIFEST_INVALID",
      { file: name, path: "$", detail: String(error) },
      { cause: error },
    );
  }
  return decodeManifest(json, name);
}

/** The device with an id. @throws DEVICE_UNKNOWN */
export function findManifest(manifests: readonly DeviceManifest[], deviceId: number): DeviceManifest {
  const found = manifests.find(({ device }) => device.id === deviceId);
  if (found === undefined) throw StationError.of("DEVICE_UNKNOWN", { deviceId: hexNumber(deviceId, 3) });
  return found;
}
