import { chunks, spans } from "../../src/bytes/chunks.ts";
import { alignDown, alignUp } from "../../src/bytes/numbers.ts";
import type { Memory, MemoryOperation } from "../../src/ports/index.ts";
import type { Capabilities } from "./capabilities.ts";
import {
  type AccessBytes,
  readDebugRegister,
  readMemory,
  writeDebugRegister,
  writeMemory,
} from "./frames-memory.ts";
import type { Link, Session } from "./link.ts";
import { retryJudge } from "./retry.ts";
import { type MiscResult, miscSegment } from "./rw-misc.ts";
import { statusEntry, statusOk } from "./status.ts";

/** Below this many word accesses single commands take no more transfers than RW_MISC, and can be repeated one by one. */
const smallestBatch = 3;

/** A run of memory that one kind of command covers. */
interface Stretch {
  readonly address: number;
  readonly sizeBytes: number;
  readonly width: AccessBytes;
}

/**
 * Memory through one access port.
 * Blocks take four USB transfers per 6144 bytes: command, data, status request, status. Between 1 KiB boundaries
 * nothing is split: in SWD the probe writes TAR for every access (OpenOCD), and pyOCD and probe-rs rely on it.
 * @param csw CSW[31:8] attributes; undefined leaves the probe's default and allows the commands that have no CSW field
 * @throws (all methods) what Link.run throws; RangeError for misaligned words and addresses outside 32 bits
 */
export function probeMemory(
  link: Link,
  capabilities: Capabilities,
  session: Session,
  ap: number,
  csw: number | undefined,
): Memory {
  const { limits, features } = capabilities;

  async function read(address: number, sizeBytes: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(sizeBytes);
    for (const stretch of stretches(address, sizeBytes, limits.byteReadBytes)) {
      const limitBytes = stretch.width === 1 ? limits.byteReadBytes : limits.wordsBytes;
      for (const span of spans(stretch.address, stretch.sizeBytes, limitBytes)) {
        const part = await link.run(
          readMemory(stretch.width, span.address, span.sizeBytes, ap, csw),
          session,
        );
        bytes.set(part, span.address - address);
      }
    }
    return bytes;
  }

  async function write(address: number, data: Uint8Array): Promise<void> {
    for (const stretch of stretches(address, data.length, limits.byteWriteBytes)) {
      const start = stretch.address - address;
      const part = data.subarray(start, start + stretch.sizeBytes);
      const limitBytes = stretch.width === 1 ? limits.byteWriteBytes : limits.wordsBytes;
      for (const chunk of chunks(stretch.address, part, limitBytes)) {
        await link.run(writeMemory(stretch.width, chunk.address, chunk.data, ap, csw), session);
      }
    }
  }

  async function readValue(address: number, width: AccessBytes): Promise<number> {
    requireAligned(address, width);
    if (width === 4 && csw === undefined) return await link.run(readDebugRegister(address, ap), session);
    const bytes = await link.run(readMemory(width, address, width, ap, csw), session);
    return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
  }

  async function writeValue(address: number, width: AccessBytes, value: number): Promise<void> {
    requireAligned(address, width);
    if (width === 4 && csw === undefined) {
      await link.run(writeDebugRegister(address, value, ap), session);
      return;
    }
    const bytes = Uint8Array.from({ length: width }, (_, index) => (value >>> (8 * index)) & 0xff);
    await link.run(writeMemory(width, address, bytes, ap, csw), session);
  }

  async function batch(operations: readonly MemoryOperation[]): Promise<number[]> {
    for (const operation of operations) requireAligned(operation.address, 4);
    const grouped = csw === undefined && features.has("rwMisc") && operations.length >= smallestBatch;
    return grouped ? await batchByMisc(operations) : await batchOneByOne(operations);
  }

  async function batchOneByOne(operations: readonly MemoryOperation[]): Promise<number[]> {
    const values: number[] = [];
    for (const operation of operations) {
      if (operation.kind === "read") values.push(await readValue(operation.address, 4));
      else await writeValue(operation.address, 4, operation.value);
    }
    return values;
  }

  async function batchByMisc(operations: readonly MemoryOperation[]): Promise<number[]> {
    const limit = Math.min(await link.miscLimit(session), limits.miscOperations);
    if (limit < smallestBatch) return await batchOneByOne(operations);
    const values: number[] = [];
    let judge = retryJudge();
    for (let rest = operations; rest.length > 0; ) {
      const segment = miscSegment(rest, ap, limit);
      const results = await link.misc(segment.frames, ap, session);
      const outcome = firstFailure(results);
      const carriedOut = segment.places.filter((place) => place < outcome.index);
      carriedOut.forEach((place, index) => {
        if (segment.operations[index]?.kind === "read") values.push(results[place]?.value ?? 0);
      });
      rest = rest.slice(carriedOut.length);
      if (carriedOut.length > 0) judge = retryJudge();
      const verdict = judge(outcome.status);
      // Going on behind a wait is safe only when nothing behind it was carried out.
      if (verdict.kind === "failed" || outcome.someAfter) {
        const address = rest[0]?.address;
        await link.fail(outcome.status, "RW_MISC", address === undefined ? { ap } : { ap, address });
      } else if (verdict.kind === "again") {
        await link.pause(verdict.pauseMs);
      }
    }
    return values;
  }

  return {
    read,
    write,
    batch,
    readWord: (address) => readValue(address, 4),
    writeWord: (address, value) => writeValue(address, 4, value),
    readHalfword: (address) => readValue(address, 2),
    writeHalfword: (address, value) => writeValue(address, 2, value),
  };
}

/**
 * What a transfer is made of: words where it is aligned, single bytes before and behind. A short unaligned one is all
 * bytes, because one command is quicker than three. Zero bytes are no transfer at all: some V3 hang on one (probe-rs).
 */
function* stretches(address: number, sizeBytes: number, shortBytes: number): Generator<Stretch> {
  requireRange(address, sizeBytes);
  if (sizeBytes === 0) return;
  const end = address + sizeBytes;
  const bodyStart = alignUp(address, 4);
  const bodyEnd = alignDown(end, 4);
  const aligned = bodyStart === address && bodyEnd === end;
  if (!aligned && (sizeBytes <= shortBytes || bodyEnd <= bodyStart)) {
    yield { address, sizeBytes, width: 1 };
    return;
  }
  if (bodyStart > address) yield { address, sizeBytes: bodyStart - address, width: 1 };
  yield { address: bodyStart, sizeBytes: bodyEnd - bodyStart, width: 4 };
  if (end > bodyEnd) yield { address: bodyEnd, sizeBytes: end - bodyEnd, width: 1 };
}

/** The first operation that was not carried out (behind the last when all were), and whether any later one was. */
function firstFailure(results: readonly MiscResult[]): { index: number; status: number; someAfter: boolean } {
  const failed = (result: MiscResult) => statusEntry(result.status).action !== "ok";
  const index = results.findIndex(failed);
  if (index === -1) return { index: results.length, status: statusOk, someAfter: false };
  const status = results[index]?.status ?? statusOk;
  return { index, status, someAfter: !results.slice(index).every(failed) };
}

function requireAligned(address: number, width: AccessBytes): void {
  requireRange(address, width);
  if (address % width !== 0) throw new RangeError(`address ${address} is not a multiple of ${width}`);
}

function requireRange(address: number, sizeBytes: number): void {
  const whole = Number.isSafeInteger(address) && Number.isSafeInteger(sizeBytes);
  if (!whole || address < 0 || sizeBytes < 0 || address + sizeBytes > 2 ** 32) {
    throw new RangeError(`${sizeBytes} bytes at ${address} are outside the 32-bit address space`);
  }
}
