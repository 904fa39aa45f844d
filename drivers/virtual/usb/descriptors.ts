import { concatBytes } from "../../../src/bytes/bytes.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";

/** Descriptor types (USB 2.0, table 9-5). */
export const descriptorTypes = {
  device: 1,
  configuration: 2,
  string: 3,
  interface: 4,
  endpoint: 5,
  interfaceAssociation: 11,
} as const;

/** Class, subclass and protocol. */
export type ClassCode = readonly [classCode: number, subclass: number, protocol: number];

export interface DeviceFacts {
  readonly classCode: ClassCode;
  readonly vendorId: number;
  readonly productId: number;
  /** Device release, binary-coded decimal. */
  readonly release: number;
  /** Indexes of the strings for manufacturer, product and serial number; 0: none. */
  readonly strings: readonly [manufacturer: number, product: number, serial: number];
}

export interface EndpointFacts {
  /** Number, with bit 7 set for IN. */
  readonly address: number;
  readonly type: "bulk" | "interrupt";
  readonly packetBytes: number;
}

export interface InterfaceFacts {
  readonly number: number;
  readonly classCode: ClassCode;
  /** Index of its name; 0: none. */
  readonly string: number;
  /** Class-specific descriptors that stand in front of the endpoints. */
  readonly classDescriptors?: Uint8Array;
  readonly endpoints: readonly EndpointFacts[];
  /** With how many interfaces from this one on it makes one function (USB ECN "Interface Association"). */
  readonly associatedInterfaces?: number;
}

/** Device descriptor, 18 bytes, USB 2.00, 64-byte endpoint 0, one configuration. */
export function deviceDescriptor({
  classCode,
  vendorId,
  productId,
  release,
  strings,
}: DeviceFacts): Uint8Array {
  const writer = new ByteWriter(18).u8(18).u8(descriptorTypes.device).u16(0x0200);
  for (const byte of classCode) writer.u8(byte);
  writer.u8(64).u16(vendorId).u16(productId).u16(release);
  for (const index of strings) writer.u8(index);
  return writer.u8(1).finish();
}

/** Configuration 1 with its interfaces; bus powered. */
export function configurationDescriptor(
  interfaces: readonly InterfaceFacts[],
  milliamperes: number,
): Uint8Array {
  const body = concatBytes(...interfaces.map(interfaceDescriptors));
  const head = new ByteWriter(9)
    .u8(9)
    .u8(descriptorTypes.configuration)
    .u16(9 + body.length)
    .u8(interfaces.length)
    .u8(1)
    .u8(0)
    .u8(0x80)
    .u8(milliamperes / 2);
  return concatBytes(head.finish(), body);
}

function interfaceDescriptors(facts: InterfaceFacts): Uint8Array {
  const { number, classCode, string, endpoints, classDescriptors, associatedInterfaces } = facts;
  const head = new ByteWriter(9).u8(9).u8(descriptorTypes.interface).u8(number).u8(0).u8(endpoints.length);
  for (const byte of classCode) head.u8(byte);
  return concatBytes(
    associatedInterfaces === undefined ? new Uint8Array(0) : association(facts, associatedInterfaces),
    head.u8(string).finish(),
    classDescriptors ?? new Uint8Array(0),
    ...endpoints.map(endpointDescriptor),
  );
}

/** Interface association, 8 bytes: first interface @2, count @3, class @4..6, string @7. */
function association({ number, classCode, string }: InterfaceFacts, count: number): Uint8Array {
  const writer = new ByteWriter(8).u8(8).u8(descriptorTypes.interfaceAssociation).u8(number).u8(count);
  for (const byte of classCode) writer.u8(byte);
  return writer.u8(string).finish();
}

/** Endpoint, 7 bytes: address @2, attributes @3, packet size u16 @4, interval @6. */
function endpointDescriptor({ address, type, packetBytes }: EndpointFacts): Uint8Array {
  const [attributes, interval] = type === "bulk" ? [2, 0] : [3, 16];
  return new ByteWriter(7)
    .u8(7)
    .u8(descriptorTypes.endpoint)
    .u8(address)
    .u8(attributes)
    .u16(packetBytes)
    .u8(interval)
    .finish();
}

/** String descriptor of a text, or of the one language (US English) for index 0's undefined. */
export function stringDescriptor(text: string | undefined): Uint8Array {
  const units =
    text === undefined ? [0x0409] : Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  const writer = new ByteWriter(2 + 2 * units.length).u8(2 + 2 * units.length).u8(descriptorTypes.string);
  for (const unit of units) writer.u16(unit);
  return writer.finish();
}

/** Which interfaces a configuration has and which of them each endpoint belongs to. */
export interface InterfaceMap {
  readonly interfaces: ReadonlySet<number>;
  readonly interfaceOfEndpoint: ReadonlyMap<number, number>;
}

/** Walks a configuration descriptor. */
export function interfaceMap(configuration: Uint8Array): InterfaceMap {
  const interfaces = new Set<number>();
  const interfaceOfEndpoint = new Map<number, number>();
  let current = 0;
  for (const reader = new ByteReader(configuration); reader.remainingBytes > 0; ) {
    const sizeBytes = reader.u8();
    const descriptor = new ByteReader(reader.bytes(sizeBytes - 1));
    const type = descriptor.u8();
    if (type === descriptorTypes.interface) {
      current = descriptor.u8();
      interfaces.add(current);
    } else if (type === descriptorTypes.endpoint) interfaceOfEndpoint.set(descriptor.u8(), current);
  }
  return { interfaces, interfaceOfEndpoint };
}

/** What of a device descriptor other descriptions repeat. */
export function readDeviceDescriptor(bytes: Uint8Array) {
  const reader = new ByteReader(bytes);
  reader.skip(4);
  return {
    classCode: [reader.u8(), reader.u8(), reader.u8()] as const,
    packetBytes0: reader.u8(),
    vendorId: reader.u16(),
    productId: reader.u16(),
    release: reader.u16(),
    manufacturer: reader.u8(),
    product: reader.u8(),
    serial: reader.u8(),
  };
}
