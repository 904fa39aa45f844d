import type { ProbeAttachment } from "../../../../src/ports/index.ts";

/** An attached virtual probe with product id `productId`. */
export function attachment(productId: number): ProbeAttachment {
  return {
    kind: "virtual",
    selector: "virtual:test",
    vendorId: 0x0483,
    productId,
    serial: "57FF72067265575742132067",
  };
}
