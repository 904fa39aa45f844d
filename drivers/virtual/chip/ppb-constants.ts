/** CPUID of a Cortex-M7 r1p1. */
export const cpuid = 0x411fc271;

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

/**
 * Read-only words of the private peripheral bus: identification and ROM tables (Armv7-M ARM B3.2, C1.2). A ROM table
 * entry is the signed distance to the component in [31:12] with format and present bits 0b11.
 */
export const ppbConstants: ReadonlyMap<number, number> = new Map([
  [0xe000ed00, cpuid],
  [0xe000ef40, 0x10110221], // MVFR0: double precision
  [0xe000ef44, 0x12000011], // MVFR1
  [0xe0001000, 0x40000000], // DWT_CTRL: four comparators
  [0xe00fe000, 0x00001003], // AP0 ROM table -> processor ROM table
  [0xe00ff000, 0xfff0f003], // -> SCS at 0xE000E000
  [0xe00ff004, 0xfff02003], // -> DWT at 0xE0001000
  [0xe00ff008, 0xfff03003], // -> FPB at 0xE0002000
  ...identification(0xe00fe000, 1, 0x450, "st"),
  ...identification(0xe00ff000, 1, 0x4c7, "arm"),
  ...identification(0xe000e000, 0xe, 0x00c, "arm"),
  ...identification(0xe0001000, 0xe, 0x002, "arm"),
  ...identification(0xe0002000, 0xe, 0x00e, "arm"),
]);
