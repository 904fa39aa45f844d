import { hex32, hexNumber } from "../../../src/bytes/hex.ts";

/** A number in a command block or a reply, little-endian. */
export interface Field {
  readonly name: string;
  readonly at: number;
  readonly bytes: 1 | 2 | 3 | 4;
  /** Shown as hexadecimal unless said otherwise. */
  readonly show?: "decimal";
  /** Left out when it is 0, which means "not used". */
  readonly optional?: true;
}

/** Value of a field; bytes behind the end of `data` count as 0. */
export function fieldOf(data: Uint8Array, { at, bytes }: Pick<Field, "at" | "bytes">): number {
  let value = 0;
  for (let i = bytes - 1; i >= 0; i--) value = value * 256 + (data[at + i] ?? 0);
  return value;
}

/** A field as text: addresses and words with 8 digits, smaller ones with as many as they have. */
export function showField(data: Uint8Array, field: Field): string {
  const value = fieldOf(data, field);
  if (field.show === "decimal") return String(value);
  return field.bytes === 4 ? hex32(value) : hexNumber(value, 2 * field.bytes);
}

/** The fields that lie inside `data`, by name. */
export function showFields(data: Uint8Array, fields: readonly Field[]): Readonly<Record<string, string>> {
  const inside = fields.filter(
    (field) =>
      field.at + field.bytes <= data.length && !(field.optional === true && fieldOf(data, field) === 0),
  );
  return Object.fromEntries(inside.map((field) => [field.name, showField(data, field)]));
}
