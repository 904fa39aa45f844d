import type { BulkOpener, BulkPort } from "../../../src/ports/index.ts";

/** Something between the USB plug and the probe's firmware that sees, and may change, what passes. */
export interface Tampering {
  /** A 16-byte command on its way to the probe. */
  command?(block: Uint8Array): Uint8Array;
  /** The data that follows a command. */
  data?(data: Uint8Array, command: Uint8Array): Uint8Array;
  /** A reply on its way to the host. */
  reply?(bytes: Uint8Array, command: Uint8Array): Uint8Array;
}

/** The first two bytes of a command, as in the protocol's tables: `F23E`. */
export function opcode(block: Uint8Array): string {
  const [first = 0, second = 0] = block;
  const debug = first === 0xf2 ? second.toString(16).padStart(2, "0") : "";
  return `${first.toString(16)}${debug}`.toUpperCase();
}

/** Commands by how often they came. */
export class CommandCount {
  readonly counts = new Map<string, number>();
  readonly tampering: Tampering = {
    command: (block) => {
      this.counts.set(opcode(block), this.of(opcode(block)) + 1);
      return block;
    },
  };

  of(name: string): number {
    return this.counts.get(name) ?? 0;
  }
}

/** WRITEMEM in units of 32, 8 and 16 bits and without increment: a 16-bit length at 6, then that many bytes. */
const memoryWrites: readonly string[] = ["F208", "F20D", "F248", "F250"];

/** Bytes of the data phase that follows a command. */
function dataBytes(block: Uint8Array): number {
  const view = new DataView(block.buffer, block.byteOffset);
  if (memoryWrites.includes(opcode(block))) return view.getUint16(6, true);
  if (opcode(block) !== "F251") return 0; // RW_MISC_OUT
  const operations = view.getUint32(2, true);
  return 4 * Math.ceil(operations / 4) + 4 * operations;
}

/** A probe with tampering in front of it, the first of several nearest to the host. */
export function tamperedOpener(opener: BulkOpener, tamperings: readonly Tampering[]): BulkOpener {
  return {
    attachment: opener.attachment,
    open: async (options) => tamperedPort(await opener.open(options), tamperings),
  };
}

function tamperedPort(port: BulkPort, tamperings: readonly Tampering[]): BulkPort {
  let command = new Uint8Array(16);
  let awaitedBytes = 0;
  return {
    async send(data, timeoutMs) {
      let passed = data;
      if (awaitedBytes > 0) {
        awaitedBytes = Math.max(0, awaitedBytes - data.length);
        for (const { data: change } of tamperings) passed = change?.(passed, command) ?? passed;
      } else {
        command = data.slice();
        awaitedBytes = dataBytes(command);
        for (const { command: change } of tamperings) passed = change?.(passed) ?? passed;
      }
      await port.send(passed, timeoutMs);
    },
    async receive(sizeBytes, timeoutMs) {
      let bytes = await port.receive(sizeBytes, timeoutMs);
      for (const { reply } of [...tamperings].reverse()) bytes = reply?.(bytes, command) ?? bytes;
      return bytes;
    },
    close: () => port.close(),
  };
}
