import { alignUp } from "../../../src/bytes/numbers.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";
import { status } from "./commands.ts";

/** What one operation of an RW_MISC batch brought: a read value (else 0) and a status. */
export interface BatchResult {
  readonly value: number;
  readonly code: number;
}

/** The accesses a batch is made of. */
export interface BatchTarget {
  /** Status of the access port. */
  select(ap: number): number;
  read(ap: number, address: number): BatchResult;
  /** Status of the write. */
  write(ap: number, address: number, value: number): number;
}

/** Bytes of the data phase of a batch of `count` operations: one code each, padded to 4, then one argument each. */
export function batchBytes(count: number): number {
  return alignUp(count, 4) + 4 * count;
}

/**
 * Carries out a batch on AP0 or the port it selects. Operations: 1 address of later writes, 2 write there (the address
 * stays), 3 read at the argument, 5 select the access port.
 */
export function runBatch(data: Uint8Array, count: number, target: BatchTarget): BatchResult[] {
  const reader = new ByteReader(data.subarray(alignUp(count, 4)));
  let ap = 0;
  let address = 0;
  return Array.from(data.subarray(0, count), (operation): BatchResult => {
    const argument = reader.u32();
    if (operation === 3) return target.read(ap, argument);
    if (operation === 2) return { value: 0, code: target.write(ap, address, argument) };
    if (operation === 5) {
      ap = argument;
      return { value: 0, code: target.select(ap) };
    }
    if (operation !== 1) return { value: 0, code: status.commandError };
    address = argument;
    return { value: 0, code: status.ok };
  });
}

/** Reply of RW_MISC_IN: all values, then all statuses. */
export function batchReply(results: readonly BatchResult[]): Uint8Array {
  const writer = new ByteWriter(8 * results.length);
  for (const { value } of results) writer.u32(value);
  for (const { code } of results) writer.u32(code);
  return writer.finish();
}
