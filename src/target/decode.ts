import { StationError } from "../errors/station-error.ts";

/** Where in which file a value stands. Paths look like `flash.banks[0].address`. */
export interface Place {
  readonly file: string;
  readonly path: string;
}

/** The part of JSON Schema that decoders need. */
export interface JsonSchema {
  readonly type?: "object" | "array" | "string" | "integer" | "boolean";
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly pattern?: string;
  readonly enum?: readonly (string | number)[];
  readonly minimum?: number;
  readonly maximum?: number;
}

/** Turns JSON into a value of type T, and says as JSON Schema what it takes. */
export interface Decoder<T> {
  /** @throws MANIFEST_INVALID with the path, what was expected and what was found */
  readonly decode: (value: unknown, place: Place) => T;
  readonly schema: JsonSchema;
  readonly optional?: boolean;
}

/** A key of an object that may be missing. */
export interface OptionalDecoder<T> extends Decoder<T> {
  readonly optional: true;
}

/** A decoder for every key of T; optional keys of T need an optional decoder. */
export type Shape<T> = {
  readonly [Key in keyof T]-?: undefined extends T[Key]
    ? OptionalDecoder<Exclude<T[Key], undefined>>
    : Decoder<T[Key]>;
};

/** The error for a value that is not what it should be. */
export function invalid(place: Place, detail: string): StationError {
  return StationError.of("MANIFEST_INVALID", {
    file: place.file,
    path: place.path === "" ? "(top)" : place.path,
    detail,
  });
}

function expected(place: Place, what: string, found: unknown): StationError {
  const text = found === undefined ? "nothing" : JSON.stringify(found);
  return invalid(place, `expected ${what}, found ${text.length > 60 ? `${text.slice(0, 57)}...` : text}`);
}

/** The place of a key or list index below `place`. */
export function below(place: Place, key: string | number): Place {
  if (typeof key === "number") return { ...place, path: `${place.path}[${key}]` };
  return { ...place, path: place.path === "" ? key : `${place.path}.${key}` };
}

const wordPattern = "^0x[0-9A-F]{1,8}$";

/** Hexadecimal text ("0x5200201C", upper-case digits) as a number of at most 32 bits. */
export const word: Decoder<number> = {
  decode: (value, place) => {
    if (typeof value === "string" && new RegExp(wordPattern).test(value)) return Number(value);
    throw expected(place, 'hexadecimal text such as "0x450"', value);
  },
  schema: { type: "string", pattern: wordPattern },
};

/** A whole number written as a JSON number. */
export function count(minimum: number, maximum: number): Decoder<number> {
  return {
    decode: (value, place) => {
      if (typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum)
        return value;
      throw expected(place, `a whole number from ${minimum} to ${maximum}`, value);
    },
    schema: { type: "integer", minimum, maximum },
  };
}

/** A duration in milliseconds. */
export const milliseconds = count(1, 600_000);

/** Text that matches a regular expression (by default: any that is not empty). */
export function text(pattern = "^.+$"): Decoder<string> {
  return {
    decode: (value, place) => {
      if (typeof value === "string" && new RegExp(pattern, "s").test(value)) return value;
      throw expected(place, pattern === "^.+$" ? "text" : `text like ${pattern}`, value);
    },
    schema: { type: "string", pattern },
  };
}

export const flag: Decoder<boolean> = {
  decode: (value, place) => {
    if (typeof value === "boolean") return value;
    throw expected(place, "true or false", value);
  },
  schema: { type: "boolean" },
};

/** One of a few literal values. */
export function oneOf<const T extends string | number>(...choices: readonly T[]): Decoder<T> {
  return {
    decode: (value, place) => {
      const choice = choices.find((candidate) => candidate === value);
      if (choice === undefined)
        throw expected(place, choices.map((c) => JSON.stringify(c)).join(" or "), value);
      return choice;
    },
    schema: { enum: choices },
  };
}

/** A list of `minimum` to `maximum` items. */
export function list<T>(item: Decoder<T>, minimum = 1, maximum = 1000): Decoder<readonly T[]> {
  return {
    decode: (value, place) => {
      if (!Array.isArray(value)) throw expected(place, "a list", value);
      if (value.length < minimum || value.length > maximum) {
        throw invalid(place, `expected ${minimum} to ${maximum} items, found ${value.length}`);
      }
      return value.map((element, i) => item.decode(element, below(place, i)));
    },
    schema: { type: "array", items: item.schema, minItems: minimum, maxItems: maximum },
  };
}

/** Exactly two items. */
export function pair<T>(item: Decoder<T>): Decoder<readonly [T, T]> {
  const both = list(item, 2, 2);
  return {
    decode: (value, place) => {
      const [first, second] = both.decode(value, place);
      return [first as T, second as T];
    },
    schema: both.schema,
  };
}

/** An object whose keys are names chosen by the file, with at least `minimum` of them. */
export function record<T>(item: Decoder<T>, minimum = 1): Decoder<Readonly<Record<string, T>>> {
  return {
    decode: (value, place) => {
      const entries = Object.entries(jsonObject(value, place));
      if (entries.length < minimum) throw invalid(place, "expected at least one entry, found none");
      return Object.fromEntries(
        entries.map(([key, element]) => [key, item.decode(element, below(place, key))]),
      );
    },
    schema: { type: "object", additionalProperties: item.schema, minProperties: minimum },
  };
}

/** An object with exactly the keys of the shape. */
export function object<T extends object>(shape: Shape<T>): Decoder<T> {
  const decoders = Object.entries(shape) as [string, Decoder<unknown>][];
  return {
    decode: (value, place) => {
      const given = jsonObject(value, place);
      for (const key of Object.keys(given)) {
        if (!(key in shape)) {
          throw invalid(below(place, key), `unknown key; known: ${Object.keys(shape).join(", ")}`);
        }
      }
      const decoded = decoders.flatMap(([key, decoder]) => {
        if (given[key] === undefined && decoder.optional === true) return [];
        return [[key, decoder.decode(given[key], below(place, key))] as const];
      });
      return Object.fromEntries(decoded) as T;
    },
    schema: {
      type: "object",
      properties: Object.fromEntries(decoders.map(([key, decoder]) => [key, decoder.schema])),
      required: decoders.flatMap(([key, decoder]) => (decoder.optional === true ? [] : [key])),
      additionalProperties: false,
    },
  };
}

/** Marks a key of an object as one that may be missing. */
export function optional<T>(decoder: Decoder<T>): OptionalDecoder<T> {
  return { ...decoder, optional: true };
}

function jsonObject(value: unknown, place: Place): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw expected(place, "an object", value);
}
