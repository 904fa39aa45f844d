import { asStationError, StationError } from "../../src/errors/station-error.ts";

/** One request to a counting source. */
export interface CountedRequest {
  /** The licenses left before it. */
  readonly before: () => Promise<number | undefined>;
  /** The licenses left after it; throws or gives undefined when they cannot be read. */
  readonly after: () => Promise<number | undefined>;
  readonly issue: () => Promise<Uint8Array>;
}

/**
 * Asks a counting source for one license and, when that fails, says whether one was spent: a card may count a license
 * that never arrives, and then only its counter tells.
 * @param source name for messages
 * @throws what `issue` threw when the counter is unchanged; HSM_LICENSE_LOST when it fell; HSM_OUTCOME_UNKNOWN when it
 *   cannot be read any more
 */
export async function issueSettled(source: string, request: CountedRequest): Promise<Uint8Array> {
  const before = await request.before();
  try {
    return await request.issue();
  } catch (thrown) {
    const error = asStationError(thrown);
    const after = await counterOrUndefined(request.after);
    // Nothing was counted, before or after: the request was refused for another reason.
    if (after === before) throw error;
    if (before === undefined || after === undefined) {
      throw StationError.of(
        "HSM_OUTCOME_UNKNOWN",
        { source, reason: error.message, before: before ?? "not known" },
        { cause: error, licenseSpent: true },
      );
    }
    throw StationError.of(
      "HSM_LICENSE_LOST",
      { source, before, after, reason: error.message },
      { cause: error, licenseSpent: true },
    );
  }
}

/** A failure to read is an answer here: the outcome is not known. */
async function counterOrUndefined(
  readCounter: () => Promise<number | undefined>,
): Promise<number | undefined> {
  try {
    return await readCounter();
  } catch {
    return undefined;
  }
}
