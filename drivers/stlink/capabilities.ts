import { StationError } from "../../src/errors/station-error.ts";
import type { ProbeAttachment } from "../../src/ports/index.ts";
import type { ExtendedVersion, ProbeVersion } from "./frames.ts";
import { stlinkProduct } from "./ids.ts";

/** What probe firmware may or may not be able to do. */
export type Feature = (typeof featureRows)[number]["feature"];

/**
 * Since which J number a feature is there; undefined: never on that hardware. 0: in every version.
 * Sources: OpenOCD stlink_usb.c and its commit messages, pyOCD, psdb. Where they disagree: SWD_SET_FREQ is J22
 * (OpenOCD, stlink-org, psdb, webstlink) and not J20 (pyOCD, probe-rs).
 */
const featureRows = [
  { feature: "targetVoltage", since: { v2: 13, v3: 0 } },
  { feature: "lastRwStatusWithAddress", since: { v2: 15, v3: 0 } },
  { feature: "swdDivisor", since: { v2: 22, v3: undefined } },
  { feature: "swdFrequency", since: { v2: undefined, v3: 0 } },
  { feature: "dapRegisters", since: { v2: 24, v3: 0 } },
  { feature: "memory16", since: { v2: 26, v3: 1 } },
  { feature: "openAccessPort", since: { v2: 28, v3: 0 } },
  { feature: "debugPortBanks", since: { v2: 32, v3: 2 } },
  { feature: "memoryAttributes", since: { v2: 32, v3: 2 } },
  { feature: "rwMisc", since: { v2: 32, v3: 2 } },
  { feature: "reattachWithoutExit", since: { v2: undefined, v3: 5 } },
  { feature: "longByteTransfers", since: { v2: undefined, v3: 6 } },
  { feature: "accessPortMustBeOpen", since: { v2: 37, v3: 7 } },
] as const;

/**
 * Oldest firmware the station works with: from here on access ports behave the same everywhere and CSW can be chosen
 * per access, which secure parts need. V3J10 also handles WAIT at 24 MHz by itself (psdb).
 */
export const firmwareFloor = { v2: 37, v3: 10 } as const;

/** Largest data phases, in bytes, and the most operations of one RW_MISC. */
export interface TransferLimits {
  /** 16- and 32-bit commands: 6144 in OpenOCD, pyOCD, stlink-org and Black Magic. */
  readonly wordsBytes: number;
  readonly byteReadBytes: number;
  readonly byteWriteBytes: number;
  readonly miscOperations: number;
}

/** Everything that follows from hardware and firmware version, worked out once. */
export interface Capabilities {
  readonly product: string;
  /** As users know it: V2J45M31, V3J15M6B5S1. */
  readonly firmware: string;
  readonly features: ReadonlySet<Feature>;
  readonly limits: TransferLimits;
}

/**
 * 8-bit limits: 64 on V2; on V3 OpenOCD has 512, but probe-rs measured reads above 255 failing on J5 and J7, and
 * uses 128. RW_MISC: 64 and 1227 are OpenOCD's numbers.
 */
const limits = {
  v2: { wordsBytes: 6144, byteReadBytes: 64, byteWriteBytes: 64, miscOperations: 64 },
  v3: { wordsBytes: 6144, byteReadBytes: 128, byteWriteBytes: 512, miscOperations: 1227 },
} as const;

/**
 * What the probe can do, from its version replies.
 * @param extended needed from major 3 on
 * @throws PROBE_UNSUPPORTED for a probe that can only program STM8
 * @throws PROBE_FIRMWARE_OLD below V2J37 and V3J10. Major 4 (STLINK-V3PWR) counts anew and is newer than both.
 */
export function capabilitiesOf(
  version: ProbeVersion,
  extended: ExtendedVersion | undefined,
  attachment: ProbeAttachment,
): Capabilities {
  const probe = attachment.selector;
  const known = stlinkProduct(attachment.vendorId, attachment.productId);
  const hardware = version.major === 2 ? "v2" : "v3";
  const jtag = hardware === "v2" ? version.jtag : (extended?.jtag ?? 0);
  const composite = known?.generation !== "v2";
  if (hardware === "v2" && composite && isStm8Only(version)) {
    throw StationError.of("PROBE_UNSUPPORTED", { probe, detail: "its firmware programs STM8 only" });
  }
  const firmware =
    hardware === "v2"
      ? `V2J${jtag}${composite ? "M" : "S"}${version.third}`
      : extendedFirmwareName(extended ?? { ...noNumbers, major: version.major });
  const restarted = version.major === 4;
  if (!restarted && jtag < firmwareFloor[hardware]) {
    const minimum = `V${version.major}J${firmwareFloor[hardware]}`;
    throw StationError.of("PROBE_FIRMWARE_OLD", { probe, firmware, minimum });
  }
  const features = featureRows
    .filter(({ since }) => {
      const first: number | undefined = since[hardware];
      return first !== undefined && (restarted || jtag >= first);
    })
    .map(({ feature }) => feature);
  const product = known?.name ?? (hardware === "v2" ? "ST-LINK/V2" : "STLINK-V3");
  return { product, firmware, features: new Set(features), limits: limits[hardware] };
}

const noNumbers = { swim: 0, jtag: 0, massStorage: 0, bridge: 0, power: 0 } as const;

/** Boards with an STM8 report MxSy in the places of JxMy; the number ranges do not meet (OpenOCD). */
function isStm8Only({ jtag, third }: ProbeVersion): boolean {
  return (jtag <= 22 && third === 7) || (jtag >= 25 && third >= 7 && third <= 12);
}

/** V3J15M6B5S1: J always, the other letters where the probe has that part. */
function extendedFirmwareName(version: ExtendedVersion): string {
  const letters = [
    ["M", version.massStorage],
    ["B", version.bridge],
    ["P", version.power],
    ["S", version.swim],
  ] as const;
  const others = letters.map(([letter, value]) => (value === 0 ? "" : `${letter}${value}`)).join("");
  return `V${version.major}J${version.jtag}${others}`;
}
