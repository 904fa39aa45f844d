import type { DebugPort } from "../../src/ports/index.ts";
import type { Capabilities } from "./capabilities.ts";
import { closeAp, openAp, readDapRegister, writeDapRegister } from "./frames-dap.ts";
import type { Link, Session } from "./link.ts";
import { probeMemory } from "./memory.ts";

/** DP SELECT: the probe writes it by itself before every access, and masks or misreads what a host writes there. */
const selectRegister = 0x08;

/**
 * Register access for one stay in debug mode; once that is over every method throws TARGET_LINK_LOST.
 * @throws (all methods) what Link.run throws; RangeError for a write to SELECT
 */
export function probeDebugPort(link: Link, capabilities: Capabilities, session: Session): DebugPort {
  return {
    readDp: (register) => link.run(readDapRegister(undefined, register), session),
    writeDp: async (register, value) => {
      if ((register & 0x0f) === selectRegister) throw new RangeError("the probe writes SELECT by itself");
      await link.run(writeDapRegister(undefined, register, value), session);
    },
    openAp: (ap) => link.run(openAp(ap), session),
    closeAp: (ap) => link.run(closeAp(ap), session),
    readAp: (ap, register) => link.run(readDapRegister(ap, register), session),
    writeAp: (ap, register, value) => link.run(writeDapRegister(ap, register, value), session),
    memory: (ap, csw) => probeMemory(link, capabilities, session, ap, csw),
  };
}
