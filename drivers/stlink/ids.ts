/** USB vendor id of STMicroelectronics. */
export const stVendorId = 0x0483;

/** Which protocol dialect a probe speaks. V2 and V2-1 differ in USB layout and version letters only. */
export type StlinkGeneration = "v1" | "v2" | "v2-1" | "v3";

/** One USB product id of ST's debug probes. */
export interface StlinkProduct {
  readonly productId: number;
  /** probe: can debug. loader: waits for new probe firmware. v1: mass-storage framing, no usable SWD. */
  readonly role: "probe" | "loader" | "v1";
  /** undefined for a product id that is not known: the firmware version tells. */
  readonly generation: StlinkGeneration | undefined;
  readonly name: string;
}

/**
 * Product ids under 0483, as OpenOCD (stlink_usb.c), pyOCD, probe-rs and stlink-org list them.
 * 3755 is a loader in OpenOCD's table and a probe in pyOCD's; the loader reading is the later one.
 */
export const stlinkProducts: readonly StlinkProduct[] = [
  { productId: 0x3744, role: "v1", generation: "v1", name: "ST-LINK/V1" },
  { productId: 0x3748, role: "probe", generation: "v2", name: "ST-LINK/V2" },
  { productId: 0x3742, role: "probe", generation: "v2-1", name: "ST-LINK/V2-1" },
  { productId: 0x374a, role: "probe", generation: "v2-1", name: "ST-LINK/V2-1" },
  { productId: 0x374b, role: "probe", generation: "v2-1", name: "ST-LINK/V2-1" },
  { productId: 0x3752, role: "probe", generation: "v2-1", name: "ST-LINK/V2-1" },
  { productId: 0x374d, role: "loader", generation: "v3", name: "STLINK-V3 loader" },
  { productId: 0x374e, role: "probe", generation: "v3", name: "STLINK-V3E" },
  { productId: 0x374f, role: "probe", generation: "v3", name: "STLINK-V3" },
  { productId: 0x3753, role: "probe", generation: "v3", name: "STLINK-V3" },
  { productId: 0x3754, role: "probe", generation: "v3", name: "STLINK-V3" },
  { productId: 0x3755, role: "loader", generation: "v3", name: "STLINK-V3PWR loader" },
  { productId: 0x3757, role: "probe", generation: "v3", name: "STLINK-V3PWR" },
];

/**
 * The product behind a vendor and product id. Ids 37xx that are not in the table are taken for newer probes.
 * @returns undefined when it is no ST-LINK at all.
 */
export function stlinkProduct(vendorId: number, productId: number): StlinkProduct | undefined {
  if (vendorId !== stVendorId) return undefined;
  const known = stlinkProducts.find((product) => product.productId === productId);
  if (known !== undefined || productId >> 8 !== 0x37) return known;
  const name = `ST-LINK (${productId.toString(16).padStart(4, "0").toUpperCase()})`;
  return { productId, role: "probe", generation: undefined, name };
}

/** What is needed of an endpoint descriptor. */
export interface EndpointFacts {
  readonly bEndpointAddress: number;
  readonly bmAttributes: number;
}

/** Addresses of the two endpoints that commands go through. */
export interface DebugEndpoints {
  readonly outAddress: number;
  readonly inAddress: number;
}

const transferTypeMask = 0x03;
const transferTypeBulk = 0x02;
const directionIn = 0x80;

/**
 * The debug endpoints among those of interface 0. The product id does not decide: V2 has OUT 02, later ones OUT 01,
 * clones what they like. IN is 81 on all of them and comes before the trace endpoint 82 or 83.
 * @returns undefined when the interface has no bulk pair, which no debug interface lacks.
 */
export function debugEndpoints(endpoints: readonly EndpointFacts[]): DebugEndpoints | undefined {
  const bulk = endpoints
    .filter((endpoint) => (endpoint.bmAttributes & transferTypeMask) === transferTypeBulk)
    .map((endpoint) => endpoint.bEndpointAddress)
    .sort((a, b) => a - b);
  const outAddress = bulk.find((address) => (address & directionIn) === 0);
  const inAddress = bulk.find((address) => (address & directionIn) !== 0);
  return outAddress === undefined || inAddress === undefined ? undefined : { outAddress, inAddress };
}
