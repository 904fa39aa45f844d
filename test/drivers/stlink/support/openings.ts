/** Opening of an STLINK-V3S, V3J15M6B5S1, found idle. */
export const openV3 = `
  > F5
  < 01 00
  > F1 80
  < 30 00 83 04 4F 37
  > FB 80
  < 03 01 0F 06 05 00 00 00 83 04 4F 37
`;

/** Opening of an ST-LINK/V2, V2J45S7, found idle. (word 0010 101101 000111 = 2B47) */
export const openV2 = `
  > F5
  < 01 00
  > F1 80
  < 2B 47 83 04 48 37
`;

/** SWD entered, DPIDR 0BE12477. */
export const enter = `
  > F2 30 A3
  < 80 00
  > F5
  < 02 00
  > F2 31
  < 80 00 00 00 77 24 E1 0B 00 00 00 00
`;

/** Debug mode left for good. */
export const leave = `
  > F2 21
`;
