import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openStlink } from "../../../drivers/stlink/probe.ts";
import { recordingOpener } from "../../../drivers/trace/record.ts";
import { replayOpener } from "../../../drivers/trace/replay.ts";
import { createSecrets } from "../../../drivers/trace/secrets.ts";
import { openVirtualBench, parseVirtualSelector } from "../../../drivers/virtual/bench.ts";
import { concatBytes, filledBytes } from "../../../src/bytes/bytes.ts";
import { sha256Hex } from "../../../src/bytes/digest.ts";
import { fromHex, toHex } from "../../../src/bytes/hex.ts";
import { connectDebug } from "../../../src/dap/connect.ts";
import type { BulkOpener, Clock, Memory } from "../../../src/ports/index.ts";
import { sampleFirmware } from "../../support/sample-job.ts";
import { attachment } from "../stlink/support/attachments.ts";
import { manualClock } from "../stlink/support/manual-clock.ts";
import { memorySink, replayWithClock, traceOf } from "./support/inspecting.ts";

/** As long as a license; no piece of it stands in any other such value. */
const secret = randomLike("secret");
const ramAddress = 0x24020800;

describe("secrets", () => {
  it("finds a whole secret anywhere, and pieces of it down to one word", () => {
    const secrets = createSecrets();
    secrets.hide(secret);
    fc.assert(
      fc.property(
        fc.nat({ max: 132 }),
        fc.nat({ max: 136 }),
        fc.nat({ max: 40 }),
        fc.nat({ max: 40 }),
        (from, count, before, behind) => {
          const piece = secret.subarray(from, Math.min(136, from + Math.max(4, count)));
          const data = concatBytes(filledBytes(before, 0xff), piece, filledBytes(behind, 0xff));
          const [span, ...more] = secrets.find(data);
          expect(more).toEqual([]);
          // A byte beside the piece may happen to be the secret's next one.
          expect(span!.offset).toBeLessThanOrEqual(before);
          expect(span!.offset + span!.length).toBeGreaterThanOrEqual(before + piece.length);
          expect(span!.length).toBeLessThanOrEqual(piece.length + 2);
        },
      ),
    );
  });

  it("leaves alone what stands everywhere: zeros and small numbers in a secret hide nothing elsewhere", () => {
    const secrets = createSecrets();
    secrets.hide(concatBytes(filledBytes(8, 0), Uint8Array.of(1, 0, 0, 0), secret));
    expect(secrets.find(filledBytes(64, 0))).toEqual([]);
    expect(secrets.find(Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0))).toEqual([]);
    // Inside the secret itself they go with the rest.
    const inside = concatBytes(Uint8Array.of(1, 0, 0, 0), secret);
    expect(secrets.find(inside)).toEqual([{ offset: 0, length: inside.length }]);
  });

  it("finds a secret of nothing but repetition, and has no objection to one too short to be found", () => {
    const secrets = createSecrets();
    secrets.hide(filledBytes(16, 0x4b));
    secrets.hide(Uint8Array.of(1, 2, 3));
    expect(secrets.find(concatBytes(filledBytes(5, 0), filledBytes(16, 0x4b)))).toEqual([
      { offset: 5, length: 16 },
    ]);
    expect(secrets.find(Uint8Array.of(1, 2, 3))).toEqual([]);
  });
});

describe("a trace of secret bytes", () => {
  it("written as a block, word by word, batched, unaligned and read back, holds none of them", async () => {
    const text = await recordMemory(secret, allWays);
    const pieces = Array.from({ length: 133 }, (_, at) => toHex(secret.subarray(at, at + 4)));
    expect(pieces.filter((piece) => text.includes(piece))).toEqual([]);
    const plain = await recordMemory(undefined, allWays);
    expect(pieces.filter((piece) => !plain.includes(piece))).toEqual([]);
  });

  it("keeps a digest of what is long enough not to be guessed, and none of single words", async () => {
    const text = await recordMemory(secret, async (memory) => {
      await memory.write(ramAddress, secret);
      await memory.writeWord(ramAddress, 0x8d0412d6);
      await memory.writeWord(ramAddress, wordAt(secret, 8));
    });
    const hidden = text
      .trimEnd()
      .split("\n")
      .flatMap((line) => JSON.parse(line).hidden ?? []);
    expect(hidden).toEqual([
      { offset: 0, length: 136, sha256: sha256Hex(secret) },
      { offset: 6, length: 4 },
    ]);
  });

  it("replays for who has the secret, including what was read back", async () => {
    const job = async (memory: Memory) => {
      await memory.write(ramAddress, secret);
      const whole = await memory.read(ramAddress, 136);
      const half = await memory.read(ramAddress + 8, 64);
      return [toHex(whole), toHex(half)];
    };
    const trace = await traceOf(await recordMemory(secret, job));
    const { opener, clock } = replayWithClock(trace);
    expect(await onMemory(opener, clock, job)).toEqual([toHex(secret), toHex(secret.subarray(8, 72))]);
    opener.finish();
  });

  it("differs for who has another, and says so without showing either", async () => {
    const write = (bytes: Uint8Array) => (memory: Memory) => memory.write(ramAddress, bytes);
    const trace = await traceOf(await recordMemory(secret, write(secret)));
    const other = randomLike("other");
    const { opener, clock } = replayWithClock(trace);
    opener.hide(other);
    const error = await onMemory(opener, clock, write(other)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "REPLAY_MISMATCH",
      parameters: {
        expected: expect.stringContaining(sha256Hex(secret).slice(0, 16)),
        actual: expect.stringContaining(sha256Hex(other).slice(0, 16)),
      },
    });
    const message = (error as Error).message;
    for (const bytes of [secret, other]) {
      for (let at = 0; at + 4 <= bytes.length; at++) {
        expect(message).not.toContain(toHex(bytes.subarray(at, at + 4)));
      }
    }
  });

  it("does not give back what the run never had", async () => {
    const hidden = [{ offset: 0, length: 136, sha256: sha256Hex(secret) }];
    const data = filledBytes(136, 0);
    const opener = replayOpener({
      file: "t",
      header: { time: "2024-01-01T00:00:00Z", attachment: attachment(0x374f) },
      records: [
        { n: 1, t: 0, phase: "start", op: "open" },
        { n: 2, t: 0, phase: "start", op: "receive", size: 136, data, hidden },
      ],
    });
    const port = await opener.open();
    await expect(port.receive(136, 1)).rejects.toMatchObject({
      code: "REPLAY_MISMATCH",
      parameters: { index: 2 },
    });
  });

  it("may be told of a secret while it runs", async () => {
    const sink = memorySink();
    const port = { send: async () => {}, receive: async () => secret, close: async () => {} };
    const opener = recordingOpener(
      { attachment: attachment(0x374f), open: async () => port },
      sink,
      manualClock(),
    );
    const recorded = await opener.open();
    await recorded.send(randomLike("not secret"), 1);
    opener.hide(secret);
    await recorded.receive(136, 1);
    expect(sink.text()).toContain(toHex(randomLike("not secret")));
    expect(sink.text()).not.toContain(toHex(secret.subarray(0, 4)));
  });
});

function randomLike(label: string): Uint8Array {
  const blocks = [0, 1, 2, 3, 4].map((i) => fromHex(sha256Hex(`${label} ${i}`)));
  return concatBytes(...blocks).subarray(0, 136);
}

/** Every way in which the driver writes memory. */
async function allWays(memory: Memory): Promise<void> {
  await memory.write(ramAddress, secret);
  await memory.write(ramAddress + 0x401, secret);
  await memory.write(
    ramAddress + 0x800,
    concatBytes(sampleFirmware(1000, 3), secret, sampleFirmware(9000, 4)),
  );
  const words = Array.from({ length: 34 }, (_, i) => ({
    kind: "write" as const,
    address: ramAddress + 4 * i,
    value: wordAt(secret, 4 * i),
  }));
  await memory.batch(words);
  for (const { address, value } of words) await memory.writeWord(address, value);
  await memory.batch(words.map(({ address }) => ({ kind: "read", address })));
  await memory.read(ramAddress, 136);
  await memory.read(ramAddress + 2, 61);
}

async function onMemory<Result>(
  opener: BulkOpener,
  clock: Clock,
  job: (memory: Memory) => Promise<Result>,
): Promise<Result> {
  const probe = await openStlink(opener, clock);
  try {
    const debug = await connectDebug(probe, clock, { mode: "hot-plug", clockKilohertz: 24_000, ap: 0 });
    return await job(debug.memory());
  } finally {
    await probe.close();
  }
}

async function recordMemory(
  hidden: Uint8Array | undefined,
  job: (memory: Memory) => Promise<unknown>,
): Promise<string> {
  const bench = await openVirtualBench(parseVirtualSelector("virtual:h753"));
  const sink = memorySink();
  const opener = recordingOpener(bench.opener, sink, bench.clock);
  if (hidden !== undefined) opener.hide(hidden);
  await onMemory(opener, bench.clock, job);
  await bench.close();
  return sink.text();
}

function wordAt(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(offset, true);
}
