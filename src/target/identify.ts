import { fromWords } from "../bytes/bytes.ts";
import { hexNumber, toHex } from "../bytes/hex.ts";
import { alignDown } from "../bytes/numbers.ts";
import { core, memAp } from "../dap/registers.ts";
import type { DebugSession } from "../dap/session.ts";
import { isStationError, StationError } from "../errors/station-error.ts";
import type { MemoryOperation } from "../ports/index.ts";
import type { DeviceManifest, Facets, Variant, WordTest } from "./manifest-types.ts";

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
  readonly packageCode: number;
  /** Major and minor version in the nibbles of a byte: 0x90 is 9.0. */
  readonly bootloaderVersion: number;
  readonly cpuid: number;
  readonly dpidr: number;
  /** The part has RSS and can run a secure install. */
  readonly securityExtension: boolean;
  readonly variant: Variant;
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
  const memory = session.memory(identity.coreAp);
  const [cpuid = 0, uid0 = 0, uid1 = 0, uid2 = 0, flashSize = 0, bootloader = 0, bank = 0, clocks = 0] =
    await memory.batch(
      [
        core.CPUID,
        identity.uidAddress,
        identity.uidAddress + 4,
        identity.uidAddress + 8,
        alignDown(identity.flashSizeAddress, 4),
        alignDown(identity.bootloaderVersionAddress, 4),
        facets.dualBank.address,
        facets.clockEnable.address,
      ].map((address) => ({ kind: "read", address })),
    );
  // The clock-enable register is left as it was found: firmware may be running (hot-plug).
  const [security = 0, packageWord = 0] = await memory.batch([
    write(facets.clockEnable.address, (clocks | facets.clockEnable.bits) >>> 0),
    { kind: "read", address: facets.security.address },
    { kind: "read", address: identity.package.address },
    write(facets.clockEnable.address, clocks),
  ]);
  const found: Facets = {
    security: passes(facets.security, security),
    dualCore: await hasAccessPort(session, facets.dualCore.ap),
    dualBank: passes(facets.dualBank, bank),
  };
  const revisionId = idcode >>> 16;
  return {
    manifest,
    deviceId: idcode & 0xfff,
    revisionId,
    revisionName: identity.revisions.find((revision) => revision.id === revisionId)?.name ?? "unknown",
    uid: toHex(fromWords([uid0, uid1, uid2])),
    flashSizeBytes: (atAddress(flashSize, identity.flashSizeAddress) & 0xffff) * 1024,
    packageCode: packageWord & identity.package.mask,
    bootloaderVersion: atAddress(bootloader, identity.bootloaderVersionAddress) & 0xff,
    cpuid,
    dpidr: session.dpidr,
    securityExtension: found.security,
    variant: variantOf(manifest, found),
  };
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
