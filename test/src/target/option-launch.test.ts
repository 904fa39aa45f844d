import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { StationError } from "../../../src/errors/station-error.ts";
import type { Memory } from "../../../src/ports/index.ts";
import { decodeManifest } from "../../../src/target/manifest.ts";
import type { DeviceManifest } from "../../../src/target/manifest-types.ts";
import { applyFields, defaultOptionBytes, fieldValue } from "../../../src/target/option-bytes.ts";
import { type OptionLink, readOptionBytes, writeOptionBytes } from "../../../src/target/option-controller.ts";
import { checkOptionOrder } from "../../../src/target/option-order.ts";
import { fakeClock } from "../dap/fake-clock.ts";
import { wordMemory } from "../dap/word-memory.ts";

function load(id: string): DeviceManifest {
  const path = join(import.meta.dirname, "../../../rsse", `${id}.json`);
  return decodeManifest(JSON.parse(readFileSync(path, "utf8")), `${id}.json`);
}

/**
 * An option controller written from the reference manuals' register descriptions (RM0456 and RM0453: OPTSTRT, then
 * OBL_LAUNCH; RM0481: OPTSTART, then a reset; RM0477: PG_OPT), as far as one write needs it.
 */
function optionModel(kind: "page" | "h5" | "h7rs", base: number, factory: ReadonlyMap<number, number>) {
  const inForce = new Map(factory);
  const written = new Map<number, number>();
  const log: string[] = [];
  let locks = kind === "page" ? 2 : 1;
  let keys = 0;
  let attached = true;
  const control = base + { page: 0x28, h5: 0x1c, h7rs: 0x104 }[kind];
  const lockBits = (): number => {
    if (kind !== "page") return locks === 0 ? 0 : 1;
    return ((locks > 0 ? 0x40000000 : 0) | (locks > 1 ? 0x80000000 : 0)) >>> 0;
  };
  const load = (): void => {
    for (const [address, value] of written) inForce.set(kind === "page" ? address : address - 4, value);
    written.clear();
    locks = kind === "page" ? 2 : 1;
    attached = false;
    log.push("loaded");
  };
  const memory: Memory = wordMemory({
    read(address) {
      if (!attached) throw StationError.of("TARGET_NO_ANSWER", { detail: "in reset" });
      if (address === control) return lockBits();
      return inForce.get(address) ?? 0;
    },
    write(address, value) {
      if (!attached) throw StationError.of("TARGET_NO_ANSWER", { detail: "in reset" });
      const place = address - base;
      if (kind === "page" ? [8, 0x10].includes(place) : [0x0c, 0x100].includes(place)) {
        if (++keys % 2 === 0) locks--;
      } else if (address === control) {
        log.push(`control ${value.toString(16)}`);
        if (kind === "page" && (value & 0x08000000) !== 0 && locks === 0) load();
      } else if (address === 0xe000ed0c) load();
      else if (locks === 0) written.set(address, value);
    },
  });
  const link: OptionLink = {
    memory: () => memory,
    reattach: async () => {
      attached = true;
    },
  };
  return { link, log, inForce };
}

const cases = [
  ["0x482", "page", 0x40022000, { nSWBOOT0: 0, NSBOOTADD0: 0x100001 }],
  ["0x484", "h5", 0x40022000, { SRAM2_RST: 0, NSBOOTADD: 0x80010 }],
  ["0x485", "h7rs", 0x52002000, { DTCM_AXI_SHARE: 1, BOR_LEV: 2 }],
] as const;

describe("option writes that a reset loads", () => {
  for (const [id, kind, base, fields] of cases) {
    it(`${id}: program, start, load, come back, and hold the values`, async () => {
      const manifest = load(id);
      const variant = manifest.variants[0]!;
      const delivered = defaultOptionBytes(manifest, variant);
      const factory = new Map(
        Object.entries(manifest.optionBytes.registers).map(([name, { current, translate }]) => [
          current,
          translate?.[0]?.read ?? delivered.words.get(name) ?? 0,
        ]),
      );
      const model = optionModel(kind, base, factory);
      const now = await readOptionBytes(model.link.memory(), manifest, variant);
      expect(now.words).toEqual(delivered.words);
      const wanted = applyFields(manifest, variant, now, fields);
      const { changed } = await writeOptionBytes(model.link, fakeClock(), manifest, variant, wanted);
      expect([...changed].sort()).toEqual(Object.keys(fields).sort());
      expect(model.log.filter((line) => line === "loaded")).toHaveLength(1);
      const after = await readOptionBytes(model.link.memory(), manifest, variant);
      for (const [name, value] of Object.entries(fields)) {
        expect(fieldValue(manifest, variant, after, name)).toBe(value);
      }
    });
  }
});

describe("option-byte order", () => {
  const u5 = load("0x482");
  const h5 = load("0x484");
  const order = (manifest: DeviceManifest, now: Record<string, number>, to: Record<string, number>) => () => {
    const variant = manifest.variants[0]!;
    const before = applyFields(manifest, variant, defaultOptionBytes(manifest, variant), now);
    checkOptionOrder(manifest, variant, before, applyFields(manifest, variant, before, to));
  };

  it("refuses what would lock a part with TrustZone or is no way", () => {
    expect(order(u5, {}, { RDP: 0x55 })).toThrow(/no way|TZEN=1 first/);
    expect(order(u5, {}, { RDP: 0xdc, TZEN: 1 })).toThrow(/TrustZone on first/);
    expect(order(u5, { TZEN: 1 }, { TZEN: 0 })).toThrow(/sfi regress/);
    expect(order(u5, { RDP: 0xcc }, { RDP: 0xaa })).toThrow(/no way/);
  });

  it("lets the right order pass", () => {
    expect(order(u5, {}, { TZEN: 1 })).not.toThrow();
    expect(order(u5, { TZEN: 1 }, { RDP: 0x55 })).not.toThrow();
    expect(order(u5, { TZEN: 1, RDP: 0xdc }, { TZEN: 0, RDP: 0xaa })).not.toThrow();
  });

  it("closes a part with a product state from Provisioning only, and opens none", () => {
    expect(order(h5, {}, { PRODUCT_STATE: 0x72 })).toThrow(/from Provisioning only/);
    expect(order(h5, { PRODUCT_STATE: 0x17 }, { PRODUCT_STATE: 0x72 })).not.toThrow();
    expect(order(h5, { PRODUCT_STATE: 0x17 }, { PRODUCT_STATE: 0xed })).toThrow(/from Open only/);
  });
});
