import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStationError } from "../../../src/errors/station-error.ts";
import { formatOptionCsv, parseOptionCsv } from "../../../src/package/option-csv.ts";
import { sampleOptionRows as rows, sampleOptionWords } from "../../support/sfi-samples.ts";

/** AN5054 figure 15. */
const figure15 = `FOPTSR_PRG,0x1026AAD0
FPRAR_PRG_A,0x81000200
FPRAR_PRG_B,0x81000200
FSCAR_PRG_A,0x81000200
FSCAR_PRG_B,0x81000200
FWPSN_PRG_A,0xFFFFFFFF
FWPSN_PRG_B,0xFFFFFFFF
FBOOT7_PRG,0x24000800
RESERVED,0x10000810
`;

function complaint(text: string): string {
  try {
    parseOptionCsv(text, { source: "ob.csv", rows });
  } catch (error) {
    if (!isStationError(error, "OPTION_CSV_INVALID")) throw error;
    return error.message;
  }
  return "accepted";
}

function edited(line: number, replacement: string | undefined): string {
  const lines = figure15.trimEnd().split("\n");
  lines.splice(line - 1, 1, ...(replacement === undefined ? [] : [replacement]));
  return lines.join("\n");
}

describe("parseOptionCsv", () => {
  it("reads AN5054 figure 15", () => {
    expect(parseOptionCsv(figure15, { source: "ob.csv", rows })).toEqual(sampleOptionWords);
  });

  it.each([
    ["CR LF line ends", figure15.replaceAll("\n", "\r\n")],
    ["CR line ends", figure15.replaceAll("\n", "\r")],
    ["a byte-order mark", `\uFEFF${figure15}`],
    ["no line end at the end", figure15.trimEnd()],
    ["empty lines at the end", `${figure15}\n \r\n`],
    ["blanks around fields", figure15.replaceAll(",", " , ").replaceAll("\n", " \n")],
    ["lower-case digits", figure15.replaceAll("0xFFFFFFFF", "0xffffffff")],
  ])("takes %s", (_, text) => {
    expect(parseOptionCsv(text, { source: "ob.csv", rows })).toEqual(sampleOptionWords);
  });

  it.each([
    [
      "a missing row at the end",
      edited(9, undefined),
      "ob.csv line 9: row RESERVED is missing (9 rows are needed)",
    ],
    [
      "a missing row inside",
      edited(3, undefined),
      'ob.csv line 3: "FSCAR_PRG_A" stands where FPRAR_PRG_B belongs',
    ],
    ["an additional row", `${figure15}EXTRA,0x0\n`, "ob.csv line 10: more rows than the 9 of this device"],
    ["an empty file", "", "ob.csv line 1: row FOPTSR_PRG is missing (9 rows are needed)"],
    ["an empty line inside", edited(2, ""), "ob.csv line 2: a row is a register name, a comma and a value"],
    [
      "another name",
      edited(8, "FBOOT_PRG,0x0"),
      'ob.csv line 8: "FBOOT_PRG" stands where FBOOT7_PRG belongs',
    ],
    ["another case", edited(9, "Reserved,0x0"), 'ob.csv line 9: "Reserved" stands where RESERVED belongs'],
    ["a decimal value", edited(9, "RESERVED,16"), 'ob.csv line 9: "16" is no 32-bit value in 0x hexadecimal'],
    ["more than 32 bits", edited(9, "RESERVED,0x100000000"), 'ob.csv line 9: "0x100000000" is no 32-bit'],
    ["no value", edited(9, "RESERVED,"), 'ob.csv line 9: "" is no 32-bit'],
    ["no comma", edited(9, "RESERVED 0x0"), "ob.csv line 9: a row is a register name, a comma and a value"],
    ["a third column", edited(9, "RESERVED,0x0,0x0"), "ob.csv line 9: a row is a register name"],
    ["the letter O for a zero", edited(9, "RESERVED,Ox10"), 'ob.csv line 9: "Ox10" is no 32-bit'],
  ])("refuses %s", (_, text, message) => {
    expect(complaint(text)).toContain(message);
  });

  it("never throws anything else, whatever the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        expect(complaint(text)).not.toBe("accepted");
      }),
    );
  });
});

describe("formatOptionCsv", () => {
  it("writes AN5054 figure 15", () => {
    expect(formatOptionCsv(rows, sampleOptionWords)).toBe(figure15);
  });

  it("round-trips", () => {
    const word = fc.nat(0xffffffff);
    fc.assert(
      fc.property(fc.array(word, { minLength: 9, maxLength: 9 }), (words) => {
        expect(parseOptionCsv(formatOptionCsv(rows, words), { source: "x", rows })).toEqual(words);
      }),
    );
  });

  it("refuses another number of words", () => {
    expect(() => formatOptionCsv(rows, [1, 2])).toThrow(RangeError);
  });
});
