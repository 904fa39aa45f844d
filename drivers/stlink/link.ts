import { StationError } from "../../src/errors/station-error.ts";
import type { Clock } from "../../src/ports/index.ts";
import type { Command } from "./command.ts";
import { writeDapRegister } from "./frames-dap.ts";
import { getLastRwStatus } from "./frames-memory.ts";
import { retryJudge } from "./retry.ts";
import { type MiscOperation, type MiscResult, rwMiscGetMax, rwMiscIn, rwMiscOut } from "./rw-misc.ts";
import { statusEntry, statusError, type TargetPlace } from "./status.ts";
import type { Wire } from "./wire.ts";

/** One stay in debug mode. Access ports and debug state belong to it and end with it. */
export interface Session {
  readonly number: number;
  readonly connection: number;
}

/** ABORT: STKCMPCLR, STKERRCLR, WDERRCLR, ORUNERRCLR (Arm ADIv5). */
const clearStickyErrors = 0x1e;
const abortRegister = 0x00;

/**
 * Commands with their statuses: waits are waited for, faults are cleared and thrown with their address, everything else
 * is thrown by name. Callers take turns, so that a command and its status request are never torn apart.
 */
export class Link {
  readonly #wire: Wire;
  readonly #clock: Clock;
  #turn: Promise<unknown> = Promise.resolve();
  #sessions = 0;
  #miscLimit: number | undefined;

  constructor(wire: Wire, clock: Clock) {
    this.#wire = wire;
    this.#clock = clock;
  }

  /** See Wire.connections. */
  get connections(): number {
    return this.#wire.connections;
  }

  /** See Wire.recoveries. */
  get recoveries(): number {
    return this.#wire.recoveries;
  }

  /** Ends the current session, if any, and begins another. */
  beginSession(): Session {
    this.#sessions += 1;
    return { number: this.#sessions, connection: this.connections };
  }

  /**
   * Carries out one command. The whole command is sent again while it answers WAIT.
   * @param session the command is for this stay in debug mode and for no later one
   * @throws TARGET_BUSY, TARGET_FAULT (sticky errors are cleared by then), TARGET_LINK_LOST, ACCESS_PORT_REFUSED,
   *   PROBE_COMMAND_FAILED, and what Wire.exchange throws
   */
  run<Reply>(command: Command<Reply>, session?: Session): Promise<Reply> {
    return this.#inTurn(async () => {
      const judge = retryJudge();
      for (;;) {
        this.#checkSession(session);
        const { status, value, faultAddress } = await this.#attempt(command);
        const verdict = judge(status);
        if (verdict.kind === "done") return value;
        if (verdict.kind === "failed")
          return await this.#fail(status, command.name, command.place, faultAddress);
        await this.#clock.sleep(verdict.pauseMs);
      }
    });
  }

  /** One RW_MISC command, without judging its statuses: what was carried out must not be sent again. */
  misc(operations: readonly MiscOperation[], ap: number, session: Session): Promise<readonly MiscResult[]> {
    return this.#inTurn(async () => {
      this.#checkSession(session);
      await this.#wire.exchange(rwMiscOut(operations, ap));
      return (await this.#wire.exchange(rwMiscIn(operations.length, ap))).value;
    });
  }

  /** Most operations of one RW_MISC command; asked for once. */
  async miscLimit(session: Session): Promise<number> {
    this.#miscLimit ??= await this.run(rwMiscGetMax(), session);
    return this.#miscLimit;
  }

  /** Waits before the next attempt. */
  pause(durationMs: number): Promise<void> {
    return this.#clock.sleep(durationMs);
  }

  /** Throws the error of a status, having cleared sticky errors first where it was a fault. */
  fail(status: number, command: string, place: TargetPlace): Promise<never> {
    return this.#inTurn(() => this.#fail(status, command, place, undefined));
  }

  /** Sends the last command, unless the probe is gone already. */
  sendLast(command: Command<undefined>): Promise<void> {
    return this.#inTurn(() => this.#wire.sendLast(command));
  }

  /** Closes the connection, after what is under way. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#wire.close());
  }

  async #attempt<Reply>(
    command: Command<Reply>,
  ): Promise<{ status: number; value: Reply; faultAddress?: number }> {
    const answer = await this.#wire.exchange(command);
    if (command.statusFrom !== "last-rw") return answer;
    const { value: last } = await this.#wire.exchange(getLastRwStatus());
    return { status: last.status, value: answer.value, faultAddress: last.faultAddress };
  }

  async #fail(
    status: number,
    command: string,
    place: TargetPlace | undefined,
    faultAddress: number | undefined,
  ): Promise<never> {
    const error = statusError(status, command, place, faultAddress);
    if (error.code !== "TARGET_FAULT") throw error;
    const { status: cleared } = await this.#wire.exchange(
      writeDapRegister(undefined, abortRegister, clearStickyErrors),
    );
    if (statusEntry(cleared).action === "ok") throw error;
    throw statusError(cleared, "clearing sticky errors", undefined).in({ cause: error });
  }

  #checkSession(session: Session | undefined): void {
    if (session === undefined) return;
    if (session.number === this.#sessions && session.connection === this.connections) return;
    throw StationError.of("TARGET_LINK_LOST", { detail: "the probe has left this debug session" });
  }

  #inTurn<Result>(job: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(job, job); // a failed predecessor's error belongs to its own caller
    this.#turn = result;
    return result;
  }
}
