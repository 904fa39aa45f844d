import type { DebugPort } from "../ports/index.ts";
import { lastAp, memAp } from "./registers.ts";

/** One access port as found. */
export interface AccessPort {
  readonly ap: number;
  readonly idr: number;
  /** What it leads to, e.g. "AHB3 MEM-AP"; "other" for anything that is no MEM-AP. */
  readonly kind: string;
}

/** IDR bits 16:13: access port class; 8 is MEM-AP (Arm IHI 0031 C2.6). */
const memApClass = 8;

/** IDR bits 3:0 of a MEM-AP: the bus behind it (Arm IHI 0074; pyOCD coresight/ap.py). */
const buses: Readonly<Record<number, string>> = {
  1: "AHB3",
  2: "APB2/3",
  4: "AXI3/4",
  5: "AHB5",
  6: "APB4/5",
  7: "AXI5",
  8: "AHB5 with HPROT",
};

/**
 * Reads the identification of every access port an ST-LINK reaches. The whole range, because ports need not be
 * consecutive. Costs one probe command each, so it is for diagnosis, not for every connect.
 */
export async function scanAps(port: DebugPort): Promise<AccessPort[]> {
  const found: AccessPort[] = [];
  for (let ap = 0; ap <= lastAp; ap++) {
    const idr = await port.readAp(ap, memAp.IDR);
    if (idr !== 0) found.push({ ap, idr, kind: describeIdr(idr) });
  }
  return found;
}

/** The bus that an access port's IDR names. */
export function describeIdr(idr: number): string {
  if (((idr >>> 13) & 0xf) !== memApClass) return "other";
  return `${buses[idr & 0xf] ?? "unknown"} MEM-AP`;
}
