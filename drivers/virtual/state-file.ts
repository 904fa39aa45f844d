import {
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { asciiText, equalBytes } from "../../src/bytes/bytes.ts";
import { StationError } from "../../src/errors/station-error.ts";
import type { ChipModel } from "./models/model.ts";
import { ChipStore } from "./store.ts";
import { stateHeader, storeLayout } from "./store-layout.ts";

/** A chip's state kept in a file, or in memory only. */
export interface OpenState {
  readonly store: ChipStore;
  /** True when the chip is factory new and still has to be initialised. */
  readonly fresh: boolean;
  /** Gives the file and its lock back. Safe to call twice. */
  close(): void;
}

/** State that lives and ends with the process. */
export function memoryState(model: ChipModel): OpenState {
  const layout = storeLayout(model);
  return {
    store: new ChipStore(layout, new Uint8Array(layout.sizeBytes)),
    fresh: true,
    close: () => undefined,
  };
}

/**
 * Opens the state of a chip in `file`, or makes a new one there. Every later mutation of the store is written through
 * with one positioned write before the call that caused it returns, so that a process that is killed loses nothing.
 * @param probe selector for messages
 * @throws STATE_FILE_INVALID a foreign, damaged or unreachable file; PROBE_BUSY another live process has it open
 */
export function openStateFile(file: string, model: ChipModel, probe: string): OpenState {
  const unlock = lock(file, probe);
  try {
    const layout = storeLayout(model);
    const header = stateHeader(model.name, layout.digest);
    const fresh = !existsSync(file);
    if (fresh) create(file, header, layout.sizeBytes);
    const descriptor = attempt(file, () => openSync(file, "r+"));
    const bytes = attempt(file, () => readAll(descriptor));
    const fault = headerFault(bytes, header, layout.sizeBytes);
    if (fault !== undefined) {
      closeSync(descriptor);
      throw StationError.of("STATE_FILE_INVALID", { file, detail: fault });
    }
    let open = true;
    return {
      store: new ChipStore(layout, bytes, (offset, data) => {
        if (open) writeFully(descriptor, data, offset);
      }),
      fresh,
      close: () => {
        if (!open) return;
        open = false;
        closeSync(descriptor);
        unlock();
      },
    };
  } catch (thrown) {
    unlock();
    throw thrown;
  }
}

/** The new file appears under its name only when it is whole. */
function create(file: string, header: Uint8Array, sizeBytes: number): void {
  attempt(file, () => {
    const bytes = new Uint8Array(sizeBytes);
    bytes.set(header);
    const draft = `${file}.${process.pid}.new`;
    writeFileSync(draft, bytes);
    renameSync(draft, file);
  });
}

function readAll(descriptor: number): Uint8Array {
  const bytes = new Uint8Array(fstatSync(descriptor).size);
  for (let done = 0; done < bytes.length; ) {
    const count = readSync(descriptor, bytes, done, bytes.length - done, done);
    if (count === 0) break;
    done += count;
  }
  return bytes;
}

function writeFully(descriptor: number, data: Uint8Array, offset: number): void {
  for (let done = 0; done < data.length; ) {
    done += writeSync(descriptor, data, done, data.length - done, offset + done);
  }
}

function headerFault(bytes: Uint8Array, expected: Uint8Array, sizeBytes: number): string | undefined {
  const actual = bytes.subarray(0, expected.length);
  if (!equalBytes(actual.subarray(0, 8), expected.subarray(0, 8))) return "it is no chip state";
  if (!equalBytes(actual.subarray(8, 12), expected.subarray(8, 12))) return "it is of another version";
  if (!equalBytes(actual.subarray(12, 32), expected.subarray(12, 32))) {
    const chip = asciiText(actual.subarray(12, 32)).replace(/[^\x21-\x7e].*$/s, "");
    return `it holds a ${chip === "" ? "nameless chip" : chip}`;
  }
  if (!equalBytes(actual.subarray(32), expected.subarray(32))) return "its layout is another one";
  return bytes.length === sizeBytes ? undefined : `it has ${bytes.length} bytes instead of ${sizeBytes}`;
}

/**
 * Takes `<file>.lock`, which holds the owner's process id. The id is in the lock from its first instant on, because
 * a finished draft is linked to the name; linking fails when the name exists.
 */
function lock(file: string, probe: string): () => void {
  const name = `${file}.lock`;
  const draft = `${name}.${process.pid}`;
  attempt(file, () => writeFileSync(draft, String(process.pid)));
  try {
    if (!tryLink(draft, name, file)) {
      if (isAlive(ownerOf(name))) throw StationError.of("PROBE_BUSY", { probe });
      rmSync(name, { force: true });
      if (!tryLink(draft, name, file)) throw StationError.of("PROBE_BUSY", { probe });
    }
  } finally {
    unlinkSync(draft);
  }
  return () => rmSync(name, { force: true });
}

function tryLink(draft: string, name: string, file: string): boolean {
  try {
    linkSync(draft, name);
    return true;
  } catch (thrown) {
    if (errno(thrown) === "EEXIST") return false;
    throw stateFileError(file, thrown);
  }
}

function ownerOf(lockFile: string): number {
  try {
    return Number(readFileSync(lockFile, "utf8"));
  } catch (thrown) {
    // The owner gave it back in this moment: nobody holds it.
    if (errno(thrown) === "ENOENT") return 0;
    throw thrown;
  }
}

function isAlive(processId: number): boolean {
  if (!Number.isInteger(processId) || processId <= 0) return false;
  try {
    process.kill(processId, 0);
    return true;
  } catch (thrown) {
    // EPERM: it lives and belongs to somebody else.
    return errno(thrown) === "EPERM";
  }
}

function attempt<Result>(file: string, action: () => Result): Result {
  try {
    return action();
  } catch (thrown) {
    throw stateFileError(file, thrown);
  }
}

function stateFileError(file: string, thrown: unknown): StationError {
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  return StationError.of("STATE_FILE_INVALID", { file, detail }, { cause: thrown });
}

function errno(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : undefined;
}
