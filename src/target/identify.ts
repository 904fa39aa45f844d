import { fromWords } from "../bytes/bytes.ts";
import { hexNumber, toHex } from "../bytes/hex.ts";
import { alignDown } from "../bytes/numbers.ts";
import { core, memAp } from "../dap/registers.ts";
import type { DebugSession } from "../dap/session.ts";
import { isStationError, StationError } from "../errors/station-error.ts";
import type { Memory, MemoryOperation } from "../ports/index.ts";
import { fittedManifest } from "./fitted-manifest.ts";
import type { DeviceManifest, Facets, FacetTest, Variant, WordTest } from "./manifest-types.ts";

/** What a chip says about itself. */
export interface TargetIdentity {
  readonly manifest: DeviceManifest;
  /** DBGMCU_IDCODE bits 11:0. */
  readonly deviceId: number;
  /** DBGMCU_IDCODE bits 31:16. */
  readonly revisionId: number;
  /** The revision's letter; "unknown" for one that is not in the manifest. */
  readonly revisionName: string;
  /** The 96-bit unique id: its 12 bytes in memory order, 24 lower-case hexadecimal digits. */
  readonly uid: string;
  readonly flashSizeBytes: number;
  /** Undefined on parts without a package register. */
  readonly packageCode: number | undefined;
  /** Major and minor version in the nibbles of a byte: 0x90 is 9.0. */
  readonly bootloaderVersion: number;
  /** Version of the secure part of the system flash: major, minor, patch from bit 31 down; where the part tells it. */
  readonly sfspVersion: number | undefined;
  readonly cpuid: number;
  readonly dpidr: number;
  /** The part has RSS and can run a secure install. */
  readonly securityExtension: boolean;
  readonly variant: Variant;
}

/** The access ports behind which a known device has its core, each once; to connect before the device is known. */
export function coreAps(manifests: readonly DeviceManifest[]): readonly number[] {
  return [...new Set(manifests.map(({ identity }) => identity.coreAp))].sort((a, b) => a - b);
}

/**
 * Finds out which device is attached and which variant of it. Reads only, but for the clock enable of the registers
 * that tell the variants apart, which is put back.
 * @throws DEVICE_UNKNOWN when no manifest has the device id or the variant
 */
export async function identifyTarget(
  session: DebugSession,
  manifests: readonly DeviceManifest[],
): Promise<TargetIdentity> {
  const { manifest, idcode } = await readIdcode(session, manifests);
  const { identity, facets } = manifest;
  await session.useAp(identity.coreAp);
  const memory = session.memory();
  const words = await readWords(memory, [
    core.CPUID,
    identity.uidAddress,
    identity.uidAddress + 4,
    identity.uidAddress + 8,
    alignDown(identity.flashSizeAddress, 4),
    alignDown(identity.bootloaderVersionAddress, 4),
    facets.dualBank.word?.address,
    facets.dualCore.word?.address,
    facets.clockEnable?.address,
    identity.sfspVersionAddress,
  ]);
  const clocked = await readClocked(memory, manifest, words);
  const found: Facets = {
    security: await facetOf(session, facets.security, clocked),
    dualCore: await facetOf(session, facets.dualCore, words),
    dualBank: await facetOf(session, facets.dualBank, words),
  };
  const word = (address: number): number => words.get(alignDown(address, 4)) ?? 0;
  const flashSizeBytes =
    (atAddress(word(identity.flashSizeAddress), identity.flashSizeAddress) & 0xffff) * 1024;
  const variant = variantOf(manifest, found);
  const sfsp = identity.sfspVersionAddress;
  const revisionId = idcode >>> 16;
  return {
    manifest: fittedManifest(manifest, variant, flashSizeBytes),
    deviceId: idcode & 0xfff,
    revisionId,
    revisionName: identity.revisions.find((revision) => revision.id === revisionId)?.name ?? "unknown",
    uid: toHex(fromWords([0, 4, 8].map((offset) => word(identity.uidAddress + offset)))),
    flashSizeBytes,
    packageCode:
      identity.package === undefined
        ? undefined
        : (clocked.get(identity.package.address) ?? 0) & identity.package.mask,
    bootloaderVersion:
      atAddress(word(identity.bootloaderVersionAddress), identity.bootloaderVersionAddress) & 0xff,
    sfspVersion: sfsp === undefined ? undefined : word(sfsp),
    cpuid: word(core.CPUID),
    dpidr: session.dpidr,
    securityExtension: found.security,
    variant,
  };
}

/** Words by address; addresses that are missing are left out. One batch. */
async function readWords(
  memory: Memory,
  addresses: readonly (number | undefined)[],
): Promise<ReadonlyMap<number, number>> {
  const wanted = addresses.filter((address) => address !== undefined);
  const words = await memory.batch(wanted.map((address): MemoryOperation => ({ kind: "read", address })));
  return new Map(wanted.map((address, i) => [address, words[i] ?? 0]));
}

/**
 * The security word and the package register, which may need a clock. Its enable register is left as it was found:
 * firmware may be running (hot-plug).
 */
async function readClocked(
  memory: Memory,
  { facets, identity }: DeviceManifest,
  words: ReadonlyMap<number, number>,
): Promise<ReadonlyMap<number, number>> {
  const addresses = [facets.security.word?.address, identity.package?.address];
  const { clockEnable } = facets;
  if (clockEnable === undefined) return readWords(memory, addresses);
  const wanted = addresses.filter((address) => address !== undefined);
  const clocks = words.get(clockEnable.address) ?? 0;
  const read = await memory.batch([
    write(clockEnable.address, (clocks | clockEnable.bits) >>> 0),
    ...wanted.map((address): MemoryOperation => ({ kind: "read", address })),
    write(clockEnable.address, clocks),
  ]);
  return new Map(wanted.map((address, i) => [address, read[i] ?? 0]));
}

async function facetOf(
  session: DebugSession,
  { word, ap, always, not = false }: FacetTest,
  words: ReadonlyMap<number, number>,
): Promise<boolean> {
  if (word !== undefined) return passes(word, words.get(word.address) ?? 0) !== not;
  if (ap !== undefined) return (await hasAccessPort(session, ap)) !== not;
  return (always === true) !== not;
}

/** Reads DBGMCU_IDCODE wherever a manifest says it may be, until one recognizes its own device id. */
async function readIdcode(
  session: DebugSession,
  manifests: readonly DeviceManifest[],
): Promise<{ manifest: DeviceManifest; idcode: number }> {
  const tried = new Map<string, number | undefined>();
  const opened = new Set([session.ap]);
  let refusal: StationError | undefined;
  for (const manifest of manifests) {
    for (const { ap, address } of manifest.identity.idcode) {
      const place = `${ap}:${address}`;
      if (!tried.has(place)) {
        try {
          if (!opened.has(ap)) await session.port.openAp(ap);
          opened.add(ap);
          tried.set(place, await session.memory(ap).readWord(address));
        } catch (thrown) {
          // Another device has nothing at that address, or no such access port.
          if (!isStationError(thrown, "TARGET_FAULT", "ACCESS_PORT_REFUSED")) throw thrown;
          refusal = thrown;
          tried.set(place, undefined);
        }
      }
      const idcode = tried.get(place);
      if (idcode !== undefined && (idcode & 0xfff) === manifest.device.id) return { manifest, idcode };
    }
  }
  const seen = [...tried.values()].flatMap((idcode) =>
    idcode === undefined ? [] : [hexNumber(idcode & 0xfff, 3)],
  );
  const deviceId = [...new Set(seen)].join(" or ");
  throw StationError.of(
    "DEVICE_UNKNOWN",
    { deviceId: deviceId === "" ? "(not readable)" : deviceId },
    refusal === undefined ? {} : { cause: refusal },
  );
}

/** IDR is readable without opening the access port (OpenOCD and pyOCD rely on it); 0 means that there is none. */
async function hasAccessPort(session: DebugSession, ap: number): Promise<boolean> {
  try {
    return (await session.port.readAp(ap, memAp.IDR)) !== 0;
  } catch (thrown) {
    if (isStationError(thrown, "ACCESS_PORT_REFUSED")) return false;
    throw thrown;
  }
}

function variantOf(manifest: DeviceManifest, facets: Facets): Variant {
  const variant = manifest.variants.find(
    (each) =>
      each.facets.security === facets.security &&
      each.facets.dualCore === facets.dualCore &&
      each.facets.dualBank === facets.dualBank,
  );
  if (variant !== undefined) return variant;
  throw StationError.of("DEVICE_UNKNOWN", {
    deviceId: `${hexNumber(manifest.device.id, 3)} in this variant (${JSON.stringify(facets)})`,
  });
}

function passes({ mask, value }: WordTest, word: number): boolean {
  return (word & mask) >>> 0 === value;
}

/** The part of an aligned word that begins at a byte address inside it. */
function atAddress(word: number, address: number): number {
  return word >>> (8 * (address % 4));
}

function write(address: number, value: number): MemoryOperation {
  return { kind: "write", address, value };
}
