import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A kernel's side of USB/IP, as far as tests need it; packed here a second time, after Linux's usbip_protocol.rst. */
export interface UsbIpClient {
  send(bytes: Buffer): void;
  take(sizeBytes: number): Promise<Buffer>;
  /** Asks for a device. @returns the status of the answer; the device's record is read when it is 0 */
  attach(busId: string): Promise<number>;
  /** Begins a transfer. @param data what goes out; a number is the size of the buffer for what comes in */
  submit(sequence: number, endpoint: number, data: Buffer | number, setup?: readonly number[]): void;
  unlink(sequence: number, victim: number): void;
  /** The next answer. Its data are read when it is one to a transfer in that is `incoming`. */
  answer(incoming?: boolean): Promise<UsbIpAnswer>;
  /** Resolves when the server ends the connection. */
  readonly ended: Promise<unknown>;
  close(): void;
}

export interface UsbIpAnswer {
  readonly kind: "submit" | "unlink" | "unknown";
  readonly sequence: number;
  readonly status: number;
  readonly actualBytes: number;
  readonly data: string;
}

const deviceRecordBytes = 312;

/** Connects to a server on this machine; the connection goes with the test. */
export async function usbIpClient(port: number): Promise<UsbIpClient> {
  const socket = createConnection(port, "127.0.0.1");
  await once(socket, "connect");
  onTestFinished(() => {
    socket.destroy();
  });
  const take = reader(socket);
  const ended = once(socket, "close");
  const client: UsbIpClient = {
    ended,
    take,
    send: (bytes) => socket.write(bytes),
    close: () => socket.destroy(),
    async attach(busId) {
      const request = Buffer.alloc(40);
      request.writeUInt32BE(0x01118003, 0);
      request.write(busId, 8, "ascii");
      socket.write(request);
      const head = await take(8);
      const status = head.readUInt32BE(4);
      if (status === 0) await take(deviceRecordBytes);
      return status;
    },
    submit(sequence, endpoint, data, setup = []) {
      const isIn = typeof data === "number";
      const head = Buffer.alloc(48);
      [1, sequence, 0x10002, isIn ? 1 : 0, endpoint, 0, isIn ? data : data.length].forEach((word, i) => {
        head.writeUInt32BE(word, 4 * i);
      });
      Buffer.from(setup).copy(head, 40);
      socket.write(isIn ? head : Buffer.concat([head, data]));
    },
    unlink(sequence, victim) {
      const head = Buffer.alloc(48);
      [2, sequence, 0x10002, 0, 0, victim].forEach((word, i) => {
        head.writeUInt32BE(word, 4 * i);
      });
      socket.write(head);
    },
    async answer(incoming = false) {
      const head = await take(48);
      const kinds: Record<number, UsbIpAnswer["kind"]> = { 3: "submit", 4: "unlink" };
      const actualBytes = head.readUInt32BE(24);
      return {
        kind: kinds[head.readUInt32BE(0)] ?? "unknown",
        sequence: head.readUInt32BE(4),
        status: head.readInt32BE(20),
        actualBytes,
        data: incoming ? (await take(actualBytes)).toString("hex") : "",
      };
    },
  };
  return client;
}

/** Gives what comes in pieces of the size asked for. */
function reader(socket: Socket): (sizeBytes: number) => Promise<Buffer> {
  let held = Buffer.alloc(0);
  let wake = () => {};
  socket.on("data", (piece) => {
    held = Buffer.concat([held, piece]);
    wake();
  });
  socket.on("close", () => wake());
  return async (sizeBytes) => {
    while (held.length < sizeBytes) {
      if (socket.destroyed) throw new Error(`the server ended the connection after ${held.length} bytes`);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const taken = held.subarray(0, sizeBytes);
    held = held.subarray(sizeBytes);
    return taken;
  };
}
