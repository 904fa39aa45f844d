import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { StationError } from "../../../src/errors/station-error.ts";
import type { UsbDeviceModel } from "./device-model.ts";
import { ClientGone, IncomingBytes } from "./incoming-bytes.ts";
import { UsbIpAttachment, unlinkedStatus } from "./usbip-attachment.ts";
import {
  busIdBytes,
  commandBytes,
  deviceListReply,
  importRefusal,
  importReply,
  type OperationStatus,
  operationBytes,
  operationStatus,
  operations,
  readBusId,
  readCommand,
  readOperation,
  submitReply,
  type UsbIpPlace,
  unlinkReply,
} from "./usbip-protocol.ts";

/** Only programs on this machine reach the server: USB/IP knows no passwords. */
const host = "127.0.0.1";
const busNumber = 1;
/** More than Linux lets a program have in one transfer (usbfs_memory_mb); a bigger one is no transfer. */
const longestTransferBytes = 1 << 24;

const statusOfRefusal = {
  busy: operationStatus.deviceBusy,
  permission: operationStatus.notAvailable,
  gone: operationStatus.noDevice,
} as const;

interface Exported {
  readonly place: UsbIpPlace;
  readonly model: UsbDeviceModel;
  attached: boolean;
}

/** Offers devices to the USB/IP client of a kernel on this machine (Linux: the module vhci-hcd and the program usbip). */
export class UsbIpServer {
  readonly #server: Server;
  readonly #devices: readonly Exported[];
  readonly #connections = new Map<Socket, Promise<void>>();

  private constructor(models: readonly UsbDeviceModel[], onFailure: (thrown: unknown) => void) {
    this.#devices = models.map((model, index) => ({
      place: { busId: busIdOf(index), busNumber, deviceNumber: index + 2 },
      model,
      attached: false,
    }));
    this.#server = createServer({ noDelay: true }, (socket) => {
      const served = this.#serve(socket)
        .catch(onFailure)
        .finally(() => this.#connections.delete(socket));
      this.#connections.set(socket, served);
    });
  }

  /**
   * Starts offering devices; the first has the bus id 1-1, the second 1-2, and so on.
   * @param port TCP port; 0 for one that is free
   * @param onFailure told when serving a client failed, which is a mistake in a device model or in here
   * @throws USAGE_INVALID when the port cannot be had
   */
  static async open(
    models: readonly UsbDeviceModel[],
    port: number,
    onFailure: (thrown: unknown) => void,
  ): Promise<UsbIpServer> {
    const server = new UsbIpServer(models, onFailure);
    await server.#listen(port);
    return server;
  }

  /** TCP port on the loopback interface. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bus ids of the devices, in the order they were given. */
  get busIds(): string[] {
    return this.#devices.map(({ place }) => place.busId);
  }

  /** Ends the service; for hosts it is as if the devices were unplugged. */
  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#connections.keys()) socket.destroy();
    await Promise.all(this.#connections.values());
    await ended;
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) =>
        reject(StationError.of("USAGE_INVALID", { detail: `port ${port} cannot be had (${error.code})` })),
      );
      this.#server.listen(port, host, resolve);
    });
  }

  async #serve(socket: Socket): Promise<void> {
    const incoming = new IncomingBytes(socket);
    try {
      const operation = readOperation(await incoming.take(operationBytes));
      if (operation === operations.deviceList) {
        await finish(
          socket,
          deviceListReply(this.#devices.map(({ place, model }) => [place, model] as const)),
        );
      } else if (operation === operations.import) {
        const busId = readBusId(await incoming.take(busIdBytes));
        await this.#import(busId, socket, incoming);
      }
    } catch (thrown) {
      if (!(thrown instanceof ClientGone)) throw thrown;
    } finally {
      socket.destroy();
    }
  }

  async #import(busId: string, socket: Socket, incoming: IncomingBytes): Promise<void> {
    const exported = this.#devices.find(({ place }) => place.busId === busId);
    if (exported === undefined) return finish(socket, importRefusal(operationStatus.noDevice));
    if (exported.attached) return finish(socket, importRefusal(operationStatus.deviceBusy));
    const { place, model } = exported;
    exported.attached = true;
    try {
      const attachment = await UsbIpAttachment.attach(model, {
        ended: (sequence, how) => socket.write(submitReply(sequence, how)),
        left: () => socket.destroy(),
      });
      if (typeof attachment === "string") {
        const status: OperationStatus = statusOfRefusal[attachment];
        return await finish(socket, importRefusal(status));
      }
      try {
        socket.write(importReply(place, model));
        await carryOut(socket, incoming, attachment);
      } finally {
        await attachment.detach();
      }
    } finally {
      exported.attached = false;
    }
  }
}

/** Carries out what the host's kernel wants until it lets go of the device. @throws ClientGone */
async function carryOut(socket: Socket, incoming: IncomingBytes, attachment: UsbIpAttachment): Promise<void> {
  for (;;) {
    const command = readCommand(await incoming.take(commandBytes));
    if (command === undefined) return;
    if (command.kind === "unlink") {
      const status = attachment.unlink(command.victim) ? unlinkedStatus : 0;
      socket.write(unlinkReply(command.sequence, status));
      continue;
    }
    if (command.bufferBytes > longestTransferBytes) return;
    await attachment.submit(command, await incoming.take(command.isIn ? 0 : command.bufferBytes));
  }
}

/** Sends the last there is to say. */
function finish(socket: Socket, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    socket.once("close", resolve);
    socket.end(bytes);
  });
}

function busIdOf(index: number): string {
  return `${busNumber}-${index + 1}`;
}
