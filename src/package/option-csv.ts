import { hex32 } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";

/** What the file is to be read against. */
export interface OptionCsvOptions {
  /** File name, for messages. */
  readonly source: string;
  /** The device's row names in their order. */
  readonly rows: readonly string[];
}

/**
 * Reads an option-byte file of STM32 Trusted Package Creator: one line `REGISTER,0xVALUE` for each register. Number,
 * order and names of the rows are the device's and may not be changed (AN5054 2.5.1, option -ob, note and figure 15).
 * Blanks around fields, a byte-order mark, any line end and empty lines at the end are taken; decimal values are not.
 * @returns one 32-bit word a row, in file order: the content of the C area
 * @throws OPTION_CSV_INVALID with the line
 */
export function parseOptionCsv(text: string, { source, rows }: OptionCsvOptions): number[] {
  const invalid = (line: number, detail: string) =>
    StationError.of("OPTION_CSV_INVALID", { file: source, line, detail });
  const lines = text
    .replace(/^\uFEFF/, "")
    .replace(/[\s]+$/, "")
    .split(/\r\n|\n|\r/);
  const words = rows.map((row, i) => {
    const line = lines[i];
    if (line === undefined || (line === "" && lines.length === 1)) {
      throw invalid(i + 1, `row ${row} is missing (${rows.length} rows are needed)`);
    }
    const match = /^\s*([^,]*?)\s*,\s*([^,]*?)\s*$/.exec(line);
    if (match === null) throw invalid(i + 1, "a row is a register name, a comma and a value");
    const [, name, value] = match as unknown as [string, string, string];
    if (name !== row) throw invalid(i + 1, `${JSON.stringify(name)} stands where ${row} belongs`);
    if (!/^0[xX][0-9a-fA-F]{1,8}$/.test(value)) {
      throw invalid(i + 1, `${JSON.stringify(value)} is no 32-bit value in 0x hexadecimal`);
    }
    return Number(value);
  });
  if (lines.length > rows.length && text.trim() !== "") {
    throw invalid(rows.length + 1, `more rows than the ${rows.length} of this device`);
  }
  return words;
}

/**
 * The file for these words: `REGISTER,0x` and eight upper-case digits a row.
 * @throws RangeError when there are not as many words as rows
 */
export function formatOptionCsv(rows: readonly string[], words: readonly number[]): string {
  if (rows.length !== words.length) throw new RangeError(`${words.length} words for ${rows.length} rows`);
  return rows.map((row, i) => `${row},${hex32(words[i] as number)}\n`).join("");
}
