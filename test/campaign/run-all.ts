import { Worker } from "node:worker_threads";
import type { Case } from "./cases.ts";
import type { Verdict } from "./one-run.ts";

/**
 * Runs the cases on `threads` threads. The verdicts come in the order of the cases, however the threads ran.
 * @param onVerdict told of every verdict with the number done so far
 * @throws what a worker throws; Error when one ends without having run its share
 */
export async function runAll(
  cases: readonly Case[],
  threads: number,
  onVerdict: (done: number, verdict: Verdict) => void,
): Promise<readonly Verdict[]> {
  const verdicts = new Map<number, Verdict>();
  const shares = Array.from({ length: threads }, (_, thread) =>
    cases.map((_case, index) => index).filter((index) => index % threads === thread),
  );
  await Promise.all(
    shares.map((share) => {
      const workerData = share.map((index) => cases[index]);
      return new Promise<void>((resolve, reject) => {
        let done = 0;
        const worker = new Worker(new URL("./worker.js", import.meta.url), { workerData });
        worker.on("message", (verdict: Verdict) => {
          verdicts.set(share[done++] ?? -1, verdict);
          onVerdict(verdicts.size, verdict);
        });
        worker.on("error", reject);
        worker.on("exit", () => {
          if (done === share.length) resolve();
          else reject(new Error(`a run did not end: ${JSON.stringify(workerData[done])}`));
        });
      });
    }),
  );
  return cases.flatMap((_, index) => verdicts.get(index) ?? []);
}
