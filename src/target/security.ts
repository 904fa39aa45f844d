import { hex32 } from "../bytes/hex.ts";
import { type AddressRange, bankAt, bankBytes, banksOf, sectorBytesOf } from "./flash-layout.ts";
import type { DeviceManifest, ProtectedArea, RdpLevel, Variant } from "./manifest-types.ts";
import { fieldsOf, fieldValue, type OptionBytes } from "./option-bytes.ts";

/** A protection that is in force, and what it covers. */
export interface ActiveProtection extends AddressRange {
  readonly name: string;
  /** The last byte that is covered. */
  readonly endAddress: number;
}

/** What the option bytes say about who may do what with the part. */
export interface SecurityState {
  readonly rdpLevel: RdpLevel;
  /** The level in the part's own words: "RDP level 0", "product state Open". */
  readonly rdpName: string;
  /** TrustZone is on; undefined for parts that do not have it. */
  readonly trustZone: boolean | undefined;
  /** Security (RSS at every reset) is on. False for parts that do not have it. */
  readonly security: boolean;
  /** A secure install was started and has not finished. */
  readonly sfiPending: boolean;
  readonly pcropAreas: readonly ActiveProtection[];
  readonly secureAreas: readonly ActiveProtection[];
  readonly writeProtected: readonly ActiveProtection[];
  /** Flash of the secure world; means something only while TrustZone is on. */
  readonly watermarks: readonly ActiveProtection[];
  /** All of it in plain words, one statement each. */
  readonly text: readonly string[];
}

/** The security state that option bytes mean. */
export function readSecurityState(
  manifest: DeviceManifest,
  variant: Variant,
  optionBytes: OptionBytes,
): SecurityState {
  const { protections } = manifest;
  const isSet = (name: string | undefined): boolean =>
    name !== undefined && fieldValue(manifest, variant, optionBytes, name) === 1;
  const areas = (kind: ProtectedArea["kind"]): ActiveProtection[] =>
    protections.areas
      .filter((area) => area.kind === kind)
      .flatMap((area) => {
        const range = activeRange(manifest, variant, optionBytes, area);
        return range === undefined ? [] : [protection(area.name, range)];
      });
  const state = {
    rdpLevel: rdpLevelOf(manifest, variant, optionBytes),
    rdpName: rdpNameOf(manifest, variant, optionBytes),
    security: isSet(protections.securityField),
    sfiPending: isSet(protections.sfiPendingField),
    trustZone:
      manifest.trustZone === undefined
        ? undefined
        : fieldValue(manifest, variant, optionBytes, manifest.trustZone.field) === manifest.trustZone.enabled,
    pcropAreas: areas("pcrop"),
    secureAreas: [...areas("secure"), ...areas("hdp")],
    writeProtected: [...writeProtectedSectors(manifest, variant, optionBytes), ...areas("write")],
    watermarks: areas("watermark"),
  };
  return { ...state, text: describe(state) };
}

/** The level in the part's own words: "RDP level 0", "product state Open". */
export function rdpNameOf(manifest: DeviceManifest, variant: Variant, optionBytes: OptionBytes): string {
  const { term, field, levels } = manifest.rdp;
  const value = fieldValue(manifest, variant, optionBytes, field);
  const known = levels.find((each) => each.value === value);
  return `${term} ${known?.name ?? rdpLevelOf(manifest, variant, optionBytes)}`;
}

/** The debug port does not answer on a part with these option bytes. */
export function closesPort(manifest: DeviceManifest, variant: Variant, optionBytes: OptionBytes): boolean {
  const { field, levels } = manifest.rdp;
  const value = fieldValue(manifest, variant, optionBytes, field);
  return levels.some((each) => each.value === value && each.closesPort === true);
}

/** The level that the RDP value means. */
export function rdpLevelOf(manifest: DeviceManifest, variant: Variant, optionBytes: OptionBytes): RdpLevel {
  const { field, levels, otherwise } = manifest.rdp;
  const value = fieldValue(manifest, variant, optionBytes, field);
  return levels.find((each) => each.value === value)?.level ?? otherwise;
}

/**
 * What a protected area covers; undefined when there is none. Start above end is no area, start equal to end is the
 * whole bank (RM0433 chapter 4, protected and secure area registers).
 */
export function activeRange(
  manifest: DeviceManifest,
  variant: Variant,
  optionBytes: OptionBytes,
  area: ProtectedArea,
): AddressRange | undefined {
  const end = fieldValue(manifest, variant, optionBytes, area.end);
  if (end === undefined) return undefined;
  if (area.enable !== undefined && fieldValue(manifest, variant, optionBytes, area.enable) !== 1)
    return undefined;
  const endAddress = addressOf(manifest, variant, area.end, end);
  if (area.start === undefined) {
    const bank = banksOf(manifest, variant)[area.bank ?? 0];
    if (bank === undefined) return undefined;
    return { address: bank.address, sizeBytes: endAddress + 1 - bank.address };
  }
  const start = fieldValue(manifest, variant, optionBytes, area.start);
  if (start === undefined || start > end) return undefined;
  const first = addressOf(manifest, variant, area.start, start);
  if (start === end && manifest.protections.equalIsWholeBank) {
    const bank = bankAt(manifest, first);
    return { address: bank.address, sizeBytes: bankBytes(manifest, bank) };
  }
  return { address: first, sizeBytes: endAddress + 1 - first };
}

/** The address that a field's value stands for. */
function addressOf(manifest: DeviceManifest, variant: Variant, name: string, value: number): number {
  const equation = fieldsOf(manifest, variant).find((placed) => placed.name === name)?.field.equation;
  if (equation === undefined) throw new RangeError(`${name} is no field with an address equation`);
  return value * equation.multiplier + equation.offset;
}

function writeProtectedSectors(
  manifest: DeviceManifest,
  variant: Variant,
  optionBytes: OptionBytes,
): ActiveProtection[] {
  const banks = banksOf(manifest, variant);
  return fieldsOf(manifest, variant).flatMap(({ name, field: { writeProtects, bits } }) => {
    const value = fieldValue(manifest, variant, optionBytes, name) ?? 0;
    const bank = writeProtects === undefined ? undefined : banks[writeProtects.bank];
    if (writeProtects === undefined || bank === undefined) return [];
    const sectorBytes = sectorBytesOf(manifest, bank);
    const sectors = writeProtects.sectors ?? 1;
    const single = bits[0] === bits[1];
    return Array.from({ length: bits[0] - bits[1] + 1 }, (_, bit) => bit)
      .filter((bit) => ((value >>> bit) & 1) === 0)
      .map((bit) => ({ bit, sector: writeProtects.sector + bit * sectors }))
      .filter(({ sector }) => sector < bank.sectors)
      .map(({ bit, sector }) =>
        protection(single ? name : `${name} bit ${bit}`, {
          address: bank.address + sector * sectorBytes,
          sizeBytes: sectors * sectorBytes,
        }),
      );
  });
}

function protection(name: string, { address, sizeBytes }: AddressRange): ActiveProtection {
  return { name, address, sizeBytes, endAddress: address + sizeBytes - 1 };
}

const rdpTexts = {
  0: "RDP level 0: open",
  0.5: "RDP level 0.5: only the non-secure world can be debugged",
  1: "RDP level 1: flash cannot be read over the debug port; going back to level 0 erases it",
  2: "RDP level 2: closed for good",
} as const satisfies Record<RdpLevel, string>;

function describe(state: Omit<SecurityState, "text">): string[] {
  const covered = ({ name, address, endAddress }: ActiveProtection): string =>
    `${name}: ${hex32(address)} to ${hex32(endAddress)}`;
  return [
    state.rdpName.startsWith("RDP") ? rdpTexts[state.rdpLevel] : state.rdpName,
    ...(state.trustZone === undefined ? [] : [`TrustZone is ${state.trustZone ? "on" : "off"}`]),
    state.security ? "security is on: RSS runs at every reset" : "security is off",
    ...(state.sfiPending ? ["a secure install was started and has not finished"] : []),
    ...state.pcropAreas.map(covered),
    ...state.secureAreas.map(covered),
    ...(state.trustZone === true ? state.watermarks.map(covered) : []),
    ...state.writeProtected.map((each) => `write protected: ${covered(each)}`),
  ];
}
