import { descriptorTypes, interfaceMap } from "./descriptors.ts";
import type { ClaimRefusal, SetupPacket, TransferEnd, UsbDeviceModel } from "./device-model.ts";
import { answerControl, readSetup } from "./standard-requests.ts";
import { errnos, statusOfEnd } from "./usbfs-abi.ts";
import type { SubmitCommand, Submitted } from "./usbip-protocol.ts";

const directionIn = 0x80;

/** Requests by which the host's kernel changes what a bus remembers of a device (USB 2.0, table 9-4). */
const standardRequests = {
  clearEndpointFeature: { requestType: 0x02, request: 1 },
  setConfiguration: { requestType: 0x00, request: 9 },
  setInterface: { requestType: 0x01, request: 11 },
  getDescriptor: { requestType: 0x80, request: 6 },
} as const;
const endpointHalt = 0;

/**
 * Linux asks for a device descriptor of this length right after it has reset a port, and never else
 * (drivers/usb/core/hub.c, GET_DESCRIPTOR_BUFSIZE). USB/IP does not pass the reset itself on.
 */
const lengthAfterReset = 64;

/** What a device tells the connection it is attached over. */
export interface UsbIpAttachmentEvents {
  /** A transfer has ended. */
  ended(sequence: number, how: Submitted): void;
  /** The device has left the bus. */
  left(): void;
}

/**
 * A device attached to a host over USB/IP, which stands for the host's side of the bus as well: the other kernel keeps
 * the interfaces, so the device is claimed as a whole for as long as it is attached.
 */
export class UsbIpAttachment {
  readonly #model: UsbDeviceModel;
  readonly #events: UsbIpAttachmentEvents;
  readonly #interfaces: readonly number[];
  /** How to take back each transfer under way. */
  readonly #underWay = new Map<number, () => void>();
  readonly #haltedEndpoints = new Set<number>();

  private constructor(model: UsbDeviceModel, events: UsbIpAttachmentEvents) {
    this.#model = model;
    this.#events = events;
    this.#interfaces = [...interfaceMap(model.configurationDescriptor).interfaces];
  }

  /** Attaches a device. @returns why it cannot be had, if so */
  static async attach(
    model: UsbDeviceModel,
    events: UsbIpAttachmentEvents,
  ): Promise<UsbIpAttachment | ClaimRefusal> {
    const attachment = new UsbIpAttachment(model, events);
    return (await attachment.#claimAll()) ?? attachment;
  }

  /** Begins a transfer. It answers when a request on endpoint 0 has been carried out; other transfers end later. */
  async submit(command: SubmitCommand, data: Uint8Array): Promise<void> {
    if (command.endpoint === 0) await this.#control(command, data);
    else this.#bulk(command, data);
  }

  /** Takes a transfer back. @returns true when it was still under way; it does not end then */
  unlink(sequence: number): boolean {
    this.#underWay.get(sequence)?.();
    return this.#underWay.delete(sequence);
  }

  /** The host has let go of the device. */
  async detach(): Promise<void> {
    this.#takeBackAll();
    await this.#releaseAll();
  }

  async #control(
    { sequence, isIn, setup: bytes, bufferBytes }: SubmitCommand,
    data: Uint8Array,
  ): Promise<void> {
    const setup = readSetup(bytes);
    if (isAfterReset(setup) && !(await this.#reset())) {
      this.#events.left();
      return;
    }
    const answer = this.#housekeeping(setup) ? new Uint8Array(0) : answerControl(this.#model, setup, data);
    if (answer === undefined) {
      this.#events.ended(sequence, { status: statusOfEnd.stall, actualBytes: 0 });
      return;
    }
    const incoming = isIn ? answer.subarray(0, Math.min(setup.length, bufferBytes)) : undefined;
    const actualBytes = incoming?.length ?? data.length;
    this.#events.ended(sequence, { status: 0, bytes: incoming, actualBytes });
  }

  /** Carries out what concerns the bus rather than the device. @returns whether the request was such */
  #housekeeping(setup: SetupPacket): boolean {
    const { clearEndpointFeature, setConfiguration, setInterface } = standardRequests;
    if (isRequest(setup, clearEndpointFeature) && setup.value === endpointHalt) {
      this.#haltedEndpoints.delete(setup.index);
      return true;
    }
    if (isRequest(setup, setConfiguration) && setup.value <= 1) {
      this.#haltedEndpoints.clear();
      return true;
    }
    // Setting 0 is the only one an interface has.
    return isRequest(setup, setInterface) && setup.value === 0;
  }

  #bulk({ sequence, isIn, endpoint, bufferBytes }: SubmitCommand, data: Uint8Array): void {
    const address = isIn ? endpoint | directionIn : endpoint;
    const end = (how: TransferEnd) => this.#finish(sequence, address, how, data.length);
    if (this.#haltedEndpoints.has(address)) {
      end({ kind: "stall" });
      return;
    }
    // Known before it is begun, since it may end at once.
    let takeBack = () => {};
    this.#underWay.set(sequence, () => takeBack());
    takeBack = isIn ? this.#model.bulkIn(address, bufferBytes, end) : this.#model.bulkOut(address, data, end);
  }

  #finish(sequence: number, address: number, how: TransferEnd, sentBytes: number): void {
    this.#underWay.delete(sequence);
    if (how.kind === "gone") {
      this.#events.left();
      return;
    }
    if (how.kind === "stall") this.#haltedEndpoints.add(address);
    const bytes = how.kind === "done" ? how.bytes : undefined;
    const actualBytes = how.kind === "done" ? (bytes?.length ?? sentBytes) : 0;
    this.#events.ended(sequence, { status: statusOfEnd[how.kind], bytes, actualBytes });
  }

  /** USB reset. @returns false when the device cannot be had any more */
  async #reset(): Promise<boolean> {
    this.#takeBackAll();
    this.#haltedEndpoints.clear();
    await this.#releaseAll();
    return (await this.#model.reset()) === undefined && (await this.#claimAll()) === undefined;
  }

  async #claimAll(): Promise<ClaimRefusal | undefined> {
    for (const number of this.#interfaces) {
      const refusal = await this.#model.claim(number);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  async #releaseAll(): Promise<void> {
    for (const number of this.#interfaces) await this.#model.release(number);
  }

  #takeBackAll(): void {
    for (const takeBack of this.#underWay.values()) takeBack();
    this.#underWay.clear();
  }
}

/** Status of a transfer that was taken back. */
export const unlinkedStatus = -errnos.connectionReset;

function isRequest(
  setup: SetupPacket,
  { requestType, request }: Pick<SetupPacket, "requestType" | "request">,
) {
  return setup.requestType === requestType && setup.request === request;
}

function isAfterReset(setup: SetupPacket): boolean {
  return (
    isRequest(setup, standardRequests.getDescriptor) &&
    setup.value === descriptorTypes.device << 8 &&
    setup.length === lengthAfterReset
  );
}
