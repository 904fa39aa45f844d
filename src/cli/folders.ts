import { homedir } from "node:os";
import { join } from "node:path";

/** Where the station keeps what outlives a run, by the XDG base directory rules. */
export function stateFolder(name: string): string {
  const base = process.env["XDG_STATE_HOME"] || join(homedir(), ".local", "state");
  return join(base, "sfi-station", name);
}
