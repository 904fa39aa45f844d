import { StationError } from "../../../src/errors/station-error.ts";

/** The fields of one JSON object, taken one by one; what is left over in the end is unknown. */
export class JsonFields {
  readonly #file: string;
  readonly #path: string;
  readonly #fields: Map<string, unknown>;

  /** @throws FAULT_SCRIPT_INVALID when `value` is no object. */
  constructor(file: string, path: string, value: unknown) {
    this.#file = file;
    this.#path = path;
    if (typeof value !== "object" || value === null || Array.isArray(value))
      this.fail(undefined, "must be an object");
    this.#fields = new Map(Object.entries(value as object));
  }

  has(name: string): boolean {
    return this.#fields.has(name);
  }

  /** The field's raw value; it counts as known from now on. */
  take(name: string): unknown {
    const value = this.#fields.get(name);
    this.#fields.delete(name);
    return value;
  }

  /** A whole number within the limits; `fallback` when the field is absent. */
  integer(name: string, lowest: number, highest: number, fallback?: number): number {
    if (!this.has(name) && fallback !== undefined) return fallback;
    const value = this.take(name);
    const number = typeof value === "string" && /^0x[0-9a-fA-F]{1,8}$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isInteger(number) || number < lowest || number > highest) {
      return this.fail(name, `must be a whole number from ${lowest} to ${highest}`);
    }
    return number;
  }

  /** One of some words; `fallback` when the field is absent. */
  oneOf<Word extends string>(name: string, words: readonly Word[], fallback?: Word): Word {
    if (!this.has(name) && fallback !== undefined) return fallback;
    const value = this.take(name);
    return words.find((word) => word === value) ?? this.fail(name, `must be one of ${words.join(", ")}`);
  }

  /** A text that is not empty. */
  text(name: string): string {
    const value = this.take(name);
    return typeof value === "string" && value !== ""
      ? value
      : this.fail(name, "must be a text that is not empty");
  }

  /** Refuses fields nobody took. */
  end(): void {
    for (const name of this.#fields.keys()) this.fail(name, "is not known here");
  }

  /** Path of a field of this object. */
  pathOf(name: string | undefined): string {
    return name === undefined ? this.#path : `${this.#path}.${name}`;
  }

  fail(name: string | undefined, detail: string): never {
    throw StationError.of("FAULT_SCRIPT_INVALID", { file: this.#file, path: this.pathOf(name), detail });
  }
}
