import { hex32 } from "../../src/bytes/hex.ts";
import { isStationError, StationError } from "../../src/errors/station-error.ts";
import type {
  BulkOpener,
  Clock,
  DebugPort,
  NrstLevel,
  Probe,
  ProbeAttachment,
  ProbeIdentity,
} from "../../src/ports/index.ts";
import { type Capabilities, capabilitiesOf } from "./capabilities.ts";
import type { Command } from "./command.ts";
import { probeDebugPort } from "./debug-port.ts";
import {
  driveNrst,
  enterSwd,
  getExtendedVersion,
  getMode,
  getTargetVoltage,
  getVersion,
  leaveDebug,
  leaveDfu,
  leaveSwim,
  probeMode,
} from "./frames.ts";
import { readIdcodes } from "./frames-dap.ts";
import { stlinkProduct } from "./ids.ts";
import { Link } from "./link.ts";
import { setSwdClock } from "./swd-clock.ts";
import { Wire } from "./wire.ts";

/** How to leave each mode. Mass storage and bootloader mode need nothing. */
const leaveCommands: ReadonlyMap<number, () => Command<undefined>> = new Map([
  [probeMode.dfu, leaveDfu],
  [probeMode.debug, leaveDebug],
  [probeMode.swim, leaveSwim],
]);

/**
 * Opens a probe: mode, version, capabilities, and out of whatever mode an earlier program left it in.
 * Four transfers on a V2, six on a V3, three more when there is a mode to leave. Stale replies of an earlier program
 * are not looked for: they show themselves as a version that does not parse, and are drained then.
 * @throws PROBE_UNSUPPORTED (V1, loaders, stuck in update mode, STM8 only), PROBE_FIRMWARE_OLD, what opener.open throws,
 *   USB_* and PROBE_PROTOCOL when no version reply can be had
 */
export async function openStlink(opener: BulkOpener, clock: Clock): Promise<Probe> {
  const { attachment } = opener;
  refuseUnusable(attachment);
  const link = new Link(new Wire(opener, clock, await opener.open()), clock);
  try {
    let mode = await link.run(getMode());
    const version = await link.run(getVersion());
    const extended = version.major >= 3 ? await link.run(getExtendedVersion()) : undefined;
    if (link.recoveries > 0) mode = await link.run(getMode());
    const capabilities = capabilitiesOf(version, extended, attachment);
    mode = await becomeIdle(link, mode, attachment);
    return new StlinkProbe(link, capabilities, attachment, mode);
  } catch (thrown) {
    await link.close();
    throw thrown;
  }
}

function refuseUnusable({ vendorId, productId, selector }: ProbeAttachment): void {
  const product = stlinkProduct(vendorId, productId);
  const reasons = {
    v1: "it is an ST-LINK/V1, which cannot debug over SWD reliably",
    loader: "it is in firmware-update mode; plug it in again",
    probe: undefined,
  } as const;
  const detail = product === undefined ? "it is no ST-LINK" : reasons[product.role];
  if (detail !== undefined) throw StationError.of("PROBE_UNSUPPORTED", { probe: selector, detail });
}

/** Leaves the mode the probe was found in; answers the one it is in then. */
async function becomeIdle(link: Link, found: number, attachment: ProbeAttachment): Promise<number> {
  const leave = leaveCommands.get(found);
  if (leave === undefined) return found;
  await link.run(leave());
  const mode = await link.run(getMode());
  if (mode === probeMode.dfu) {
    const detail = "it does not leave firmware-update mode; plug it in again";
    throw StationError.of("PROBE_UNSUPPORTED", { probe: attachment.selector, detail });
  }
  if (leaveCommands.has(mode)) {
    const detail = `still in mode ${mode} after leaving mode ${found}`;
    throw StationError.of("PROBE_PROTOCOL", { command: "GET_CURRENT_MODE", detail });
  }
  return mode;
}

class StlinkProbe implements Probe {
  readonly identity: ProbeIdentity;
  readonly #link: Link;
  readonly #capabilities: Capabilities;
  readonly #attachment: ProbeAttachment;
  #mode: number | undefined;
  #nrst: NrstLevel = "high";
  #recoveriesSeen = 0;
  #connectionsSeen = 1;
  #closed = false;

  constructor(link: Link, capabilities: Capabilities, attachment: ProbeAttachment, mode: number) {
    this.#link = link;
    this.#capabilities = capabilities;
    this.#attachment = attachment;
    this.#mode = mode;
    this.#noteRecoveries(mode);
    const { kind, selector, vendorId, productId, serial } = attachment;
    const { product, firmware } = capabilities;
    this.identity = {
      kind,
      selector,
      vendorId,
      productId,
      serial,
      product,
      firmware,
      real: kind === "usb" && attachment.emulated !== true,
    };
  }

  async readTargetMillivolts(): Promise<number | undefined> {
    return await this.#link.run(getTargetVoltage());
  }

  async setClock(kilohertz: number): Promise<number> {
    return await setSwdClock(this.#link, this.#capabilities, kilohertz);
  }

  async setNrst(level: NrstLevel): Promise<void> {
    const debugging = this.#mode === probeMode.debug;
    this.#nrst = level;
    try {
      await this.#link.run(driveNrst(level));
    } catch (thrown) {
      // Outside debug mode some V2 firmware refuses the pin (OpenOCD); enterSwd drives it again and does check.
      if (debugging || !isStationError(thrown, "PROBE_COMMAND_FAILED", "USB_STALL")) throw thrown;
    }
  }

  async enterSwd({ keepNrst = false }: { readonly keepNrst?: boolean } = {}): Promise<DebugPort> {
    const holdLow = keepNrst && this.#nrst === "low";
    await this.#leave(holdLow);
    const session = this.#link.beginSession();
    try {
      await this.#link.run(enterSwd());
      this.#mode = probeMode.debug;
      if (holdLow) await this.#link.run(driveNrst("low"));
      await this.#checkDebugMode();
      const identifier = await this.#link.run(readIdcodes(), session);
      if (identifier === 0 || identifier === 0xffffffff) {
        throw StationError.of("TARGET_NO_ANSWER", { detail: `DPIDR ${hex32(identifier)}` });
      }
    } catch (thrown) {
      this.#mode = undefined;
      throw noAnswer(thrown);
    }
    return probeDebugPort(this.#link, this.#capabilities, session);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      // Leaving debug mode releases NRST; outside it the pin has to be released by hand.
      if (this.#mode === undefined || this.#mode === probeMode.debug) await this.#link.sendLast(leaveDebug());
      else if (this.#nrst === "low") await this.#link.run(driveNrst("high"));
    } catch (thrown) {
      // A probe that is gone or hangs cannot be told to leave debug mode, and the job it was used for has had its
      // result by now. The next program finds it in debug mode and leaves that first.
      if (!(thrown instanceof StationError)) throw thrown;
    } finally {
      await this.#link.close();
    }
  }

  /**
   * Out of debug mode, with NRST as `holdLow` says. Leaving releases NRST, so a V3 that must hold it stays: since J5 it
   * can be entered again as it is (psdb).
   */
  async #leave(holdLow: boolean): Promise<void> {
    const mode = await this.#currentMode();
    if (mode === probeMode.debug && holdLow && this.#capabilities.features.has("reattachWithoutExit")) return;
    if (leaveCommands.has(mode)) {
      this.#mode = await this.#leaveMode(mode);
      if (holdLow) await this.setNrst("low");
      else this.#nrst = "high";
    } else if (!holdLow && this.#nrst === "low") {
      await this.setNrst("high");
    }
  }

  /** Debug mode is left without looking back: what follows is ENTER, which tells. */
  async #leaveMode(mode: number): Promise<number> {
    if (mode !== probeMode.debug) return await becomeIdle(this.#link, mode, this.#attachment);
    await this.#link.run(leaveDebug());
    return probeMode.massStorage;
  }

  async #checkDebugMode(): Promise<void> {
    const mode = await this.#link.run(getMode());
    if (mode === probeMode.debug) return;
    throw StationError.of("TARGET_NO_ANSWER", { detail: `the probe stayed in mode ${mode}` });
  }

  /** The mode, asked for when a broken transfer or a failed entry made it uncertain. */
  async #currentMode(): Promise<number> {
    if (this.#mode !== undefined && this.#recoveriesSeen === this.#link.recoveries) return this.#mode;
    const mode = await this.#link.run(getMode());
    this.#noteRecoveries(mode);
    return mode;
  }

  #noteRecoveries(mode: number): void {
    this.#mode = mode;
    this.#recoveriesSeen = this.#link.recoveries;
    if (this.#connectionsSeen !== this.#link.connections) this.#nrst = "high"; // a reset probe lets go of the pin
    this.#connectionsSeen = this.#link.connections;
  }
}

/** A failure to enter, said as what it means at the bench. */
function noAnswer(thrown: unknown): unknown {
  if (!isStationError(thrown, "TARGET_LINK_LOST", "TARGET_FAULT", "PROBE_COMMAND_FAILED", "USB_STALL"))
    return thrown;
  return StationError.of("TARGET_NO_ANSWER", { detail: thrown.message }, { cause: thrown });
}
