import { alignUp } from "../../../src/bytes/numbers.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";

/** Operations of an RW_MISC batch. */
export type BatchOperation =
  | { readonly kind: "address"; readonly address: number }
  | { readonly kind: "write"; readonly value: number }
  | { readonly kind: "read"; readonly address: number }
  | { readonly kind: "access-port"; readonly ap: number }
  | { readonly kind: "unknown" };

/** Bytes of the data phase of a batch of `count` operations: one code each, padded to 4, then one argument each. */
export function batchBytes(count: number): number {
  return alignUp(count, 4) + 4 * count;
}

/** Splits the data phase of a batch. */
export function readBatch(data: Uint8Array, count: number): BatchOperation[] {
  const codes = data.subarray(0, count);
  const reader = new ByteReader(data.subarray(alignUp(count, 4)));
  return Array.from(codes, (code): BatchOperation => {
    const argument = reader.u32();
    switch (code) {
      case 1:
        return { kind: "address", address: argument };
      case 2:
        return { kind: "write", value: argument };
      case 3:
        return { kind: "read", address: argument };
      case 5:
        return { kind: "access-port", ap: argument };
      default:
        return { kind: "unknown" };
    }
  });
}

/** Reply of RW_MISC_IN: all values, then all statuses. */
export function batchReply(results: readonly { readonly value: number; readonly status: number }[]): Uint8Array {
  const writer = new ByteWriter(8 * results.length);
  for (const { value } of results) writer.u32(value);
  for (const { status } of results) writer.u32(status);
  return writer.finish();
}
