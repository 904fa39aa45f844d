import { equalBytes } from "../bytes/bytes.ts";
import { hex32 } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import { type InstallSession, need } from "./session.ts";

/**
 * Puts the RSS extension binary into its place in RAM and reads it back, on families that install with one. RAM only:
 * nothing that outlives a power cycle.
 * @throws RAM_VERIFY_FAILED; RangeError without a binary, which the pre-flight checks have asked for
 */
export async function loadRsse(session: InstallSession): Promise<void> {
  const { debug, identity } = need(session.found, "the chip");
  const { rsse } = identity.manifest.sfi;
  if (rsse === undefined) return;
  const { bytes } = need(session.job.rsse, "the RSSe binary");
  const memory = debug.memory();
  await memory.write(rsse.window.address, bytes);
  if (!equalBytes(await memory.read(rsse.window.address, bytes.length), bytes)) {
    throw StationError.of("RAM_VERIFY_FAILED", { address: hex32(rsse.window.address) });
  }
}
