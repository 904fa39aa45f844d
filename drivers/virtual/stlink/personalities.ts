import { fullSpeedLink, highSpeedLink, type LinkModel } from "../timing.ts";

/** One kind of ST-LINK with one firmware, as data. */
export interface Personality {
  readonly productId: number;
  /** Hardware major of GET_VERSION: 2 or 3. */
  readonly major: 2 | 3;
  readonly jtag: number;
  /** SWIM version of a V2, mass-storage version of a V2-1; the V3 tells both in GET_VERSION_EX. */
  readonly swim: number;
  readonly massStorage: number;
  readonly bridge: number;
  /** Bulk packet size in bytes. */
  readonly packetBytes: number;
  readonly link: LinkModel;
  /** Mode after power-up: 0 DFU, 1 mass storage. */
  readonly initialMode: 0 | 1;
  /** Longest READMEM_8/WRITEMEM_8. */
  readonly longest8BitBytes: number;
  /** READMEM_8 above this length fails in the firmware, though it should not. */
  readonly broken8BitReadBytes?: number;
  /** Most operations of one RW_MISC batch. */
  readonly batchOperations: number;
  /**
   * Entering SWD opens AP0, so that hosts that know nothing of access ports can work: stlink-tools 1.7 never opens one
   * and reads an STM32U5 through V3J12 (stlink-org/stlink issue 1301). Left out: only INIT_AP does, as OpenOCD has it.
   */
  readonly opensCoreApOnEnter?: boolean;
}

const v2 = {
  major: 2,
  bridge: 0,
  packetBytes: 64,
  link: fullSpeedLink,
  longest8BitBytes: 64,
  batchOperations: 64,
} as const;
const v3 = {
  major: 3,
  packetBytes: 512,
  link: highSpeedLink,
  initialMode: 1,
  batchOperations: 1227,
  swim: 1,
} as const;

/** The probes by the name used in `probe=<name>`. */
export const personalities = {
  /** STLINK-V3SET, V3J15M6B5S1. */
  v3: { ...v3, productId: 0x374f, jtag: 15, massStorage: 6, bridge: 5, longest8BitBytes: 512 },
  /** On-board STLINK-V3E, V3J15M7. */
  v3e: { ...v3, productId: 0x374e, jtag: 15, massStorage: 7, bridge: 0, longest8BitBytes: 512 },
  /** On-board ST-LINK/V2-1, V2J45M31. */
  "v2-1": { ...v2, productId: 0x374b, jtag: 45, swim: 0, massStorage: 31, initialMode: 1 },
  /** Stand-alone ST-LINK/V2, V2J45S7; starts in DFU mode. */
  v2: { ...v2, productId: 0x3748, jtag: 45, swim: 7, massStorage: 0, initialMode: 0 },
  "v2-j17": { ...v2, productId: 0x3748, jtag: 17, swim: 4, massStorage: 0, initialMode: 1 },
  "v2-j28": { ...v2, productId: 0x3748, jtag: 28, swim: 7, massStorage: 0, initialMode: 1 },
  "v3-j7": {
    ...v3,
    productId: 0x374f,
    jtag: 7,
    massStorage: 2,
    bridge: 4,
    longest8BitBytes: 512,
    broken8BitReadBytes: 255,
  },
} as const satisfies Record<string, Personality>;
export type PersonalityName = keyof typeof personalities;

/** Names of the probes. */
export const personalityNames = Object.keys(personalities) as readonly PersonalityName[];

/** Features that came with a firmware: lowest JTAG version on V2 and on V3; undefined: never. */
const since = {
  lastStatus2: { v2: 15, v3: 0 },
  swdSetFrequency: { v2: 22, v3: undefined },
  dapRegisters: { v2: 24, v3: 0 },
  memory16: { v2: 26, v3: 0 },
  accessPortCommands: { v2: 28, v3: 0 },
  batch: { v2: 32, v3: 2 },
  boardIdentifiers: { v2: 36, v3: 6 },
  openingRequired: { v2: 37, v3: 7 },
  comFrequency: { v2: undefined, v3: 0 },
} as const satisfies Record<string, { readonly v2: number | undefined; readonly v3: number | undefined }>;
export type Feature = keyof typeof since;

/** True when the probe's firmware has the feature. */
export function hasFeature(personality: Personality, feature: Feature): boolean {
  const lowest = personality.major === 2 ? since[feature].v2 : since[feature].v3;
  return lowest !== undefined && personality.jtag >= lowest;
}

/** SWD clocks of a V3 in kHz, as GET_COM_FREQ lists them. */
export const v3ClocksKilohertz = [24000, 8000, 3300, 1000, 200, 50, 5] as const;

/** SWD clocks of a V2 in kHz by the divisor of SWD_SET_FREQ. */
export const v2ClockOfDivisor: ReadonlyMap<number, number> = new Map([
  [0, 4000],
  [1, 1800],
  [2, 1200],
  [3, 950],
  [5, 650],
  [7, 480],
  [9, 400],
  [10, 360],
  [15, 240],
  [25, 150],
  [31, 125],
  [40, 100],
  [79, 50],
  [158, 25],
  [265, 15],
  [798, 5],
]);
