import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fittedManifest } from "../../../src/target/fitted-manifest.ts";
import { bankBytes, banksOf, flashRanges, sectorsIn } from "../../../src/target/flash-layout.ts";
import { decodeManifest } from "../../../src/target/manifest.ts";
import type { DeviceManifest } from "../../../src/target/manifest-types.ts";
import {
  applyFields,
  csvWordsOf,
  defaultOptionBytes,
  differences,
  fieldsOf,
  fieldValue,
  optionWordsFromCsv,
} from "../../../src/target/option-bytes.ts";
import { closesPort, readSecurityState } from "../../../src/target/security.ts";

const folder = join(import.meta.dirname, "../../../rsse");
const devices = readdirSync(folder)
  .filter((name) => /^0x[0-9A-F]{3}\.json$/.test(name))
  .map((name) => decodeManifest(JSON.parse(readFileSync(join(folder, name), "utf8")), name));

function device(id: number): DeviceManifest {
  const found = devices.find((each) => each.device.id === id);
  if (found === undefined) throw new Error(`no device ${id.toString(16)}`);
  return found;
}

describe("devices of AN5054", () => {
  it("are all there", () => {
    expect(devices.map(({ device: { id } }) => id.toString(16).toUpperCase()).sort()).toEqual([
      "450",
      "455",
      "462",
      "472",
      "474",
      "476",
      "478",
      "480",
      "481",
      "482",
      "483",
      "484",
      "485",
      "492",
      "497",
      "4B0",
    ]);
  });

  it("install over SWD, but for the one whose bootloader does it", () => {
    expect(devices.filter(({ sfi }) => sfi.rss === undefined).map(({ device: { id } }) => id)).toEqual([
      0x462,
    ]);
  });

  for (const manifest of devices) {
    const name = `0x${manifest.device.id.toString(16).toUpperCase()}`;
    for (const variant of manifest.variants) {
      describe(`${name} ${variant.name}`, () => {
        const delivered = defaultOptionBytes(manifest, variant);

        it("is open and unprotected as delivered", () => {
          const state = readSecurityState(manifest, variant, delivered);
          expect(state).toMatchObject({
            rdpLevel: 0,
            security: false,
            sfiPending: false,
            pcropAreas: [],
            secureAreas: [],
            writeProtected: [],
          });
          expect(state.trustZone ?? false).toBe(false);
          expect(closesPort(manifest, variant, delivered)).toBe(false);
        });

        it("takes every legal value of every field, and nothing else changes", () => {
          const writable = fieldsOf(manifest, variant).filter(({ field }) => field.readOnly !== true);
          fc.assert(
            fc.property(fc.constantFrom(...writable), fc.nat(), ({ name: field, field: facts }, seed) => {
              const width = facts.bits[0] - facts.bits[1] + 1;
              const legal = facts.values?.map(({ value }) => value);
              const value = legal === undefined ? seed % 2 ** width : legal[seed % legal.length]!;
              const changed = applyFields(manifest, variant, delivered, { [field]: value });
              expect(fieldValue(manifest, variant, changed, field)).toBe(value);
              const other = differences(manifest, variant, changed, delivered).map((each) => each.field);
              expect(other.filter((each) => each !== field)).toEqual([]);
            }),
          );
        });

        it("refuses what does not fit or is not legal", () => {
          for (const { name: field, field: facts } of fieldsOf(manifest, variant)) {
            const width = facts.bits[0] - facts.bits[1] + 1;
            const set = (value: number) => () =>
              applyFields(manifest, variant, delivered, { [field]: value });
            expect(set(2 ** width)).toThrow(/legal|only the part itself/);
            const illegal = Array.from({ length: Math.min(2 ** width, 256) }, (_, value) => value).find(
              (value) => facts.values !== undefined && !facts.values.some((each) => each.value === value),
            );
            if (illegal !== undefined) expect(set(illegal)).toThrow(/legal|only the part itself/);
          }
        });

        it("says the same option bytes as rows of a file", () => {
          const words = csvWordsOf(manifest, variant, delivered);
          expect(words).toHaveLength(manifest.sfi.csvRows.length);
          const again = optionWordsFromCsv(manifest, words);
          expect(differences(manifest, variant, again, delivered)).toEqual([]);
        });

        it("has banks that do not overlap, in sectors of whole flash words", () => {
          const banks = banksOf(manifest, variant);
          expect(banks.length).toBeGreaterThan(0);
          banks.forEach((bank, i) => {
            const next = banks[i + 1];
            if (next !== undefined)
              expect(next.address).toBeGreaterThanOrEqual(bank.address + bankBytes(manifest, bank));
          });
        });
      });
    }
  }
});

describe("a smaller part", () => {
  it("of a line with adjacent banks has bank 2, and what counts from it, at half its size", () => {
    const u5 = device(0x482);
    const [variant] = u5.variants;
    const fitted = fittedManifest(u5, variant!, 0x100000);
    expect(flashRanges(fitted, variant!, 0x100000)).toEqual([
      { address: 0x08000000, sizeBytes: 0x80000 },
      { address: 0x08080000, sizeBytes: 0x80000 },
    ]);
    const wrp = fitted.optionBytes.registers["WRP2AR"]?.fields;
    expect(wrp?.["WRP2A_PSTRT"]?.equation?.offset).toBe(0x08080000);
    expect(wrp?.["WRP2A_PEND"]?.equation?.offset).toBe(0x08081fff);
    expect(sectorsIn(fitted, { address: 0x08080000, sizeBytes: 1 })[0]).toMatchObject({ number: 0 });
  });

  it("of the STM32H7 has shorter banks at the same places", () => {
    const h7 = device(0x450);
    const variant = h7.variants.find(({ facets }) => facets.dualBank)!;
    const fitted = fittedManifest(h7, variant, 0x100000);
    expect(flashRanges(fitted, variant, 0x100000).map(({ address }) => address)).toEqual([
      0x08000000, 0x08100000,
    ]);
  });

  it("with one bank has only that", () => {
    const l5 = device(0x472);
    const single = l5.variants.find(({ facets }) => !facets.dualBank)!;
    const fitted = fittedManifest(l5, single, 0x80000);
    expect(fitted.flash.banks.map(({ sectors, sectorBytes }) => [sectors, sectorBytes])).toEqual([
      [128, 4096],
    ]);
  });
});
