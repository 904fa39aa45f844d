import { readFileSync } from "node:fs";
import { join } from "node:path";

/** How something is to end on either USB tier: on the user-space bus of these tests, and on a real kernel (test/kernel). */
interface ExpectedOutcomes {
  /** What port-client.mjs says, by scenario; it ends by itself with exit code 0. */
  readonly scenarios: Readonly<Record<PortScenario | "unplugged", unknown>>;
  /** Code and exit code of a command that fails. */
  readonly commands: Readonly<
    Record<"heldByAnother" | "leavesTheBus", { readonly code: string; readonly exit: number }>
  >;
  /** Part of what `sfi inspect --json` prints of an STLINK-V3 and an H753. */
  readonly inspected: { readonly probe: object; readonly target: object };
  /** Texts in OpenOCD's output, by probe. */
  readonly openocd: Readonly<Record<"v3" | "v2-1", readonly string[]>>;
}

/** Scenarios of port-client.mjs that need nobody else. */
export type PortScenario = "version" | "silence" | "stall" | "overflow" | "readFirst" | "reset" | "exitOpen";

export const expectedOutcomes: ExpectedOutcomes = JSON.parse(
  readFileSync(join(import.meta.dirname, "expected-outcomes.json"), "utf8"),
);
