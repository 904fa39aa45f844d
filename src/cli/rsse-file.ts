import { basename, join } from "node:path";
import { hexNumber } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import type { RsseInput } from "../install/session.ts";
import { buildDevelopmentRsse } from "../package/rsse.ts";
import { list, object, text } from "../target/decode.ts";
import type { DeviceManifest } from "../target/manifest-types.ts";
import { textOption } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import { readInput, readInputText } from "./files.ts";
import { packageFolder } from "./version.ts";

/** A genuine binary that is known by its file name; ST publishes no digests of them. */
interface KnownBinary {
  readonly name: string;
  readonly family: string;
  readonly source: string;
}

const registry = object<{ readonly binaries: readonly KnownBinary[] }>({
  binaries: list(object<KnownBinary>({ name: text(), family: text(), source: text() })),
});

/**
 * The RSSe binary of --rsse with what rsse/registry knows of its name; undefined when the option is not given.
 * @throws FILE_UNREADABLE, MANIFEST_INVALID for a registry that is not as it should be
 */
export async function readRsseFile(args: Arguments): Promise<RsseInput | undefined> {
  const file = textOption(args, "rsse");
  if (file === undefined) return undefined;
  const bytes = await readInput(file);
  const name = basename(file);
  const path = join(packageFolder, "rsse", "registry", "binaries.json");
  const json: unknown = JSON.parse(await readInputText(path));
  const { binaries } = registry.decode(json, { file: "registry/binaries.json", path: "" });
  const known = binaries.find((each) => each.name.toLowerCase() === name.toLowerCase());
  return { name, bytes, knownFamily: known?.family };
}

/**
 * A development RSSe binary for a device's virtual chips.
 * @throws USAGE_INVALID for a device that installs without one
 */
export function developmentRsseFor(manifest: DeviceManifest): Uint8Array {
  const { rsse } = manifest.sfi;
  if (rsse === undefined) {
    throw StationError.of("USAGE_INVALID", {
      detail: `device ${hexNumber(manifest.device.id, 3)} is installed without an RSSe binary`,
    });
  }
  return buildDevelopmentRsse({
    family: rsse.family,
    loadAddress: rsse.window.address,
    version: [2, 0, 2],
  });
}
