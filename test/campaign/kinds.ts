import type { Fault, FaultEffect } from "../../drivers/virtual/faults/script.ts";
import type { RecordedTransfer } from "./transfers.ts";

/** One kind of fault and the transfers it can strike at. */
export interface FaultKind {
  readonly name: string;
  readonly strikes: (transfer: RecordedTransfer) => boolean;
  /** @param random for kinds that have a place to choose */
  readonly faults: (transfer: RecordedTransfer, random: () => number) => readonly Fault[];
}

const everywhere = (): boolean => true;
const atReplies = ({ kind }: RecordedTransfer): boolean => kind === "reply";
const atCommands = ({ kind }: RecordedTransfer): boolean => kind === "command";
const atPayloads = ({ kind }: RecordedTransfer): boolean => kind !== "command";

/** A kind that is one effect, the same wherever it strikes. */
function plain(name: string, strikes: FaultKind["strikes"], effect: FaultEffect): FaultKind {
  return { name, strikes, faults: ({ number }) => [at(number, effect)] };
}

function at(transfer: number, effect: FaultEffect): Fault {
  return { at: { kind: "transfer", transfer }, effect };
}

const forEver = Number.POSITIVE_INFINITY;
/** Long enough for a run to have given up, short enough for a wait of RSS's deadline to outlast it. */
const returnsAfterMs = 3000;

const disconnects = (["before", "middle", "after"] as const).flatMap((when) => [
  plain(`disconnect ${when}`, everywhere, { kind: "disconnect", when, returnsAfterMs: forEver }),
  plain(`disconnect ${when}, back after ${returnsAfterMs} ms`, everywhere, {
    kind: "disconnect",
    when,
    returnsAfterMs,
  }),
]);

/** UNKNOWN_ERROR, NO_DEVICE, CMD_ERROR, GET_IDCODE, ALIGNMENT, AP_FAULT, AP_ERROR, DP_ERROR, AP_WDATA, BAD_AP. */
const statusCodes = [0x01, 0x05, 0x08, 0x09, 0x0a, 0x11, 0x12, 0x16, 0x18, 0x1d];

const flashOptionControl = 0x52002018;
const flashOptionStatus = 0x5200201c;
const licenseBuffer = 0x24020800;

/** A flip at a chosen place of the payload. */
function flip(name: string, place: (sizeBytes: number, random: () => number) => number): FaultKind {
  return {
    name: `bit-flip ${name}`,
    strikes: (transfer) => atPayloads(transfer) && transfer.sizeBytes > 0,
    faults: ({ number, sizeBytes }, random) => [
      at(number, { kind: "bit-flip", offset: place(sizeBytes, random), bit: Math.floor(random() * 8) }),
    ],
  };
}

const anywhere = (sizeBytes: number, random: () => number): number => Math.floor(random() * sizeBytes);

/** Supply lost, and back `transfers` transfers later. */
function brownOut(transfers: number): FaultKind {
  return {
    name: `power-loss, back after ${transfers} transfers`,
    strikes: everywhere,
    faults: ({ number }) => [
      at(number, { kind: "power-loss" }),
      at(number + transfers, { kind: "power-restore" }),
    ],
  };
}

/** Every kind of fault that can strike at a transfer. */
export const faultKinds: readonly FaultKind[] = [
  plain("stall", everywhere, { kind: "stall" }),
  plain("timeout", everywhere, { kind: "timeout" }),
  plain("short-reply", atReplies, { kind: "short-reply" }),
  plain("late-reply", atReplies, { kind: "late-reply" }),
  plain("babble", atReplies, { kind: "babble" }),
  ...statusCodes.map((code) =>
    plain(`status 0x${code.toString(16).padStart(2, "0").toUpperCase()}`, atCommands, {
      kind: "status",
      code,
      times: 1,
    }),
  ),
  ...[1, 3, 20].map((times) => plain(`wait ${times} times`, atCommands, { kind: "wait", times })),
  ...(
    [
      ["license buffer", licenseBuffer],
      ["FLASH_OPTCR", flashOptionControl],
      ["FLASH_OPTSR_CUR", flashOptionStatus],
    ] as const
  ).flatMap(([name, address]) => [
    plain(`fault-at ${name}, once`, atCommands, { kind: "fault-at", address, times: 1 }),
    plain(`fault-at ${name}, for ever`, atCommands, { kind: "fault-at", address, times: forEver }),
  ]),
  flip("first byte", () => 0),
  flip("last byte", (sizeBytes) => sizeBytes - 1),
  flip("byte 4", (sizeBytes) => Math.min(4, sizeBytes - 1)),
  ...[1, 2, 3, 4, 5].map((n) => flip(`any byte, draw ${n}`, anywhere)),
  ...disconnects,
  plain("re-enumerate", everywhere, { kind: "re-enumerate" }),
  plain("power-loss", everywhere, { kind: "power-loss" }),
  brownOut(1),
  brownOut(20),
  plain("nrst-stuck low", everywhere, { kind: "nrst-stuck", level: "low" }),
  plain("nrst-stuck high", everywhere, { kind: "nrst-stuck", level: "high" }),
  plain("clock-too-fast above 4000 kHz", everywhere, { kind: "clock-too-fast", kilohertz: 4000 }),
  plain("no-answer", everywhere, { kind: "no-answer" }),
  plain("hang-rss", everywhere, { kind: "hang-rss" }),
];
