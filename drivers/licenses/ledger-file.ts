import { type FileHandle, mkdir, open, stat } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { isStationError, StationError } from "../../src/errors/station-error.ts";
import { openRecord, splitLine } from "../../src/license/ledger-chain.ts";
import { emptyLedgerState, follow, type LedgerState } from "../../src/license/ledger-state.ts";
import type { LedgerRecord } from "../../src/ports/index.ts";

const lineEnd = 0x0a;
/** Decimal number padded to 12, a space, 64 digits, line end: always the same size, so it is overwritten in place. */
const headSizeBytes = 12 + 1 + 64 + 1;

/**
 * A ledger's two files: the records, one a line, and beside them `<name>.head`, which says how far the ledger had got.
 * The chain of hashes shows any change within; the head shows that records are missing at the end, which a chain
 * cannot. It is written after the record is durable, so after a crash it is behind the ledger or level, never ahead.
 */
export interface LedgerFiles {
  readonly state: LedgerState;
  /** Reads what other processes have added. Returns the bytes of a last line without its end. */
  refresh(): Promise<number>;
  /** Appends one line (without its end), durable, and checks that it stands right behind the last one. */
  append(line: string): Promise<LedgerRecord>;
  /** Cuts the half-written last line off; returns how many bytes that were. */
  cutTail(): Promise<number>;
  /** Size of the records read so far. */
  readonly sizeBytes: number;
  /** A name that all processes that have this file open share. */
  readonly lockName: string;
  close(): Promise<void>;
}

/**
 * Opens or creates the files, owner-only, and reads all records.
 * @throws LEDGER_UNAVAILABLE, LEDGER_DAMAGED
 */
export async function openLedgerFiles(file: string): Promise<LedgerFiles> {
  const failed = (error: unknown): StationError =>
    isStationError(error)
      ? error
      : StationError.of("LEDGER_UNAVAILABLE", { ledger: file, detail: systemText(error) }, { cause: error });
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw failed(error);
    }
  };
  return guarded(async () => {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    // The head first: records without a head are then always damage, never a crash.
    const head = await open(`${file}.head`, "a+", 0o600).then(async (created) => {
      await created.close();
      return open(`${file}.head`, "r+");
    });
    const handle = await open(file, "a+", 0o600);
    await syncFolder(dirname(file));
    const { dev, ino } = await handle.stat({ bigint: true });
    const opened = reader({ file, handle, head, inode: ino });
    return {
      state: opened.state,
      get sizeBytes() {
        return opened.sizeBytes();
      },
      lockName: `ledger-${dev}-${ino}`,
      refresh: () => guarded(opened.refresh),
      append: (line) => guarded(() => opened.append(line)),
      cutTail: () => guarded(opened.cutTail),
      async close() {
        await handle.close();
        await head.close();
      },
    };
  });
}

interface Opened {
  readonly file: string;
  readonly handle: FileHandle;
  readonly head: FileHandle;
  readonly inode: bigint;
}

function reader({ file, handle, head, inode }: Opened) {
  const state = emptyLedgerState();
  let offset = 0;
  let tailBytes = 0;
  let headChecked = false;
  const damaged = (record: number, detail: string) =>
    StationError.of("LEDGER_DAMAGED", { ledger: file, record, detail });

  const read = async (from: number, sizeBytes: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(sizeBytes);
    let at = 0;
    while (at < sizeBytes) {
      const { bytesRead } = await handle.read(bytes, at, sizeBytes - at, from + at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return bytes.subarray(0, at);
  };

  const followLine = (line: string): LedgerRecord => {
    const stored = splitLine(line);
    if (stored === undefined) throw damaged(state.seq + 1, "the line is no record");
    const record = openRecord(stored, state, file);
    follow(state, record, file);
    return record;
  };

  const refresh = async (): Promise<number> => {
    const now = await stat(file, { bigint: true });
    if (now.ino !== inode) throw damaged(state.seq, "the file was replaced while it was in use");
    const sizeBytes = Number(now.size);
    if (sizeBytes < offset) throw damaged(state.seq, "the file has become shorter");
    const bytes = sizeBytes === offset ? new Uint8Array() : await read(offset, sizeBytes - offset);
    const whole = bytes.lastIndexOf(lineEnd) + 1;
    // One line at a time: a large ledger is not held as text all at once.
    const decoder = new TextDecoder();
    for (let start = 0; start < whole; ) {
      const end = bytes.indexOf(lineEnd, start);
      followLine(decoder.decode(bytes.subarray(start, end)));
      start = end + 1;
    }
    offset += whole;
    tailBytes = bytes.length - whole;
    if (!headChecked) await checkHead();
    return tailBytes;
  };

  /** Remembered hashes would cost memory; the head is checked where it stands, or against the end. */
  const checkHead = async (): Promise<void> => {
    const { sizeBytes, seq, hash } = await readHead(head);
    if (sizeBytes === 0) {
      if (state.seq > 0) throw damaged(state.seq, `${basename(file)}.head is missing or empty`);
    } else if (seq === undefined) {
      throw damaged(state.seq, `${basename(file)}.head is not readable`);
    } else if (seq > state.seq) {
      throw damaged(state.seq + 1, `it ended with record ${seq} before; records are missing at the end`);
    } else if (seq === state.seq && hash !== state.hash) {
      throw damaged(seq, "it ended with another record before");
    }
    headChecked = true;
  };

  const append = async (line: string): Promise<LedgerRecord> => {
    const data = new TextEncoder().encode(`${line}\n`);
    const before = offset;
    await handle.appendFile(data);
    await handle.datasync();
    const stored = await read(before, data.length);
    // The lock keeps writers in turn. That it did is seen here, before anything rests on this record.
    if (stored.length !== data.length || stored.some((byte, at) => byte !== data[at])) {
      throw damaged(state.seq + 1, "another program wrote to the ledger at the same time");
    }
    const record = followLine(line);
    offset = before + data.length;
    const text = `${String(record.seq).padStart(12, "0")} ${record.hash}\n`;
    await head.write(new TextEncoder().encode(text), 0, headSizeBytes, 0);
    return record;
  };

  const cutTail = async (): Promise<number> => {
    const cut = tailBytes;
    await handle.truncate(offset);
    await handle.sync();
    tailBytes = 0;
    return cut;
  };

  return { state, refresh, append, cutTail, sizeBytes: () => offset };
}

async function readHead(head: FileHandle) {
  const bytes = new Uint8Array(headSizeBytes);
  const { bytesRead } = await head.read(bytes, 0, headSizeBytes, 0);
  const match = /^(\d{12}) ([0-9a-f]{64})\n$/.exec(new TextDecoder().decode(bytes.subarray(0, bytesRead)));
  return {
    sizeBytes: bytesRead,
    seq: match === null ? undefined : Number(match[1]),
    hash: match?.[2],
  };
}

/** Make new files in `folder` durable. Windows cannot open folders and needs no such call. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function systemText(error: unknown): string {
  return error instanceof Error ? error.message.replace(/, \w+ '.*$/, "") : String(error);
}
