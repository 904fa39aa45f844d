import type { Socket } from "node:net";
import { concatBytes } from "../../../src/bytes/bytes.ts";

/** Thrown by `take` when the other end of the socket closed, which is how every client ends. */
export class ClientGone extends Error {}

/** What a socket delivers, in pieces of the size asked for. */
export class IncomingBytes {
  #pieces: Uint8Array[] = [];
  #heldBytes = 0;
  #open = true;
  #wake = () => {};

  constructor(socket: Socket) {
    socket.on("data", (piece) => {
      this.#pieces.push(piece);
      this.#heldBytes += piece.length;
      this.#wake();
    });
    // A client that is killed resets the connection; "close" follows and says all that matters.
    socket.on("error", () => this.#end());
    socket.on("close", () => this.#end());
  }

  /** The next `sizeBytes` bytes, when they have come. @throws ClientGone */
  async take(sizeBytes: number): Promise<Uint8Array> {
    while (this.#heldBytes < sizeBytes) {
      if (!this.#open) throw new ClientGone();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const all = concatBytes(...this.#pieces);
    this.#pieces = [all.subarray(sizeBytes)];
    this.#heldBytes -= sizeBytes;
    return all.subarray(0, sizeBytes);
  }

  #end(): void {
    this.#open = false;
    this.#wake();
  }
}
