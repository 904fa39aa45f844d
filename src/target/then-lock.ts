import { asStationError } from "../errors/station-error.ts";

/**
 * Runs `work`, then `lock`, also when the work failed: a controller is never left open. The first failure is the one
 * that is thrown; a failure of `lock` behind it becomes its cause.
 */
export async function thenLock<T>(work: () => Promise<T>, lock: () => Promise<void>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (thrown) {
    try {
      await lock();
    } catch (second) {
      throw asStationError(thrown).in({ cause: second });
    }
    throw thrown;
  }
  await lock();
  return result;
}

/** Runs `work`, then `lock` only when the work failed: for parts that must be open for the step that follows. */
export async function orLock<T>(work: () => Promise<T>, lock: () => Promise<void>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    try {
      await lock();
    } catch (second) {
      throw asStationError(thrown).in({ cause: second });
    }
    throw thrown;
  }
}
