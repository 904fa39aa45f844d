import { hex32 } from "../bytes/hex.ts";
import { alignDown } from "../bytes/numbers.ts";
import { StationError } from "../errors/station-error.ts";
import { fits } from "./facets.ts";
import type { DeviceManifest, FlashBankFacts, Variant } from "./manifest-types.ts";

/** A stretch of memory. */
export interface AddressRange {
  readonly address: number;
  readonly sizeBytes: number;
}

/** A sector with its number inside its bank. */
export interface FlashSector extends AddressRange {
  readonly bank: FlashBankFacts;
  readonly number: number;
}

/**
 * The flash that a part really has, one range a bank. Parts with less flash have shorter banks at the same places
 * (RM0433 chapter 4: 1 MB is two banks of four sectors).
 * @param flashSizeBytes as the part's flash-size register says
 */
export function flashRanges(
  manifest: DeviceManifest,
  variant: Variant,
  flashSizeBytes: number,
): AddressRange[] {
  const banks = banksOf(manifest, variant);
  return banks.map((bank) => ({
    address: bank.address,
    sizeBytes: Math.min(bankBytes(manifest, bank), flashSizeBytes / banks.length),
  }));
}

/** Sector size of a bank. */
export function sectorBytesOf({ flash }: Pick<DeviceManifest, "flash">, bank: FlashBankFacts): number {
  return bank.sectorBytes ?? flash.sectorBytes;
}

/** Size of a bank. */
export function bankBytes(manifest: Pick<DeviceManifest, "flash">, bank: FlashBankFacts): number {
  return bank.sectors * sectorBytesOf(manifest, bank);
}

/** The banks that the variant has. */
export function banksOf(manifest: DeviceManifest, variant: Variant): FlashBankFacts[] {
  return manifest.flash.banks.filter((bank) => fits(bank.when, variant));
}

/** Every sector that the range touches, in order. @throws USAGE_INVALID when a part of it is not in flash */
export function sectorsIn(manifest: DeviceManifest, range: AddressRange): FlashSector[] {
  const sectors: FlashSector[] = [];
  const end = range.address + range.sizeBytes;
  for (let address = range.address; address < end; ) {
    const bank = bankAt(manifest, address);
    const sectorBytes = sectorBytesOf(manifest, bank);
    const start = alignDown(address - bank.address, sectorBytes);
    sectors.push({
      bank,
      number: start / sectorBytes,
      address: bank.address + start,
      sizeBytes: sectorBytes,
    });
    address = bank.address + start + sectorBytes;
  }
  return sectors;
}

/** A stretch of flash that lies in one bank. */
export interface BankRange extends AddressRange {
  readonly bank: FlashBankFacts;
}

/** The range cut where one bank ends. @throws USAGE_INVALID when a part of it is not in flash */
export function bankRanges(manifest: DeviceManifest, range: AddressRange): BankRange[] {
  const pieces: BankRange[] = [];
  const end = range.address + range.sizeBytes;
  for (let address = range.address; address < end; ) {
    const bank = bankAt(manifest, address);
    const bankEnd = bank.address + bankBytes(manifest, bank);
    pieces.push({ bank, address, sizeBytes: Math.min(end, bankEnd) - address });
    address = bankEnd;
  }
  return pieces;
}

/** The bank in which an address lies. @throws USAGE_INVALID when it lies in none */
export function bankAt(manifest: DeviceManifest, address: number): FlashBankFacts {
  const { flash, device } = manifest;
  const bank = flash.banks.find(
    (each) => address >= each.address && address < each.address + bankBytes(manifest, each),
  );
  if (bank !== undefined) return bank;
  throw StationError.of("USAGE_INVALID", {
    detail: `${hex32(address)} is not in the flash of ${device.name}`,
  });
}
