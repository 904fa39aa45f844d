import { concatBytes } from "../../../src/bytes/bytes.ts";
import type { LinkTimer } from "../timing.ts";
import { type CommandName, commandOf } from "./commands.ts";
import type { VirtualProbe } from "./probe.ts";

const commandBytes = 16;

/** What becomes of the bytes of an OUT transfer; a violation is something the framing does not allow. */
export type OutAnswer =
  | { readonly kind: "taken" }
  | { readonly kind: "stall" }
  | { readonly kind: "violation"; readonly detail: string };
const taken: OutAnswer = { kind: "taken" };

/** What the host gets when it asks for IN data. */
export type InAnswer =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "nothing" }
  | { readonly kind: "stall" };

/**
 * The USB side of a probe: which bytes are a command, which are its data, and which replies wait to be fetched. A
 * command is 16 bytes; at most one data phase of exactly the announced length follows.
 */
export class UsbDevice {
  readonly probe: VirtualProbe;
  readonly #link: LinkTimer;
  /** Replies not fetched yet. More than one only after a reply came too late. */
  readonly #replies: Uint8Array[] = [];
  #expected: { readonly sizeBytes: number; readonly accept: (data: Uint8Array) => void } | undefined;
  #received: Uint8Array[] = [];
  #stalled = false;
  #lateReplies = 0;

  constructor(probe: VirtualProbe, link: LinkTimer) {
    this.probe = probe;
    this.#link = link;
  }

  /** The command that an OUT transfer with these bytes carries; undefined for data. */
  commandIn(data: Uint8Array): CommandName | undefined {
    return this.#expected === undefined && data.length === commandBytes ? commandOf(data) : undefined;
  }

  /** Takes the bytes of one OUT transfer. */
  out(data: Uint8Array): OutAnswer {
    this.#link.out(data.length);
    if (this.#expected !== undefined) return this.#data(data, this.#expected.sizeBytes);
    // The data of a command the probe has refused.
    if (this.#stalled && data.length !== commandBytes) return { kind: "stall" };
    if (data.length !== commandBytes)
      return violation(`${data.length} bytes where a 16-byte command belongs`);
    if (this.#replies.length > this.#lateReplies)
      return violation("a command while a reply has not been fetched");
    const phase = this.probe.accept(data);
    this.#stalled = phase.kind === "stall";
    if (phase.kind === "in") this.#replies.push(phase.bytes);
    if (phase.kind === "out") this.#expected = phase;
    return taken;
  }

  #data(data: Uint8Array, sizeBytes: number): OutAnswer {
    this.#received.push(data);
    const received = concatBytes(...this.#received);
    if (received.length > sizeBytes)
      return violation(`${received.length} data bytes where ${sizeBytes} belong`);
    if (received.length < sizeBytes) return taken;
    const accept = this.#expected?.accept;
    this.#expected = undefined;
    this.#received = [];
    accept?.(received);
    return taken;
  }

  /** The reply an IN transfer fetches. */
  in(): InAnswer {
    if (this.#stalled) return { kind: "stall" };
    const bytes = this.#replies.shift();
    if (bytes === undefined) return { kind: "nothing" };
    this.#lateReplies = Math.max(0, this.#lateReplies - 1);
    this.#link.in(bytes.length);
    return { kind: "bytes", bytes };
  }

  /** The waiting replies will come, but not in time: a later transfer fetches them. */
  delayReplies(): void {
    this.#lateReplies = this.#replies.length;
  }

  /** Both endpoints halted and cleared again: whatever was under way is forgotten. */
  halt(): void {
    this.#replies.length = 0;
    this.#lateReplies = 0;
    this.#expected = undefined;
    this.#received = [];
    this.#stalled = false;
  }
}

function violation(detail: string): OutAnswer {
  return { kind: "violation", detail };
}
