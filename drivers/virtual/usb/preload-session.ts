import type { Socket } from "node:net";
import { concatBytes } from "../../../src/bytes/bytes.ts";
import { ClientGone, IncomingBytes } from "./incoming-bytes.ts";
import {
  doneMessage,
  messageBytes,
  type PreloadRequest,
  readMemoryMessage,
  readRequest,
  type SystemCallResult,
  writeMemoryMessage,
} from "./preload-protocol.ts";

/** The client's memory, within reach while one of its system calls is being served. */
export interface ClientMemory {
  /** @throws ClientGone */
  read(address: bigint, sizeBytes: number): Promise<Uint8Array>;
  /** Stored before the system call returns. */
  write(address: bigint, data: Uint8Array): void;
}

/** Answers one system call. It must not wait for anything but the client's memory: the client stands still meanwhile. */
export type ServeCall = (request: PreloadRequest, memory: ClientMemory) => Promise<SystemCallResult>;

/**
 * Serves the system calls of one open device node until the client closes it or ends.
 * @throws whatever `serve` throws; the client is then cut off, which ends it
 */
export async function runPreloadSession(socket: Socket, serve: ServeCall): Promise<void> {
  const incoming = new IncomingBytes(socket);
  let outgoing: Uint8Array[] = [];
  const flush = (last: Uint8Array): void => {
    // One write for a whole answer: a client that woke up between two would only go back to sleep.
    socket.write(concatBytes(...outgoing, last));
    outgoing = [];
  };
  const memory: ClientMemory = {
    read: (address, sizeBytes) => {
      flush(readMemoryMessage(address, sizeBytes));
      return incoming.take(sizeBytes);
    },
    write: (address, data) => {
      outgoing.push(writeMemoryMessage(address, data.length), data);
    },
  };
  try {
    for (;;) {
      const request = readRequest(await incoming.take(messageBytes));
      flush(doneMessage(await serve(request, memory)));
    }
  } catch (thrown) {
    if (!(thrown instanceof ClientGone)) throw thrown;
  } finally {
    socket.destroy();
  }
}
