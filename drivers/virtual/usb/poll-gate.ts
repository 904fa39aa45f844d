import { execFile } from "node:child_process";
import { closeSync, constants, openSync, readSync, writeSync } from "node:fs";
import { promisify } from "node:util";

/** Pipes are counted in pages; a page taken out makes room, a page put in fills it. */
const page = new Uint8Array(4096);

/**
 * The file that stands for a device node. usbfs lets a program that polls for output through when a transfer has
 * ended. A regular file would always let it through, so this is a FIFO, which does while it is not full.
 */
export class PollGate {
  readonly #descriptor: number;
  #isOpen = true;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Makes the FIFO at `path`, for its owner only, shut. */
  static async create(path: string): Promise<PollGate> {
    await promisify(execFile)("mkfifo", ["-m", "600", path]);
    const gate = new PollGate(openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
    gate.set(false);
    return gate;
  }

  /** Lets pollers through, or not. */
  set(open: boolean): void {
    if (open === this.#isOpen) return;
    this.#isOpen = open;
    if (open) readSync(this.#descriptor, page);
    else while (this.#put());
  }

  dispose(): void {
    closeSync(this.#descriptor);
  }

  #put(): boolean {
    try {
      return writeSync(this.#descriptor, page) === page.length;
    } catch (thrown) {
      if (thrown instanceof Error && "code" in thrown && thrown.code === "EAGAIN") return false;
      throw thrown;
    }
  }
}
