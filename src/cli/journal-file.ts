import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { StationError } from "../errors/station-error.ts";
import type { JournalSink } from "../ports/index.ts";
import { syncFolder, systemDetail } from "./files.ts";

/**
 * A new journal file; it must not exist yet.
 * @throws OUTPUT_UNWRITABLE now, JOURNAL_UNWRITABLE on a later append
 */
export async function createJournalFile(file: string): Promise<JournalSink> {
  const handle = await open(file, "ax", 0o644)
    .then(async (opened) => {
      await syncFolder(dirname(file));
      return opened;
    })
    .catch((error: unknown) => {
      throw StationError.of("OUTPUT_UNWRITABLE", { file, detail: systemDetail(error) }, { cause: error });
    });
  return {
    name: file,
    async append(line, durable) {
      try {
        await handle.appendFile(`${line}\n`);
        if (durable) await handle.datasync();
      } catch (error) {
        throw StationError.of("JOURNAL_UNWRITABLE", { file, detail: systemDetail(error) }, { cause: error });
      }
    },
    close: () => handle.close(),
  };
}
