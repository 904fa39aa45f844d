import { fromWords } from "../../../src/bytes/bytes.ts";
import type { Memory } from "../../../src/ports/index.ts";

/** A Memory made of two word functions: what most models of registers need. */
export function wordMemory(model: {
  read(address: number): number;
  write(address: number, value: number): void;
}): Memory {
  return {
    readWord: async (address) => model.read(address) >>> 0,
    writeWord: async (address, value) => model.write(address, value >>> 0),
    readHalfword: async (address) => (model.read(address - (address % 4)) >>> (8 * (address % 4))) & 0xffff,
    writeHalfword: async () => {
      throw new Error("not modelled");
    },
    read: async (address, sizeBytes) => {
      const words = Array.from({ length: Math.ceil(sizeBytes / 4) }, (_, i) => model.read(address + 4 * i));
      return fromWords(words).subarray(0, sizeBytes);
    },
    write: async (address, data) => {
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      for (let i = 0; i < data.length; i += 4) model.write(address + i, view.getUint32(i, true));
    },
    batch: async (operations) => {
      const values: number[] = [];
      for (const operation of operations) {
        if (operation.kind === "read") values.push(model.read(operation.address) >>> 0);
        else model.write(operation.address, operation.value >>> 0);
      }
      return values;
    },
  };
}
