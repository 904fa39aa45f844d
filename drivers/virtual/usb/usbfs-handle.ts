import { fromWords, toWords } from "../../../src/bytes/bytes.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import {
  notHandled,
  type PreloadRequest,
  preloadRequests,
  type SystemCallResult,
} from "./preload-protocol.ts";
import type { ClientMemory } from "./preload-session.ts";
import { UrbQueue } from "./urb-queue.ts";
import {
  capabilities,
  disconnectClaimBytes,
  driverReply,
  type ErrnoName,
  errnos,
  interfaceIoctlBytes,
  interfaceRequests,
  readDisconnectClaim,
  speedNumbers,
  usbfsRequests,
} from "./usbfs-abi.ts";
import type { UsbfsDevice } from "./usbfs-device.ts";

/** What Linux usbfs still does for a device that is gone. */
const worksWithoutDevice: readonly number[] = [
  usbfsRequests.reapUrbNoDelay,
  usbfsRequests.discardUrb,
  usbfsRequests.releaseInterface,
];

/** One open device node of one client. */
export class UsbfsHandle {
  readonly #device: UsbfsDevice;
  readonly #urbs: UrbQueue;
  #descriptorOffset = 0;

  constructor(device: UsbfsDevice) {
    this.#device = device;
    this.#urbs = new UrbQueue(device);
  }

  /** True when transfers have ended that the client has not fetched. */
  get hasEnded(): boolean {
    return this.#urbs.hasEnded;
  }

  /** Answers one system call on the node. Each answers at once; what takes time is in the transfers. */
  async serve(
    { command, argument1, argument2 }: PreloadRequest,
    memory: ClientMemory,
  ): Promise<SystemCallResult> {
    switch (command) {
      case preloadRequests.read:
        return success(this.#read(argument1, Number(argument2), memory));
      case preloadRequests.write:
        return outcome("invalid");
      case preloadRequests.ioctl: {
        const request = Number(BigInt.asUintN(32, argument1));
        const works = this.#device.present || worksWithoutDevice.includes(request);
        return works ? this.#ioctl(request, argument2, memory) : outcome("noDevice");
      }
      default:
        return success(notHandled);
    }
  }

  /** Ends every transfer under way: the device is gone (shutdown) or was reset (noEntry). */
  endAll(why: "shutdown" | "noEntry"): void {
    this.#urbs.endAll(why);
  }

  /** The client has closed the node, or ended. */
  async close(): Promise<void> {
    this.#urbs.clear();
    await this.#device.closed(this);
  }

  async #ioctl(request: number, argument: bigint, memory: ClientMemory): Promise<SystemCallResult> {
    const device = this.#device;
    const word = async () => toWords(await memory.read(argument, 4))[0] ?? 0;
    switch (request) {
      case usbfsRequests.submitUrb:
        return outcome(await this.#urbs.submit(argument, memory, (endpoint) => this.#refusal(endpoint)));
      case usbfsRequests.reapUrbNoDelay:
        return outcome(this.#urbs.reap(argument, memory));
      case usbfsRequests.discardUrb:
        return outcome(this.#urbs.discard(argument));
      case usbfsRequests.getCapabilities:
        memory.write(argument, fromWords([capabilities]));
        return success(0);
      case usbfsRequests.getSpeed:
        return success(speedNumbers[device.model.speed]);
      case usbfsRequests.claimInterface:
        return outcome(await device.claim(this, await word(), () => false));
      case usbfsRequests.disconnectClaim: {
        const claim = readDisconnectClaim(await memory.read(argument, disconnectClaimBytes));
        return outcome(await device.claim(this, claim.interfaceNumber, claim.mayUnbind));
      }
      case usbfsRequests.releaseInterface:
        return outcome(await device.release(this, await word()));
      case usbfsRequests.setConfiguration: {
        const value = await word();
        if (device.inUse) return outcome("busy");
        return outcome(value === 1 ? undefined : "invalid");
      }
      case usbfsRequests.setInterface: {
        const [interfaceNumber = 0, alternate = 0] = toWords(await memory.read(argument, 8));
        return outcome(device.holds(this, interfaceNumber) && alternate === 0 ? undefined : "invalid");
      }
      case usbfsRequests.clearHalt:
      case usbfsRequests.resetEndpoint:
        return outcome(this.#clear(await word()));
      case usbfsRequests.reset:
        return outcome(await device.reset());
      case usbfsRequests.getDriver: {
        const interfaceNumber = await word();
        const driver = device.driver(interfaceNumber);
        if (driver === undefined) return outcome("noData");
        memory.write(argument, driverReply(interfaceNumber, driver));
        return success(0);
      }
      case usbfsRequests.interfaceIoctl:
        return this.#interfaceIoctl(await memory.read(argument, interfaceIoctlBytes));
      default:
        return outcome("notTty");
    }
  }

  /** Reading the node gives the descriptors, piece by piece. */
  #read(address: bigint, sizeBytes: number, memory: ClientMemory): number {
    const { descriptors } = this.#device;
    const bytes = descriptors.subarray(this.#descriptorOffset, this.#descriptorOffset + sizeBytes);
    this.#descriptorOffset += bytes.length;
    if (bytes.length > 0) memory.write(address, bytes);
    return bytes.length;
  }

  /** Why this client may not use an endpoint. */
  #refusal(endpoint: number): ErrnoName | undefined {
    const owner = this.#device.layout.interfaceOfEndpoint.get(endpoint);
    if (owner === undefined) return "noEntry";
    // Linux would claim the interface now and write a warning; here the client's omission shows.
    return this.#device.holds(this, owner) ? undefined : "invalid";
  }

  #clear(endpoint: number): ErrnoName | undefined {
    const refusal = this.#refusal(endpoint);
    if (refusal === undefined) this.#device.setHalted(endpoint, false);
    return refusal;
  }

  /** Kernel driver off or on. */
  #interfaceIoctl(bytes: Uint8Array): SystemCallResult {
    const reader = new ByteReader(bytes);
    const interfaceNumber = reader.u32();
    switch (reader.u32()) {
      case interfaceRequests.disconnect:
        return outcome(this.#device.unbindDriver(interfaceNumber));
      case interfaceRequests.connect: {
        const bound = this.#device.bindDriver(interfaceNumber);
        return typeof bound === "boolean" ? success(bound ? 1 : 0) : outcome(bound);
      }
      default:
        return outcome("notTty");
    }
  }
}

function success(result: number): SystemCallResult {
  return { result, errno: 0 };
}

/** 0, or -1 and why. */
function outcome(refusal: ErrnoName | undefined): SystemCallResult {
  return refusal === undefined ? success(0) : { result: -1, errno: errnos[refusal] };
}
