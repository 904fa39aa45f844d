import type { DeviceManifest, Variant } from "../target/manifest-types.ts";

/** The variant that secure installs are for; its fields are what a package's option bytes decode to. */
export function installVariant(manifest: DeviceManifest): Variant {
  const wanted = Object.entries(manifest.sfi.preconditions.facets);
  const found = manifest.variants.find(({ facets }) =>
    wanted.every(([name, value]) => facets[name as keyof typeof facets] === value),
  );
  if (found === undefined) throw new RangeError(`${manifest.device.name} has no variant for secure installs`);
  return found;
}
