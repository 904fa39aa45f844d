import { isStationError, StationError } from "../../src/errors/station-error.ts";
import type { BulkOpener, BulkPort, Clock } from "../../src/ports/index.ts";
import type { Command } from "./command.ts";
import { getVersion } from "./frames.ts";
import { statusOk } from "./status.ts";

/**
 * At least 6 s: halting a target that is itself a USB device can stall the shared bus for about 5 s, and giving up on
 * a good packet puts probe and station out of step (OpenOCD, commit f0d8c3b0e).
 */
export const transferTimeoutMs = 6000;
/** A stale reply is there at once or not at all. */
const drainTimeoutMs = 10;
const drainBytes = 8192;
const drainReads = 16;
/** A reply that comes after the pipe was drained spoils one check, so there is another. */
const stepChecks = 2;
const settleAfterResetMs = 1000;

const recoverable = ["USB_TIMEOUT", "USB_STALL", "USB_OVERFLOW", "USB_IO", "PROBE_PROTOCOL"] as const;

/** What came back of one command. */
export interface Answer<Reply> {
  /** Byte 0 of the reply where the command keeps its status there, otherwise OK. */
  readonly status: number;
  readonly value: Reply;
}

/**
 * One command at a time over the bulk port, in step with the probe. After a broken transfer the next reply could be
 * the previous command's, so nothing more is sent before a version reply has proved that both sides agree again; where
 * they never do, the USB device is reset and opened anew.
 */
export class Wire {
  readonly #opener: BulkOpener;
  readonly #clock: Clock;
  #port: BulkPort;
  #broken: StationError | undefined;
  #connections = 1;
  #recoveries = 0;

  /** @param port the open port; from here on it is the wire's to close. */
  constructor(opener: BulkOpener, clock: Clock, port: BulkPort) {
    this.#opener = opener;
    this.#clock = clock;
    this.#port = port;
  }

  /** Counts openings of the device. After a new one the probe has forgotten mode, access ports and NRST. */
  get connections(): number {
    return this.#connections;
  }

  /** Counts broken transfers that were put right. After one, the probe's mode is not known for certain. */
  get recoveries(): number {
    return this.#recoveries;
  }

  /**
   * Sends a command, its data, and receives its reply. After a transfer error the pipe is put in step again and the
   * command repeated if that does no harm.
   * @throws the original USB_* or PROBE_PROTOCOL error when the command is not known to be repeatable or recovery
   *   failed; TARGET_LINK_LOST when the probe stalled a command that needs a target; PROBE_LOST
   */
  async exchange<Reply>(command: Command<Reply>): Promise<Answer<Reply>> {
    const connection = this.#connections;
    for (let first = true; ; first = false) {
      if (this.#broken !== undefined) throw this.#broken;
      try {
        return await this.#transfer(command);
      } catch (thrown) {
        if (!isStationError(thrown, ...recoverable)) throw thrown;
        await this.#recover(thrown);
        const harmless =
          command.repeatable === "always" ||
          (command.repeatable === "same-connection" && this.#connections === connection);
        if (!first || !harmless) throw asSeenFrom(command, thrown);
      }
    }
  }

  /** Sends a command that is the last one and has no reply: whatever goes wrong is thrown as it is, nothing is recovered. */
  async sendLast(command: Command<undefined>): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken;
    await this.#port.send(command.frame, transferTimeoutMs);
  }

  /** Closes the port. */
  async close(): Promise<void> {
    this.#broken = StationError.of("INTERNAL", { detail: "the probe was used after it had been closed" });
    await this.#port.close();
  }

  async #transfer<Reply>(command: Command<Reply>): Promise<Answer<Reply>> {
    await this.#port.send(command.frame, transferTimeoutMs);
    if (command.data !== undefined) await this.#port.send(command.data, transferTimeoutMs);
    if (command.replyBytes === 0) return { status: statusOk, value: command.unpack(new Uint8Array(0)) };
    const reply = await this.#port.receive(command.replyBytes, transferTimeoutMs);
    if (reply.length !== command.replyBytes) {
      const detail = `${reply.length} bytes instead of ${command.replyBytes}`;
      throw StationError.of("PROBE_PROTOCOL", { command: command.name, detail });
    }
    const status = command.statusFrom === "reply" ? (reply[0] ?? 0) : statusOk;
    return { status, value: command.unpack(reply) };
  }

  /** Returns when both sides are in step again. @throws `original` (with what recovery met as its cause), PROBE_LOST */
  async #recover(original: StationError): Promise<void> {
    this.#recoveries += 1;
    try {
      for (let check = 0; check < stepChecks; check++) {
        await this.#drain();
        const answer = await this.#askVersion();
        if (answer === "version") return;
        if (answer === "silence") break;
      }
      await this.#reopen();
    } catch (secondary) {
      const lost = isStationError(secondary, "PROBE_LOST");
      this.#broken = lost ? secondary.in({ cause: original }) : original.in({ cause: secondary });
      throw this.#broken;
    }
  }

  /** Reads until the probe has nothing more to say. */
  async #drain(): Promise<void> {
    for (let read = 0; read < drainReads; read++) {
      try {
        const stale = await this.#port.receive(drainBytes, drainTimeoutMs);
        if (stale.length === 0) return;
      } catch (thrown) {
        if (isStationError(thrown, "USB_TIMEOUT")) return;
        if (!isStationError(thrown, ...recoverable)) throw thrown;
      }
    }
  }

  /** What a version request is answered with. */
  async #askVersion(): Promise<"version" | "something-else" | "silence"> {
    try {
      await this.#transfer(getVersion());
      return "version";
    } catch (thrown) {
      if (!isStationError(thrown, ...recoverable)) throw thrown;
      return thrown.code === "USB_TIMEOUT" ? "silence" : "something-else";
    }
  }

  async #reopen(): Promise<void> {
    await this.#port.close();
    this.#port = await this.#opener.open({ reset: true });
    this.#connections += 1;
    await this.#clock.sleep(settleAfterResetMs);
    await this.#transfer(getVersion());
  }
}

/** A stall of a command that needs the target says that the probe has no link to it; otherwise the error as it is. */
function asSeenFrom(command: Command<unknown>, error: StationError): StationError {
  if (error.code !== "USB_STALL" || command.place === undefined) return error;
  const detail = `${command.name}: the probe has no link to the target`;
  return StationError.of("TARGET_LINK_LOST", { detail }, { cause: error });
}
