import { hex32, hexNumber } from "../bytes/hex.ts";
import { bitField, withBitField } from "../bytes/numbers.ts";
import { StationError } from "../errors/station-error.ts";
import { isLegal } from "./check.ts";
import { fits } from "./facets.ts";
import type { DeviceManifest, FieldValues, OptionField, OptionRegister, Variant } from "./manifest-types.ts";

/** Option bytes as a value: one word for each register, by the register's name. */
export interface OptionBytes {
  readonly words: ReadonlyMap<string, number>;
}

/** A field that a variant has, with its place. */
export interface PlacedField {
  readonly name: string;
  readonly register: string;
  readonly field: OptionField;
}

/** A field with what it holds. */
export interface DecodedField extends PlacedField {
  readonly value: number;
  /** What the value means: ST's text, an address, or "" when there is nothing to add. */
  readonly text: string;
}

/** A field in which two option-byte values differ. */
export interface FieldDifference {
  readonly field: string;
  readonly expected: number;
  readonly actual: number;
}

/** A field that a write would change. */
export interface FieldChange {
  readonly field: string;
  readonly from: number;
  readonly to: number;
}

/** The fields that a variant has, in manifest order. */
export function fieldsOf(manifest: DeviceManifest, variant: Variant): PlacedField[] {
  return registersOf(manifest, variant).flatMap(({ name: register, fields }) =>
    fields.map(([name, field]) => ({ name, register, field })),
  );
}

/** A register of which a variant has at least one field. */
export interface PlacedRegister {
  readonly name: string;
  readonly register: OptionRegister;
  readonly fields: readonly (readonly [name: string, field: OptionField])[];
  /** Mask of the bits that belong to the variant's fields. */
  readonly mask: number;
  /** Mask of those that can be written. */
  readonly writeMask: number;
}

/** The registers of which a variant has at least one field, in manifest order. */
export function registersOf(manifest: DeviceManifest, variant: Variant): PlacedRegister[] {
  return Object.entries(manifest.optionBytes.registers).flatMap(([name, register]) => {
    const fields = Object.entries(register.fields).filter(([, field]) => fits(field.when, variant));
    if (fields.length === 0) return [];
    const writable = fields.filter(([, field]) => field.readOnly !== true);
    return [{ name, register, fields, mask: maskOf(fields), writeMask: maskOf(writable) }];
  });
}

function maskOf(fields: readonly (readonly [string, OptionField])[]): number {
  return fields.reduce((mask, [, field]) => insert(field, mask, 2 ** widthOf(field) - 1), 0);
}

/**
 * Every field with its value and meaning, in manifest order.
 * @throws RangeError when a register's word is missing
 */
export function decodeOptionBytes(
  manifest: DeviceManifest,
  variant: Variant,
  optionBytes: OptionBytes,
): DecodedField[] {
  return fieldsOf(manifest, variant).map((placed) => {
    const value = valueIn(placed, optionBytes);
    return { ...placed, value, text: describe(placed.field, value) };
  });
}

/**
 * The value of one field.
 * @param name the field's name or an alias
 * @returns undefined when the variant has no such field
 */
export function fieldValue(
  manifest: DeviceManifest,
  variant: Variant,
  optionBytes: OptionBytes,
  name: string,
): number | undefined {
  const placed = findField(manifest, variant, name);
  return placed === undefined ? undefined : valueIn(placed, optionBytes);
}

/** Option bytes of a part as it leaves the factory. Bits that belong to no field are 0. */
export function defaultOptionBytes(manifest: DeviceManifest, variant: Variant): OptionBytes {
  const words = registersOf(manifest, variant).map(({ name, fields }) => {
    const word = fields.reduce((sum, [, field]) => insert(field, sum, field.default), 0);
    return [name, word] as const;
  });
  return { words: new Map(words) };
}

/** The fields whose value would change from `now` to `wanted`. Registers that `wanted` lacks stay as they are. */
export function diffOptionBytes(
  manifest: DeviceManifest,
  variant: Variant,
  now: OptionBytes,
  wanted: OptionBytes,
): FieldChange[] {
  return differences(manifest, variant, wanted, now).map(({ field, expected, actual }) => ({
    field,
    from: actual,
    to: expected,
  }));
}

export interface ApplyOptions {
  /** False refuses the hidden fields, which belong to RSS and the install: for values that a user gives. */
  readonly hidden?: boolean;
  /** True lets fields be set that only the part itself changes: for the option bytes of a package. */
  readonly readOnly?: boolean;
}

/**
 * Option bytes with some fields changed.
 * @param values by field name or alias
 * @throws OPTION_VALUE_ILLEGAL for a field that the variant does not have, a refused one or a value that cannot be
 *   set; RangeError when the word of the field's register is missing
 */
export function applyFields(
  manifest: DeviceManifest,
  variant: Variant,
  now: OptionBytes,
  values: FieldValues,
  { hidden = true, readOnly = false }: ApplyOptions = {},
): OptionBytes {
  const words = new Map(now.words);
  for (const [name, value] of Object.entries(values)) {
    const placed = findField(manifest, variant, name);
    if (placed === undefined) throw illegal(name, value, `${variant.name} has no such field`);
    if (placed.field.readOnly === true && !readOnly)
      throw illegal(name, value, "only the part itself changes it");
    if (placed.field.hidden === true && !hidden) throw illegal(name, value, "only an install may set it");
    if (!Number.isInteger(value) || value < 0 || !isLegal(placed.field, value)) {
      throw illegal(name, value, `legal: ${legalValues(placed.field)}`);
    }
    words.set(placed.register, insert(placed.field, wordIn(placed.register, { words }), value));
  }
  return { words };
}

/** The register of a field. @throws RangeError when no register has it */
export function registerOf({ optionBytes }: DeviceManifest, name: string): string {
  for (const [register, { fields }] of Object.entries(optionBytes.registers)) {
    if (fields[name] !== undefined) return register;
  }
  throw new RangeError(`there is no option-byte field ${name}`);
}

/** Those of the values whose field the variant has. For settings that hold "where the part has it". */
export function presentFields(manifest: DeviceManifest, variant: Variant, values: FieldValues): FieldValues {
  return Object.fromEntries(
    Object.entries(values).filter(([name]) => findField(manifest, variant, name) !== undefined),
  );
}

/**
 * The fields in which the option bytes are not as expected. Bits of no field, registers that the expectation does not
 * have, and fields of the secure world while TrustZone is off do not count.
 */
export function differences(
  manifest: DeviceManifest,
  variant: Variant,
  expected: OptionBytes,
  actual: OptionBytes,
): FieldDifference[] {
  const secureCounts = secureWorld(manifest, expected, actual);
  return fieldsOf(manifest, variant)
    .filter(({ register, field }) => expected.words.has(register) && (secureCounts || field.secure !== true))
    .map((placed) => ({
      field: placed.name,
      expected: valueIn(placed, expected),
      actual: valueIn(placed, actual),
    }))
    .filter((each) => each.expected !== each.actual);
}

/** True when the fields of the secure world mean something: TrustZone is, or is to be, on. */
function secureWorld(manifest: DeviceManifest, expected: OptionBytes, actual: OptionBytes): boolean {
  const { trustZone, optionBytes } = manifest;
  if (trustZone === undefined) return true;
  const register = registerOf(manifest, trustZone.field);
  const field = optionBytes.registers[register]?.fields[trustZone.field];
  const words = expected.words.has(register) ? expected : actual;
  if (field === undefined || !words.words.has(register)) return false;
  return valueIn({ name: trustZone.field, register, field }, words) === trustZone.enabled;
}

/** Differences as one line for messages: `RDP is 0xAA instead of 0xBB, …`. */
export function describeDifferences(list: readonly FieldDifference[]): string {
  return list
    .map(
      ({ field, expected, actual }) => `${field} is ${hexNumber(actual)} instead of ${hexNumber(expected)}`,
    )
    .join(", ");
}

/**
 * The option bytes that the rows of an option-byte CSV, or the words of a C area, stand for.
 * @throws EXPECTATION_INVALID when their number is not the device's
 */
export function optionWordsFromCsv(manifest: DeviceManifest, csvWords: readonly number[]): OptionBytes {
  const { csvRows } = manifest.sfi;
  if (csvWords.length !== csvRows.length) {
    throw StationError.of("EXPECTATION_INVALID", {
      detail: `${csvWords.length} option words; device ${hexNumber(manifest.device.id)} has ${csvRows.length}`,
    });
  }
  const words = csvRows.flatMap(({ register }, i): [string, number][] =>
    register === undefined ? [] : [[register, (csvWords[i] ?? 0) >>> 0]],
  );
  return { words: new Map(words) };
}

/**
 * The words of a C area, in CSV row order, that set a variant's fields as in `optionBytes`; all other bits as ST's own
 * files have them.
 */
export function csvWordsOf(manifest: DeviceManifest, variant: Variant, optionBytes: OptionBytes): number[] {
  const masks = new Map(registersOf(manifest, variant).map(({ name, mask }) => [name, mask]));
  return manifest.sfi.csvRows.map(({ register, reserved }) => {
    const mask = register === undefined ? 0 : (masks.get(register) ?? 0);
    const word = mask === 0 || register === undefined ? 0 : wordIn(register, optionBytes);
    return ((word & mask) | (reserved & ~mask)) >>> 0;
  });
}

function findField(manifest: DeviceManifest, variant: Variant, name: string): PlacedField | undefined {
  return fieldsOf(manifest, variant).find(
    (placed) => placed.name === name || placed.field.aliases?.includes(name) === true,
  );
}

function valueIn({ register, field }: PlacedField, { words }: OptionBytes): number {
  return bitField(wordIn(register, { words }), field.bits[1], widthOf(field));
}

function wordIn(register: string, { words }: OptionBytes): number {
  const word = words.get(register);
  if (word === undefined) throw new RangeError(`no word for option-byte register ${register}`);
  return word;
}

function insert(field: OptionField, word: number, value: number): number {
  return withBitField(word, field.bits[1], widthOf(field), value);
}

function widthOf({ bits: [most, least] }: OptionField): number {
  return most - least + 1;
}

function describe(field: OptionField, value: number): string {
  const known = field.values?.find((each) => each.value === value);
  if (known !== undefined) return known.text;
  if (field.equation !== undefined) {
    return hex32(value * field.equation.multiplier + field.equation.offset);
  }
  return field.otherwise ?? "";
}

function legalValues(field: OptionField): string {
  if (field.values !== undefined) return field.values.map(({ value }) => hexNumber(value)).join(", ");
  return `0x0 to ${hexNumber(2 ** widthOf(field) - 1)}`;
}

function illegal(field: string, value: number, detail: string): StationError {
  return StationError.of("OPTION_VALUE_ILLEGAL", { field, value: hexNumber(value), detail });
}
