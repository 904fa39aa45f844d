import { hex32 } from "../bytes/hex.ts";
import { type AddressRange, bankAt } from "./flash-layout.ts";
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
  /** Security (RSS at every reset) is on. False for parts that do not have it. */
  readonly security: boolean;
  /** A secure install was started and has not finished. */
  readonly sfiPending: boolean;
  readonly pcropAreas: readonly ActiveProtection[];
  readonly secureAreas: readonly ActiveProtection[];
  readonly writeProtected: readonly ActiveProtection[];
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
  const isSet = (name: string): boolean => fieldValue(manifest, variant, optionBytes, name) === 1;
  const areas = (kind: ProtectedArea["kind"]): ActiveProtection[] =>
    protections.areas
      .filter((area) => area.kind === kind)
      .flatMap((area) => {
        const range = activeRange(manifest, variant, optionBytes, area);
        return range === undefined ? [] : [protection(area.name, range)];
      });
  const state = {
    rdpLevel: rdpLevelOf(manifest, variant, optionBytes),
    security: isSet(protections.securityField),
    sfiPending: isSet(protections.sfiPendingField),
    pcropAreas: areas("pcrop"),
    secureAreas: areas("secure"),
    writeProtected: writeProtectedSectors(manifest, variant, optionBytes),
  };
  return { ...state, text: describe(state) };
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
  const start = fieldValue(manifest, variant, optionBytes, area.start);
  const end = fieldValue(manifest, variant, optionBytes, area.end);
  if (start === undefined || end === undefined || start > end) return undefined;
  const first = addressOf(manifest, variant, area.start, start);
  if (start === end) {
    const bank = bankAt(manifest, first);
    return { address: bank.address, sizeBytes: bank.sectors * manifest.flash.sectorBytes };
  }
  return { address: first, sizeBytes: addressOf(manifest, variant, area.end, end) + 1 - first };
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
  const { sectorBytes, banks } = manifest.flash;
  return fieldsOf(manifest, variant).flatMap(({ name, field: { writeProtects } }) => {
    if (writeProtects === undefined || fieldValue(manifest, variant, optionBytes, name) !== 0) return [];
    const bank = banks[writeProtects.bank];
    if (bank === undefined) return [];
    return [
      protection(name, {
        address: bank.address + writeProtects.sector * sectorBytes,
        sizeBytes: sectorBytes,
      }),
    ];
  });
}

function protection(name: string, { address, sizeBytes }: AddressRange): ActiveProtection {
  return { name, address, sizeBytes, endAddress: address + sizeBytes - 1 };
}

const rdpTexts = {
  0: "RDP level 0: open",
  1: "RDP level 1: flash cannot be read over the debug port; going back to level 0 erases it",
  2: "RDP level 2: closed for good",
} as const satisfies Record<RdpLevel, string>;

function describe(state: Omit<SecurityState, "text">): string[] {
  const covered = ({ name, address, endAddress }: ActiveProtection): string =>
    `${name}: ${hex32(address)} to ${hex32(endAddress)}`;
  return [
    rdpTexts[state.rdpLevel],
    state.security ? "security is on: RSS runs at every reset" : "security is off",
    ...(state.sfiPending ? ["a secure install was started and has not finished"] : []),
    ...state.pcropAreas.map(covered),
    ...state.secureAreas.map(covered),
    ...state.writeProtected.map((each) => `write protected: ${covered(each)}`),
  ];
}
