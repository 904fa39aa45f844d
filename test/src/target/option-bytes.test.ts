import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OptionField, Variant } from "../../../src/target/manifest-types.ts";
import {
  applyFields,
  decodeOptionBytes,
  defaultOptionBytes,
  describeDifferences,
  differences,
  diffOptionBytes,
  fieldsOf,
  fieldValue,
  type OptionBytes,
  optionWordsFromCsv,
  presentFields,
  registersOf,
} from "../../../src/target/option-bytes.ts";
import { h7, h753, variant } from "./h7.ts";

const anyVariant = fc.constantFrom(...h7.variants);
const anyWord = fc.integer({ min: 0, max: 0xffffffff });

function anyOptionBytes(of: Variant): fc.Arbitrary<OptionBytes> {
  const names = registersOf(h7, of).map(({ name }) => name);
  return fc
    .array(anyWord, { minLength: names.length, maxLength: names.length })
    .map((words) => ({ words: new Map(names.map((name, i) => [name, words[i]!])) }));
}

function anyLegalValue(field: OptionField): fc.Arbitrary<number> {
  if (field.values !== undefined) return fc.constantFrom(...field.values.map(({ value }) => value));
  return fc.integer({ min: 0, max: 2 ** (field.bits[0] - field.bits[1] + 1) - 1 });
}

describe("option bytes", () => {
  it("every field takes every legal value and nothing else changes", () => {
    const setting = anyVariant.chain((of) =>
      fc
        .constantFrom(...fieldsOf(h7, of))
        .chain(({ name, register, field }) =>
          fc.tuple(fc.constant({ of, name, register }), anyOptionBytes(of), anyLegalValue(field)),
        ),
    );
    fc.assert(
      fc.property(setting, ([{ of, name, register }, before, value]) => {
        const after = applyFields(h7, of, before, { [name]: value });
        expect(fieldValue(h7, of, after, name)).toBe(value);
        const changes = diffOptionBytes(h7, of, before, after);
        const old = fieldValue(h7, of, before, name);
        expect(changes).toEqual(old === value ? [] : [{ field: name, from: old, to: value }]);
        for (const [other, word] of before.words)
          if (other !== register) expect(after.words.get(other)).toBe(word);
      }),
    );
  });

  it("setting every field to what was decoded gives the same option bytes", () => {
    const case_ = anyVariant.chain((of) => fc.tuple(fc.constant(of), anyOptionBytes(of)));
    fc.assert(
      fc.property(case_, ([of, words]) => {
        const decoded = decodeOptionBytes(h7, of, words);
        const legal = decoded.filter(
          ({ field, value }) => field.values?.some((each) => each.value === value) ?? true,
        );
        const values = Object.fromEntries(legal.map(({ name, value }) => [name, value]));
        expect(applyFields(h7, of, words, values)).toEqual(words);
      }),
    );
  });

  it("bits of no field do not make a difference", () => {
    fc.assert(
      fc.property(anyVariant, anyWord, (of, noise) => {
        const expected = defaultOptionBytes(h7, of);
        const actual = {
          words: new Map(
            registersOf(h7, of).map(({ name, mask }) => [
              name,
              ((expected.words.get(name) ?? 0) | (noise & ~mask)) >>> 0,
            ]),
          ),
        };
        expect(differences(h7, of, expected, actual)).toEqual([]);
      }),
    );
  });

  it("refuses unknown fields, illegal values and, for users, hidden fields", () => {
    const now = defaultOptionBytes(h7, h753);
    const refused = (values: Record<string, number>, options = {}): unknown => {
      try {
        return applyFields(h7, h753, now, values, options);
      } catch (thrown) {
        return (thrown as Error).message;
      }
    };
    expect(refused({ WATCHDOG: 1 })).toContain("WATCHDOG");
    expect(refused({ BCM4: 1 })).toContain("STM32H753 has no such field");
    expect(refused({ RDP: 0x55 })).toContain("legal: 0xAA, 0xBB, 0xCC");
    expect(refused({ BOOT_CM7_ADD0: 0x10000 })).toContain("legal: 0x0 to 0xFFFF");
    expect(refused({ BOR_LEV: -1 })).toContain("BOR_LEV");
    expect(refused({ RSS1: 1 }, { hidden: false })).toContain("only an install");
    expect(fieldValue(h7, h753, applyFields(h7, h753, now, { RSS1: 1 }), "RSS1")).toBe(1);
  });

  it("knows fields by the other names tools print", () => {
    const set = applyFields(h7, h753, defaultOptionBytes(h7, h753), { BOOT_ADD0: 0x0810 });
    expect(fieldValue(h7, h753, set, "BOOT_CM7_ADD0")).toBe(0x0810);
  });

  it("gives each variant its own fields", () => {
    const names = (of: Variant): string[] => fieldsOf(h7, of).map(({ name }) => name);
    expect(names(variant("STM32H755/757"))).toEqual(
      expect.arrayContaining(["BCM4", "BOOT_CM4_ADD0", "SECURITY"]),
    );
    expect(names(variant("STM32H742/743"))).not.toContain("SECURITY");
    expect(names(variant("STM32H750"))).not.toContain("nWRP8");
    expect(names(variant("STM32H750"))).not.toContain("DMEP2");
    const writeMode = { BCM7: 1, SECURITY: 1 };
    expect(presentFields(h7, h753, writeMode)).toEqual({ SECURITY: 1 });
    expect(presentFields(h7, variant("STM32H755/757"), writeMode)).toEqual(writeMode);
  });
});

describe("texts", () => {
  /** As STM32CubeProgrammer 2.20 printed them for an STM32H753 (community.st.com thread 855142). */
  const printed: [string, number, string][] = [
    ["RDP", 0xaa, "Level 0, no protection"],
    ["BOR_LEV", 3, "reset level is set to VBOR3"],
    ["IWDG1_SW", 1, "Independent watchdog is controlled by software"],
    ["NRST_STOP_D1", 1, "STOP mode on Domain 1 is entering without reset"],
    ["FZ_IWDG_SDBY", 1, "Independent watchdog is running in STANDBY mode"],
    ["SECURITY", 1, "Security feature enabled"],
    ["SWAP_BANK", 0, "after boot loading, no swap for user sectors"],
    ["ST_RAM_SIZE", 3, "16 KB"],
    ["BOOT_CM7_ADD0", 0x800, "0x08000000"],
    ["BOOT_CM7_ADD1", 0x1ff0, "0x1FF00000"],
    ["PROT_AREA_START1", 0xff, "0x0800FF00"],
    ["PROT_AREA_END1", 0, "0x080000FF"],
    ["PROT_AREA_START2", 0xff, "0x0810FF00"],
    ["SEC_AREA_END2", 0, "0x081000FF"],
    ["nWRP15", 1, "Write protection not active on this sector"],
  ];
  for (const [name, value, text] of printed) {
    it(`${name} = ${value.toString(16)}`, () => {
      const words = applyFields(h7, h753, defaultOptionBytes(h7, h753), { [name]: value });
      expect(decodeOptionBytes(h7, h753, words).find((field) => field.name === name)).toMatchObject({
        value,
        text,
      });
    });
  }

  it("any other RDP value is level 1", () => {
    const words = new Map(defaultOptionBytes(h7, h753).words);
    words.set("FOPTSR", 0x00005500);
    const rdp = decodeOptionBytes(h7, h753, { words }).find(({ name }) => name === "RDP");
    expect(rdp).toMatchObject({ value: 0x55, text: "Level 1, read protection of memories" });
  });
});

describe("optionWordsFromCsv", () => {
  /** AN5054 figure 15. */
  const figure15 = [
    0x1026aad0, 0x81000200, 0x81000200, 0x81000200, 0x81000200, 0xffffffff, 0xffffffff, 0x24000800,
    0x10000810,
  ];

  it("reads the example of AN5054", () => {
    const words = optionWordsFromCsv(h7, figure15);
    const value = (name: string): number | undefined => fieldValue(h7, h753, words, name);
    expect(value("RDP")).toBe(0xaa);
    expect(value("SECURITY")).toBe(1);
    expect(value("ST_RAM_SIZE")).toBe(0);
    expect(value("DMEP2")).toBe(1);
    expect(value("SEC_AREA_START1")).toBe(0x200);
    expect(value("SEC_AREA_END1")).toBe(0x100);
    expect(value("BOOT_CM7_ADD1")).toBe(0x2400);
    expect(fieldValue(h7, variant("STM32H755/757"), words, "BOOT_CM4_ADD0")).toBe(0x0810);
  });

  it("is compared by fields", () => {
    const expected = optionWordsFromCsv(h7, figure15);
    const actual = applyFields(h7, h753, expected, { ST_RAM_SIZE: 3, RDP: 0xbb });
    const found = differences(h7, h753, expected, actual);
    expect(found).toEqual([
      { field: "RDP", expected: 0xaa, actual: 0xbb },
      { field: "ST_RAM_SIZE", expected: 0, actual: 3 },
    ]);
    expect(describeDifferences(found)).toBe("RDP is 0xBB instead of 0xAA, ST_RAM_SIZE is 0x3 instead of 0x0");
  });

  it("refuses another number of rows", () => {
    expect(() => optionWordsFromCsv(h7, figure15.slice(1))).toThrow(/8 option words; device 0x450 has 9/);
  });
});
