import { abortInstall, restoreOptionBytes, verifyEndState } from "./effects-end.ts";
import { inspectChip, planJob, readPackage } from "./effects-inspect.ts";
import { activateSecurity, askRss, obtainChipLicense } from "./effects-prepare.ts";
import { awaitReturn, stagePart, startRss } from "./effects-rss.ts";
import { settlePart } from "./effects-settle.ts";
import type { EventOf, RunningState } from "./machine.ts";
import type { InstallSession } from "./session.ts";

/** The work of each state: does it, journals it, and returns the event that happened. Never calls another effect. */
export const effects: {
  readonly [S in RunningState]: (session: InstallSession) => Promise<EventOf<S>>;
} = {
  idle: readPackage,
  planned: planJob,
  inspected: inspectChip,
  certified: activateSecurity,
  armed: askRss,
  ready: obtainChipLicense,
  licensed: stagePart,
  staged: startRss,
  detached: awaitReturn,
  settling: settlePart,
  verifying: verifyEndState,
  restoring: restoreOptionBytes,
  aborting: abortInstall,
};
