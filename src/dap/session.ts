import { StationError } from "../errors/station-error.ts";
import type { Clock, DebugPort, Memory, Probe } from "../ports/index.ts";
import { initDebugPort, isLinkTrouble } from "./link.ts";

export interface ReattachOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Pause between two attempts; 100 ms unless told. */
  readonly intervalMs?: number;
}

/** A debug connection that can be picked up again after the target was away. */
export interface DebugSession {
  readonly probe: Probe;
  /** DPIDR as read at the latest attach. */
  readonly dpidr: number;
  /** The SWD clock in use; falls when a reattach has to slow down. */
  readonly actualKilohertz: number;
  /** The core's access port. */
  readonly ap: number;
  /** The debug port of the latest attach. */
  readonly port: DebugPort;
  /** Makes another access port the core's and opens it, once it is known which device this is. */
  useAp(ap: number): Promise<void>;
  /** Memory behind an access port (the core's unless told) of the latest attach. Ask again after a reattach. */
  memory(ap?: number, csw?: number): Memory;
  /**
   * Leaves debug mode, enters SWD, powers the debug port up and opens the core's access port; repeated until it works.
   * Slows the SWD clock to half after every second broken transfer in a row. Nothing on the target is reset or halted.
   * @throws TARGET_NO_ANSWER when the time is over; failures of the probe itself at once
   */
  reattach(options: ReattachOptions): Promise<void>;
}

/** What `attachSession` needs to begin with. */
export interface Attachment {
  readonly probe: Probe;
  readonly clock: Clock;
  readonly ap: number;
  readonly actualKilohertz: number;
  readonly port: DebugPort;
  readonly dpidr: number;
}

/** Below this, slowing down further does not help a bad wire (the slowest step of an ST-LINK/V3 but two). */
const slowestKilohertz = 200;

/** A session on a debug port that is initialized and whose access port is open. */
export function createSession(attachment: Attachment): DebugSession {
  const { probe, clock } = attachment;
  let { ap, port, dpidr, actualKilohertz } = attachment;

  async function attach(): Promise<void> {
    const entered = await probe.enterSwd();
    const identified = await initDebugPort(probe, entered, clock);
    await entered.openAp(ap);
    port = entered;
    dpidr = identified;
  }

  async function useAp(other: number): Promise<void> {
    if (other === ap) return;
    await port.openAp(other);
    ap = other;
  }

  async function slowDown(): Promise<void> {
    if (actualKilohertz <= slowestKilohertz) return;
    actualKilohertz = await probe.setClock(Math.max(slowestKilohertz, Math.floor(actualKilohertz / 2)));
  }

  async function reattach({ timeoutMs, signal, intervalMs = 100 }: ReattachOptions): Promise<void> {
    const deadline = clock.monotonicMs() + timeoutMs;
    for (let wireErrors = 0; ; ) {
      signal?.throwIfAborted();
      try {
        await attach();
        return;
      } catch (thrown) {
        if (!isLinkTrouble(thrown)) throw thrown;
        const left = deadline - clock.monotonicMs();
        if (left <= 0) {
          throw StationError.of(
            "TARGET_NO_ANSWER",
            { detail: `not within ${timeoutMs} ms: ${thrown.message}` },
            { cause: thrown },
          );
        }
        // TARGET_LINK_LOST after a good ENTER is what parity and acknowledge errors look like from here.
        wireErrors = thrown.code === "TARGET_LINK_LOST" ? wireErrors + 1 : 0;
        if (wireErrors === 2) {
          wireErrors = 0;
          await slowDown();
        }
        await clock.sleep(Math.min(intervalMs, left), signal);
      }
    }
  }

  return {
    probe,
    get ap() {
      return ap;
    },
    get dpidr() {
      return dpidr;
    },
    get actualKilohertz() {
      return actualKilohertz;
    },
    get port() {
      return port;
    },
    memory: (otherAp = ap, csw) => port.memory(otherAp, csw),
    useAp,
    reattach,
  };
}
