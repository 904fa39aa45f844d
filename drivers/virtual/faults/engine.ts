import type { ChipObserver, VirtualChip } from "../chip/chip.ts";
import type { VirtualClock } from "../clock.ts";
import { type CommandName, status } from "../stlink/commands.ts";
import type { ProbeConditions } from "../stlink/probe.ts";
import type { Fault, FaultEffect, FaultTrigger } from "./script.ts";

/** What the transport does with one transfer instead of, or besides, carrying it out. */
export type TransferFault = Extract<
  FaultEffect,
  { kind: "stall" | "timeout" | "short-reply" | "late-reply" | "babble" | "disconnect" | "re-enumerate" }
>;
const transferKinds: readonly string[] = [
  "stall",
  "timeout",
  "short-reply",
  "late-reply",
  "babble",
  "disconnect",
  "re-enumerate",
];
const replyKinds: readonly string[] = ["short-reply", "late-reply", "babble"];

/** What refuses to let the probe be opened. */
export type OpenRefusal = "busy" | "permission" | "absent";

interface ForcedStatus {
  readonly code: number;
  readonly command: CommandName | undefined;
  left: number;
}

/** Runs a fault script: watches for the moments and holds what each fault has brought about. */
export class FaultEngine implements ProbeConditions, ChipObserver {
  readonly #waiting: Fault[];
  readonly #chip: VirtualChip;
  readonly #clock: VirtualClock;
  readonly #armed: { readonly fault: TransferFault; readonly notBefore: number }[] = [];
  readonly #forced: ForcedStatus[] = [];
  readonly #flips: { readonly offset: number; readonly bit: number }[] = [];
  readonly #faultAddresses: { readonly address: number; left: number }[] = [];
  readonly #commandCounts = new Map<CommandName, number>();
  readonly #stateCounts = new Map<string, number>();
  #state: { readonly name: string; readonly entry: number; transfers: number } | undefined;
  #transfer = 0;
  #nrst: "low" | "high" | undefined;
  #clockLimit: number | undefined;
  #silent = false;
  #hangRss = false;
  #busyLeft = 0;
  #permission = false;
  #absentUntilMs = 0;

  constructor(faults: readonly Fault[], chip: VirtualChip, clock: VirtualClock) {
    this.#waiting = [...faults];
    this.#chip = chip;
    this.#clock = clock;
    this.#strike((at) => at.kind === "start");
  }

  /** The host has entered a state of its job. */
  enterState(name: string): void {
    const entry = (this.#stateCounts.get(name) ?? 0) + 1;
    this.#stateCounts.set(name, entry);
    this.#state = { name, entry, transfers: 0 };
  }

  /**
   * A transfer begins.
   * @param direction seen from the host
   * @param command the command it carries, if it is a command block
   */
  beginTransfer(direction: "in" | "out", command?: CommandName): TransferFault | undefined {
    this.#transfer++;
    if (this.#state) this.#state.transfers++;
    if (command !== undefined) this.#commandCounts.set(command, (this.#commandCounts.get(command) ?? 0) + 1);
    this.#strike((at) => this.#isNow(at, command), command);
    const index = this.#armed.findIndex(
      ({ fault, notBefore }) =>
        this.#transfer >= notBefore && (direction === "in" || !replyKinds.includes(fault.kind)),
    );
    return index < 0 ? undefined : this.#armed.splice(index, 1)[0]?.fault;
  }

  #isNow(at: FaultTrigger, command: CommandName | undefined): boolean {
    if (at.kind === "transfer") return at.transfer === this.#transfer;
    if (at.kind === "command") {
      return at.command === command && this.#commandCounts.get(at.command) === at.occurrence;
    }
    if (at.kind !== "state") return false;
    const { name, entry, transfers } = this.#state ?? { name: "", entry: 0, transfers: 0 };
    return at.state === name && at.occurrence === entry && at.transfer === transfers;
  }

  /** Turns bits over in a payload, if a fault asks for it. */
  flip(payload: Uint8Array): Uint8Array {
    if (this.#flips.length === 0) return payload;
    const changed = payload.slice();
    for (const { offset, bit } of this.#flips.splice(0)) {
      if (offset < changed.length) changed[offset] = (changed[offset] ?? 0) ^ (1 << bit);
    }
    return changed;
  }

  /** Takes every fault whose moment has come. A command's transport faults hit what follows the command block. */
  #strike(isNow: (at: FaultTrigger) => boolean, command?: CommandName): void {
    for (const fault of this.#waiting.filter(({ at }) => isNow(at))) {
      this.#waiting.splice(this.#waiting.indexOf(fault), 1);
      const ofCommand = fault.at.kind === "command" ? command : undefined;
      this.#apply(fault.effect, ofCommand);
    }
  }

  #apply(effect: FaultEffect, command: CommandName | undefined): void {
    if (isTransferFault(effect)) {
      const withBlock =
        effect.kind === "disconnect" || effect.kind === "re-enumerate" || command === undefined;
      this.#armed.push({ fault: effect, notBefore: this.#transfer + (withBlock ? 0 : 1) });
    } else this.#bringAbout(effect, command);
  }

  #bringAbout(effect: Exclude<FaultEffect, TransferFault>, command: CommandName | undefined): void {
    switch (effect.kind) {
      case "status":
        this.#forced.push({ code: effect.code, command, left: effect.times });
        return;
      case "wait":
        this.#forced.push({ code: status.apWait, command, left: effect.times });
        return;
      case "fault-at":
        this.#faultAddresses.push({ address: effect.address, left: effect.times });
        return;
      case "bit-flip":
        this.#flips.push(effect);
        return;
      case "nrst-stuck":
        this.#nrst = effect.level;
        this.#chip.setNrst(effect.level === "low");
        return;
      case "clock-too-fast":
        this.#clockLimit = effect.kilohertz;
        return;
      case "busy":
        this.#busyLeft = effect.times;
        return;
      case "permission":
        this.#permission = true;
        return;
      case "no-answer":
        this.#silent = true;
        return;
      case "hang-rss":
        this.#hangRss = true;
        return;
      case "old-sfsp":
        this.#chip.setSfsp(0x00010100);
        return;
      case "power-loss":
      case "unpowered":
        this.#chip.powerOff();
        return;
      case "power-restore":
        this.#chip.powerOn();
        return;
      case "kill":
        process.kill(process.pid, "SIGKILL");
        return;
    }
  }

  /** Takes every fault away, those that were still to come too. What a fault has done to the chip stays done. */
  mend(): void {
    for (const list of [this.#waiting, this.#armed, this.#forced, this.#flips, this.#faultAddresses]) {
      list.length = 0;
    }
    this.#nrst = undefined;
    this.#clockLimit = undefined;
    this.#silent = false;
    this.#hangRss = false;
    this.#busyLeft = 0;
    this.#permission = false;
    this.#absentUntilMs = 0;
  }

  /** The probe has left the bus. */
  detach(returnsAfterMs: number): void {
    this.#absentUntilMs = this.#clock.monotonicMs() + returnsAfterMs;
  }

  /** Why the probe cannot be opened now; asked once for each attempt. */
  openRefusal(): OpenRefusal | undefined {
    if (this.#clock.monotonicMs() < this.#absentUntilMs) return "absent";
    if (this.#permission) return "permission";
    if (this.#busyLeft <= 0) return undefined;
    this.#busyLeft--;
    return "busy";
  }

  forcedStatus(command: CommandName): number | undefined {
    const entry = this.#forced.find(
      ({ command: wanted, left }) =>
        left > 0 &&
        (wanted === undefined ? !command.startsWith("GETLAST") && command !== "EXIT" : wanted === command),
    );
    if (entry === undefined) return undefined;
    entry.left--;
    return entry.code;
  }

  nrstStuck(): "low" | "high" | undefined {
    return this.#nrst;
  }

  noAnswer(): boolean {
    return this.#silent;
  }

  clockLimitKilohertz(): number | undefined {
    return this.#clockLimit;
  }

  faultWithin(address: number, sizeBytes: number): number | undefined {
    const hit = this.#faultAddresses.find(
      ({ address: at, left }) => left > 0 && at >= address && at < address + sizeBytes,
    );
    if (hit !== undefined) hit.left--;
    return hit?.address;
  }

  rssStep(elapsedMs: number): boolean {
    this.#strike((at) => at.kind === "rss" && at.phase === "running" && elapsedMs >= at.afterMs);
    return !this.#hangRss;
  }

  rssFinished(): void {
    this.#strike((at) => at.kind === "rss" && at.phase === "finished");
  }
}

function isTransferFault(effect: FaultEffect): effect is TransferFault {
  return transferKinds.includes(effect.kind);
}
