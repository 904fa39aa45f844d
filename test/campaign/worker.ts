import { parentPort, workerData } from "node:worker_threads";
import type { Case } from "./cases.ts";
import { measureReference, runCase } from "./one-run.ts";

/** Runs its share of the cases and sends each verdict as it comes. */
const reference = await measureReference();
for (const each of workerData as readonly Case[]) {
  parentPort?.postMessage(await runCase(each, reference));
}
