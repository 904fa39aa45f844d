import { banksOf, sectorBytesOf } from "./flash-layout.ts";
import type {
  DeviceManifest,
  FlashBankFacts,
  OptionField,
  OptionRegister,
  Variant,
} from "./manifest-types.ts";

/**
 * A manifest as it holds for one part: only the banks that the variant has, and, where smaller parts have their second
 * bank right behind the first, that bank and the option-byte fields that count from it at their real place (RM0456,
 * RM0481: a 1 MB part of a 2 MB line has bank 2 at half its size).
 * @param flashSizeBytes as the part's flash-size register says; one that does not fit the banks changes nothing
 */
export function fittedManifest(
  manifest: DeviceManifest,
  variant: Variant,
  flashSizeBytes: number,
): DeviceManifest {
  const { flash, optionBytes } = manifest;
  const banks = banksOf(manifest, variant);
  const [first, second] = banks;
  const bankBytes = flashSizeBytes / banks.length;
  const fits =
    flash.smallerParts === "adjacent-banks" &&
    first !== undefined &&
    banks.every((bank) => {
      const sectorBytes = sectorBytesOf(manifest, bank);
      return bankBytes > 0 && bankBytes % sectorBytes === 0 && bankBytes <= bank.sectors * sectorBytes;
    });
  if (!fits) return { ...manifest, flash: { ...flash, banks } };
  const placed = banks.map(
    (bank, i): FlashBankFacts => ({
      ...bank,
      address: first.address + i * bankBytes,
      sectors: bankBytes / sectorBytesOf(manifest, bank),
    }),
  );
  const shift = second === undefined ? 0 : second.address - (first.address + bankBytes);
  const moved = ([name, field]: [string, OptionField]): [string, OptionField] => {
    const { equation } = field;
    if (shift === 0 || second === undefined || equation === undefined) return [name, field];
    // An end field counts from the last byte of the unit it names.
    const fromSecond =
      equation.offset >= second.address && equation.offset < second.address + equation.multiplier;
    if (!fromSecond) return [name, field];
    return [name, { ...field, equation: { ...equation, offset: equation.offset - shift } }];
  };
  const registers = Object.entries(optionBytes.registers).map(
    ([name, register]): [string, OptionRegister] => [
      name,
      { ...register, fields: Object.fromEntries(Object.entries(register.fields).map(moved)) },
    ],
  );
  return {
    ...manifest,
    flash: { ...flash, banks: placed },
    optionBytes: { ...optionBytes, registers: Object.fromEntries(registers) },
  };
}
