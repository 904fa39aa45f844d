import type { CoreModel } from "./debug-model.ts";

/** CoreSight identification of one 4 KiB block: component class in CIDR1, part and designer in the PIDRs. */
function identification(
  base: number,
  componentClass: number,
  part: number,
  designer: "arm" | "st",
): [number, number][] {
  const pidr =
    designer === "arm"
      ? [part & 0xff, 0xb0 | (part >>> 8), 0x0b, 0x00, 0x04]
      : [part & 0xff, part >>> 8, 0x0a, 0x00, 0x00]; // ST: JEP106 bank 0, code 0x20
  return [
    [base + 0xfe0, pidr[0] ?? 0],
    [base + 0xfe4, pidr[1] ?? 0],
    [base + 0xfe8, pidr[2] ?? 0],
    [base + 0xfec, pidr[3] ?? 0],
    [base + 0xfd0, pidr[4] ?? 0],
    [base + 0xff0, 0x0d],
    [base + 0xff4, componentClass << 4],
    [base + 0xff8, 0x05],
    [base + 0xffc, 0xb1],
  ];
}

/** Offsets from a ROM table to SCS, DWT and FPB: signed distance in [31:12], format and present bits 0b11. */
function processorTable(table: number): [number, number][] {
  return [0xe000e000, 0xe0001000, 0xe0002000].map((component, i) => [
    table + 4 * i,
    ((component - table) | 3) >>> 0,
  ]);
}

const components: readonly [number, number][] = [
  ...identification(0xe000e000, 0xe, 0x00c, "arm"),
  ...identification(0xe0001000, 0xe, 0x002, "arm"),
  ...identification(0xe0002000, 0xe, 0x00e, "arm"),
];

/**
 * Read-only words of the private peripheral bus: identification and ROM tables (Armv7-M ARM B3.2, C1.2).
 * A Cortex-M7 r1p1; ROM table of the part at 0xE00FE000, that of the processor behind it.
 */
export function cortexM7(deviceId: number): CoreModel {
  const cpuid = 0x411fc271;
  return {
    cpuid,
    trustZone: false,
    fpCtrl: 0x10000080, // FPBv2, eight comparators
    constants: new Map([
      [0xe000ed00, cpuid],
      [0xe000ef40, 0x10110221], // MVFR0: double precision
      [0xe000ef44, 0x12000011], // MVFR1
      [0xe0001000, 0x40000000], // DWT_CTRL: four comparators
      [0xe00fe000, 0x00001003], // AP0 ROM table -> processor ROM table
      ...processorTable(0xe00ff000),
      ...identification(0xe00fe000, 1, deviceId, "st"),
      ...identification(0xe00ff000, 1, 0x4c7, "arm"),
      ...components,
    ]),
  };
}

/** A Cortex-M4 r0p1 with the part's ROM table at 0xE00FF000. */
export function cortexM4(deviceId: number): CoreModel {
  const cpuid = 0x410fc241;
  return {
    cpuid,
    trustZone: false,
    fpCtrl: 0x00000260, // FPBv1, six instruction and two literal comparators
    constants: new Map([
      [0xe000ed00, cpuid],
      [0xe000ef40, 0x10110021], // MVFR0: single precision
      [0xe000ef44, 0x11000011],
      [0xe0001000, 0x40000000],
      ...processorTable(0xe00ff000),
      ...identification(0xe00ff000, 1, deviceId, "st"),
      ...components,
    ]),
  };
}

/** A Cortex-M33 r0p4 with the part's ROM table at 0xE00FE000 (Armv8-M ARM D1.2, D1.1.1). */
export function cortexM33(deviceId: number, trustZone: boolean): CoreModel {
  const cpuid = 0x410fd214;
  return {
    cpuid,
    trustZone,
    fpCtrl: 0x10000080,
    constants: new Map([
      [0xe000ed00, cpuid],
      [0xe000ed40, 0x00000030], // ID_PFR0
      [0xe000ed44, trustZone ? 0x00000210 : 0x00000200], // ID_PFR1: Security Extension in [7:4]
      [0xe000ef40, 0x10110021],
      [0xe000ef44, 0x11000011],
      [0xe0001000, 0x40000000],
      [0xe000efbc, 0x47702a04], // DEVARCH of the SCS: Armv8-M
      [0xe00fe000, 0x00001003],
      ...processorTable(0xe00ff000),
      ...identification(0xe00fe000, 1, deviceId, "st"),
      ...identification(0xe00ff000, 1, 0x4c9, "arm"),
      ...components,
    ]),
  };
}
