/** How a transfer ended, in the device's own terms. Bytes of a control or IN transfer may be fewer than asked for. */
export type TransferEnd =
  | { readonly kind: "done"; readonly bytes?: Uint8Array }
  /** The endpoint is halted until the host clears it. */
  | { readonly kind: "stall" }
  /** The device sent more than was asked for. */
  | { readonly kind: "overflow" }
  /** Bit errors, no answer on the bus. */
  | { readonly kind: "protocol-error" }
  /** The device has left the bus. */
  | { readonly kind: "gone" };

/** The eight bytes in front of a control transfer (USB 2.0, table 9-2). */
export interface SetupPacket {
  readonly requestType: number;
  readonly request: number;
  readonly value: number;
  readonly index: number;
  readonly length: number;
}

/** Why a program may not have an interface. */
export type ClaimRefusal = "busy" | "permission" | "gone";

/**
 * One USB device as a bus sees it. A transfer that the device does not answer yet stays under way (NAK) until its
 * `end` is called, once; the function a transfer gives back takes it away instead, and `end` is not called any more.
 * A stalled endpoint is the bus's business: it asks the device nothing more until the host has cleared it.
 */
export interface UsbDeviceModel {
  readonly speed: "full" | "high";
  /** 18 bytes (USB 2.0, table 9-8). */
  readonly deviceDescriptor: Uint8Array;
  /** Configuration descriptor with everything in it (USB 2.0, 9.6.3 ff.); it is the only one, with value 1. */
  readonly configurationDescriptor: Uint8Array;
  /** Strings by index, one UTF-16 unit a character. */
  readonly strings: ReadonlyMap<number, string>;
  /** Name of the driver the operating system binds, by interface number. */
  readonly kernelDrivers: ReadonlyMap<number, string>;
  /** A program takes an interface; undefined: it may. */
  claim(interfaceNumber: number): Promise<ClaimRefusal | undefined>;
  /** It lets go of it, or ends. */
  release(interfaceNumber: number): Promise<void>;
  bulkOut(endpoint: number, data: Uint8Array, end: (end: TransferEnd) => void): () => void;
  bulkIn(endpoint: number, sizeBytes: number, end: (end: TransferEnd) => void): () => void;
  /** Class and vendor requests; undefined is a stall. Standard requests never come here. */
  control(setup: SetupPacket, data: Uint8Array): Uint8Array | undefined;
  /** USB reset; no interface is claimed then. Why it cannot be had afterwards, if so. */
  reset(): Promise<ClaimRefusal | undefined>;
}
