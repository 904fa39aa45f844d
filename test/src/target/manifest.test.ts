import { describe, expect, it } from "vitest";
import { asStationError } from "../../../src/errors/station-error.ts";
import type { JsonSchema } from "../../../src/target/decode.ts";
import { assumedFacts, evidenceOf, listFacts } from "../../../src/target/evidence.ts";
import { decodeManifest, manifestSchema } from "../../../src/target/manifest.ts";
import { rssOf } from "../../../src/target/rss.ts";
import { h7, h7Json, schemaJson } from "./h7.ts";

type Json = Record<string, unknown>;

/** Sets, or with undefined removes, the value at a path of the manifest file. */
function changed(path: string, value: unknown): Json {
  const json = h7Json() as Json;
  const keys = path.split(/[.[\]]+/).filter((key) => key !== "");
  const last = keys.pop() ?? "";
  let at: Json = json;
  for (const key of keys) at = at[key] as Json;
  if (value === undefined) delete at[last];
  else at[last] = value;
  return json;
}

function mistake(json: unknown): { code: string; path: unknown; detail: string } {
  try {
    decodeManifest(json, "x.json");
  } catch (thrown) {
    const { code, parameters } = asStationError(thrown);
    return { code, path: parameters["path"], detail: String(parameters["detail"]) };
  }
  return { code: "none", path: "", detail: "" };
}

/** Mistakes of shape: the JSON Schema must see them too. [path changed, value, path reported, part of the detail] */
const shapeMistakes: [string, unknown, string, string][] = [
  ["schema", 2, "schema", "expected 1, found 2"],
  ["device.id", 1104, "device.id", 'expected hexadecimal text such as "0x450", found 1104'],
  ["device.id", "0x45g", "device.id", "hexadecimal"],
  ["device.id", "0x123456789", "device.id", "hexadecimal"],
  ["device.name", "", "device.name", "expected text"],
  ["device.color", "red", "device.color", "unknown key; known: id, name, series, core"],
  ["identity.coreAp", 9, "identity.coreAp", "from 0 to 8, found 9"],
  ["identity.coreAp", 0.5, "identity.coreAp", "whole number"],
  ["identity.uidAddress", undefined, "identity.uidAddress", "found nothing"],
  ["identity.idcode", [], "identity.idcode", "expected 1 to 1000 items, found 0"],
  ["identity.idcode[1].ap", "2", "identity.idcode[1].ap", "whole number"],
  ["identity.idcode", {}, "identity.idcode", "expected a list"],
  ["flash.controller", "stm32f4", "flash.controller", 'expected "stm32h7"'],
  ["flash.unlockKeys", ["0x1"], "flash.unlockKeys", "expected 2 to 2 items"],
  ["optionBytes.registers", {}, "optionBytes.registers", "at least one entry"],
  [
    "optionBytes.registers.FOPTSR.fields.RDP.bits",
    [15],
    "optionBytes.registers.FOPTSR.fields.RDP.bits",
    "2 to 2",
  ],
  [
    "optionBytes.registers.FOPTSR.fields.RDP.when",
    { core: 1 },
    "optionBytes.registers.FOPTSR.fields.RDP.when.core",
    "unknown key",
  ],
  ["sfi.preconditions.blankFlash", "yes", "sfi.preconditions.blankFlash", "true or false"],
  ["sfi.deadlines.rssMs", 0, "sfi.deadlines.rssMs", "from 1 to 600000"],
  ["sfi.productIds[0]", "4500200", "sfi.productIds[0]", "expected text like"],
  ["sfi.rss", null, "sfi.rss", "expected an object, found null"],
  ["evidence[0].level", "guessed", "evidence[0].level", '"specified" or "observed" or "assumed"'],
];

const fields = "optionBytes.registers.FOPTSR.fields";
/** Broken relations between facts, which only the decoder sees. */
const relationMistakes: [string, unknown, string, string][] = [
  [`${fields}.IWDG1_SW.bits`, [3, 3], `${fields}.IWDG1_SW.bits`, "bit 3 belongs to BOR_LEV"],
  [`${fields}.IO_HSLV.bits`, [30, 30], `${fields}.IO_HSLV.bits`, "bit 30 belongs to a status flag"],
  [`${fields}.RDP.bits`, [8, 15], `${fields}.RDP.bits`, "most significant bit 8 is below 15"],
  [`${fields}.BOR_LEV.values[3].value`, "0x4", `${fields}.BOR_LEV.values[3].value`, "does not fit 2 bits"],
  [`${fields}.BOR_LEV.values[3].value`, "0x2", `${fields}.BOR_LEV.values[3].value`, "twice"],
  [`${fields}.BOR_LEV.otherwise`, "odd", `${fields}.BOR_LEV.otherwise`, "every value has its own text"],
  [`${fields}.RDP.default`, "0x55", `${fields}.RDP.default`, "0x55 is not legal"],
  [
    "optionBytes.registers.FBOOT7.fields.BOOT_CM7_ADD0.aliases",
    ["RDP"],
    "optionBytes.registers.FBOOT7.fields.BOOT_CM7_ADD0",
    "RDP names another field too",
  ],
  [
    "optionBytes.registers.FBOOT7.current",
    "0x52002020",
    "optionBytes.registers.FBOOT7.current",
    "belongs to another register",
  ],
  [
    "optionBytes.registers.FWPSN_B.fields.nWRP8.writeProtects.sector",
    8,
    "optionBytes.registers.FWPSN_B.fields.nWRP8.writeProtects",
    "no sector 8 in bank 1",
  ],
  ["variants[1].name", "STM32H750", "variants[4].name", "STM32H750 appears twice"],
  ["variants[0].facets.security", true, "variants[1].facets", "appears twice"],
  ["memory.dtcm.address", "0x24000100", "memory.dtcm.address", "0x24000100 lies in region axiSram"],
  ["flash.banks[1].address", "0x08200000", "flash.banks[1].address", "is not in flash"],
  ["flash.wordBytes", "0x30", "flash.wordBytes", "does not divide"],
  [
    "protections.securityField",
    "SECURE",
    "protections.securityField",
    "there is no option-byte field SECURE",
  ],
  ["protections.areas[0].end", "DMEP1", "protections.areas[0].end", "no field with an address equation"],
  ["rdp.levels[1].value", "0x55", "rdp.levels[1].value", "0x55 is no legal value of RDP"],
  ["rdp.levels[2].level", 1, "rdp.levels[2].level", "level 1 appears twice"],
  ["rdp.transitions[3].from", 0, "rdp.transitions[3]", "0 to 2 appears twice"],
  ["sfi.productIds[1]", "47201003", "sfi.productIds[1]", "does not begin with 450"],
  ["sfi.csvRows[8].register", "FBOOT5", "sfi.csvRows[8].register", "no option-byte register FBOOT5"],
  ["sfi.csvRows[8].register", "FBOOT7", "sfi.csvRows[8].register", "appears twice"],
  ["sfi.token.belowEndBytes", "0x1001", "sfi.token.belowEndBytes", "not aligned"],
  ["sfi.rss.writeMode.ST_RAM_SIZE", "0x4", "sfi.rss.writeMode.ST_RAM_SIZE", "no legal value"],
  ["sfi.rss.securityState.more.RSS2", "0x1", "sfi.rss.securityState.more.RSS2", "no option-byte field RSS2"],
  ["sfi.rss.codeRegion", "rom", "sfi.rss.codeRegion", "no memory region rom"],
  ["sfi.rss.services.getStatus", "0x8", "sfi.rss.services.getCertificate", "twice"],
  ["sfi.rss.services.getStatus", "0x6", "sfi.rss.services.getStatus", "a table entry is a word"],
  ["sfi.rss.wrapper.reserved", "0x10", "sfi.rss.wrapper.reserved", "does not lie in the wrapper"],
  ["sfi.rss.completion.results[2].value", "0x0", "sfi.rss.completion.results[2]", "not finished"],
  ["sfi.rss.buffers.areas.sizeBytes", "0x100000", "sfi.rss.buffers.areas", "is not in RAM"],
  ["sfi.rss.buffers.header.sizeBytes", "0x20", "sfi.rss.buffers.header", "runs into buffers.areas"],
  ["sfi.rss.hostScratch.certificate", "0x08000000", "sfi.rss.hostScratch.certificate", "is not in RAM"],
  ["evidence[0].path", "devices", "device.id", "no evidence covers this fact"],
  ["evidence[1].path", "device", "evidence[1].path", "a second entry for device"],
];

describe("decodeManifest", () => {
  it("turns hexadecimal text into numbers", () => {
    expect(h7.device.id).toBe(0x450);
    expect(h7.optionBytes.registers["FOPTSR"]?.program).toBe(0x52002020);
    expect(rssOf(h7).status.ok).toBe(0xee000092);
    expect(h7.sfi.csvRows.map(({ register }) => register).at(-1)).toBe("FBOOT4");
  });

  for (const [path, value, reported, detail] of [...shapeMistakes, ...relationMistakes]) {
    it(`refuses ${path} = ${JSON.stringify(value)}`, () => {
      const found = mistake(changed(path, value));
      expect(found.code).toBe("MANIFEST_INVALID");
      expect(String(found.path)).toContain(reported);
      expect(found.detail).toContain(detail);
    });
  }

  it("refuses a document that is no object", () => {
    expect(mistake([])).toMatchObject({ code: "MANIFEST_INVALID", path: "(top)" });
  });

  it("refuses evidence that covers nothing, or only what longer paths cover", () => {
    const more = (path: string): unknown => {
      const json = h7Json() as Json;
      return {
        ...json,
        evidence: [...(json["evidence"] as Json[]), { path, level: "assumed", source: "x" }],
      };
    };
    expect(mistake(more("sfi.rss.fee")).detail).toContain("covers no fact");
    expect(mistake(more("sfi.rss.apiTable")).detail).toContain("a second entry");
    expect(mistake(more("sfi")).detail).toContain("covers no fact that a longer path does not cover");
  });
});

describe("rsse/schema.json", () => {
  it("is the schema of the decoder", () => {
    expect(schemaJson()).toEqual(manifestSchema());
  });

  it("accepts the device file and refuses every mistake of shape", () => {
    const schema = schemaJson() as JsonSchema;
    expect(accepts(schema, h7Json())).toBe(true);
    for (const [path, value] of shapeMistakes)
      expect(accepts(schema, changed(path, value)), path).toBe(false);
  });
});

describe("evidence", () => {
  it("is that of the longest path", () => {
    expect(evidenceOf(h7, "sfi.rss.services.getVersion").level).toBe("specified");
    expect(evidenceOf(h7, "sfi.rss.services.getStatus").level).toBe("assumed");
    expect(evidenceOf(h7, "sfi.productIds[0]").level).toBe("observed");
    expect(() => evidenceOf(h7, "sfix.rss")).toThrow(RangeError);
  });

  it("tells what is assumed, in all and below a path", () => {
    expect(assumedFacts(h7)).toContain("sfi.rss.trigger");
    expect(assumedFacts(h7, "optionBytes")).toEqual([]);
    expect(assumedFacts(h7, "sfi.rss.services")).toEqual(["sfi.rss.services"]);
    expect(assumedFacts(h7, "sfi.rss.services.getVersion")).toEqual([]);
    expect(assumedFacts(h7, "sfi.rss.serv")).toEqual([]);
  });

  it("lists every fact once", () => {
    const paths = listFacts(h7).map(({ path }) => path);
    expect(new Set(paths).size).toBe(paths.length);
    expect(paths).toContain("optionBytes.registers.FOPTSR.fields.RDP.values[0].text");
    expect(paths).not.toContain("schema");
  });
});

/** The keywords of JSON Schema that the schema uses. */
function accepts(schema: JsonSchema, value: unknown): boolean {
  if (schema.enum !== undefined) return schema.enum.includes(value as string | number);
  switch (schema.type) {
    case "string":
      return typeof value === "string" && new RegExp(schema.pattern ?? "", "s").test(value);
    case "boolean":
      return typeof value === "boolean";
    case "integer":
      return (
        Number.isInteger(value) &&
        (value as number) >= (schema.minimum ?? 0) &&
        (value as number) <= (schema.maximum ?? Infinity)
      );
    case "array": {
      if (!Array.isArray(value)) return false;
      const { items = {}, minItems = 0, maxItems = Infinity } = schema;
      return (
        value.length >= minItems && value.length <= maxItems && value.every((item) => accepts(items, item))
      );
    }
    case "object": {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
      const entries = Object.entries(value);
      const { properties = {}, required = [], additionalProperties = true, minProperties = 0 } = schema;
      if (entries.length < minProperties || !required.every((key) => key in value)) return false;
      return entries.every(([key, item]) => {
        const own = properties[key];
        if (own !== undefined) return accepts(own, item);
        return typeof additionalProperties === "boolean"
          ? additionalProperties
          : accepts(additionalProperties, item);
      });
    }
    default:
      return true;
  }
}
