import { ByteWriter } from "../../../src/bytes/writer.ts";
import type { TransferEnd } from "./device-model.ts";
import type { ClientMemory } from "./preload-session.ts";
import { answerControl, readSetup } from "./standard-requests.ts";
import {
  type ErrnoName,
  errnos,
  readUrb,
  setupBytes,
  statusOfEnd,
  type UrbRequest,
  urbActualLengthOffset,
  urbBytes,
  urbStatusOffset,
  urbTypes,
} from "./usbfs-abi.ts";
import type { UsbfsDevice } from "./usbfs-device.ts";

const directionIn = 0x80;

/** A transfer of a client. */
interface Urb extends UrbRequest {
  /** Where it is in the client's memory, which is also its name. */
  readonly address: bigint;
  takeBack: () => void;
}

interface EndedUrb {
  readonly urb: Urb;
  /** 0 or a negated error number. */
  readonly status: number;
  /** Bytes that came in. */
  readonly bytes?: Uint8Array | undefined;
  readonly actualBytes: number;
}

/** The transfers of one open device node: under way until they end, then kept until the client fetches them. */
export class UrbQueue {
  readonly #device: UsbfsDevice;
  readonly #underWay = new Map<bigint, Urb>();
  readonly #ended: EndedUrb[] = [];

  constructor(device: UsbfsDevice) {
    this.#device = device;
  }

  /** True when there is something to fetch. */
  get hasEnded(): boolean {
    return this.#ended.length > 0;
  }

  /**
   * Begins the transfer that the URB at `address` describes.
   * @param refusal why an endpoint may not be used
   */
  async submit(
    address: bigint,
    memory: ClientMemory,
    refusal: (endpoint: number) => ErrnoName | undefined,
  ): Promise<ErrnoName | undefined> {
    const urb: Urb = { ...readUrb(await memory.read(address, urbBytes)), address, takeBack: () => {} };
    if (urb.type === urbTypes.control) {
      if (urb.bufferBytes < setupBytes) return "invalid";
      this.#control(urb, await memory.read(urb.buffer, urb.bufferBytes));
      return undefined;
    }
    if (urb.type !== urbTypes.bulk && urb.type !== urbTypes.interrupt) return "invalid";
    const why = refusal(urb.endpoint);
    if (why !== undefined) return why;
    const isOut = (urb.endpoint & directionIn) === 0;
    const data =
      isOut && urb.bufferBytes > 0 ? await memory.read(urb.buffer, urb.bufferBytes) : new Uint8Array(0);
    this.#bulk(urb, isOut ? data : undefined);
    return undefined;
  }

  /** Takes a transfer back; it ends as cancelled. */
  discard(address: bigint): ErrnoName | undefined {
    const urb = this.#underWay.get(address);
    if (urb === undefined) return "invalid";
    urb.takeBack();
    this.#end({ urb, status: -errnos.noEntry, actualBytes: 0 });
    return undefined;
  }

  /** Hands the transfer that ended first to the client: its data, its outcome, and its address at `argument`. */
  reap(argument: bigint, memory: ClientMemory): ErrnoName | undefined {
    const ended = this.#ended.shift();
    // Also when there is nothing: a client that was let through for nothing must find the gate shut.
    this.#device.endedChanged();
    if (ended === undefined) return this.#device.present ? "again" : "noDevice";
    const { urb, status, bytes, actualBytes } = ended;
    if (bytes !== undefined && bytes.length > 0) {
      memory.write(urb.type === urbTypes.control ? urb.buffer + BigInt(setupBytes) : urb.buffer, bytes);
    }
    memory.write(urb.address + BigInt(urbStatusOffset), signedWord(status));
    memory.write(urb.address + BigInt(urbActualLengthOffset), signedWord(actualBytes));
    memory.write(argument, new ByteWriter(8).u64(urb.address).finish());
    return undefined;
  }

  /** Ends everything under way. */
  endAll(why: ErrnoName): void {
    for (const urb of [...this.#underWay.values()]) {
      urb.takeBack();
      this.#end({ urb, status: -errnos[why], actualBytes: 0 });
    }
  }

  /** Forgets everything: the client is gone. */
  clear(): void {
    for (const urb of this.#underWay.values()) urb.takeBack();
    this.#underWay.clear();
    this.#ended.length = 0;
  }

  #control(urb: Urb, buffer: Uint8Array): void {
    const setup = readSetup(buffer);
    const answer = answerControl(this.#device.model, setup, buffer.subarray(setupBytes));
    if (answer === undefined) {
      this.#end({ urb, status: statusOfEnd.stall, actualBytes: 0 });
      return;
    }
    const isIn = (setup.requestType & directionIn) !== 0;
    const bytes = isIn ? answer.subarray(0, setup.length) : undefined;
    this.#end({ urb, status: 0, bytes, actualBytes: bytes?.length ?? setup.length });
  }

  /** @param data undefined for a transfer from the device */
  #bulk(urb: Urb, data: Uint8Array | undefined): void {
    const { endpoint, bufferBytes } = urb;
    const { model } = this.#device;
    this.#underWay.set(urb.address, urb);
    const end = (how: TransferEnd) => this.#finish(urb, how);
    if (this.#device.isHalted(endpoint)) {
      end({ kind: "stall" });
      return;
    }
    urb.takeBack =
      data === undefined ? model.bulkIn(endpoint, bufferBytes, end) : model.bulkOut(endpoint, data, end);
  }

  #finish(urb: Urb, how: TransferEnd): void {
    if (how.kind === "gone") {
      this.#device.leave();
      return;
    }
    if (how.kind === "stall") this.#device.setHalted(urb.endpoint, true);
    const bytes = how.kind === "done" ? how.bytes : undefined;
    const sentBytes = how.kind === "done" && bytes === undefined ? urb.bufferBytes : 0;
    this.#end({ urb, status: statusOfEnd[how.kind], bytes, actualBytes: bytes?.length ?? sentBytes });
  }

  #end(ended: EndedUrb): void {
    this.#underWay.delete(ended.urb.address);
    this.#ended.push(ended);
    this.#device.endedChanged();
  }
}

function signedWord(value: number): Uint8Array {
  return new ByteWriter(4).u32(value >>> 0).finish();
}
