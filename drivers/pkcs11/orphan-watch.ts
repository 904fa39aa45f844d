import { Worker } from "node:worker_threads";

/** How often the watch looks; an orphan lives no longer than this. */
const intervalMs = 500;

/** Plain JavaScript, because it is handed to the worker as text. */
const watch = `
const { workerData } = require("node:worker_threads");
setInterval(() => {
  let alive = process.ppid === workerData.parent;
  try { process.kill(workerData.parent, 0); } catch (error) { if (error.code === "ESRCH") alive = false; }
  if (!alive) process.kill(process.pid, "SIGKILL");
}, workerData.intervalMs);
`;

/**
 * Ends this process when its parent is gone. In a thread of its own, because the main one may be stuck in a module
 * that never returns and would not see its pipe end.
 */
export function watchParent(parent: number): void {
  new Worker(watch, { eval: true, workerData: { parent, intervalMs } }).unref();
}
