import { fieldOf } from "./fields.ts";

type Explain = (frame: Uint8Array, reply: Uint8Array) => Readonly<Record<string, string>>;

const modes = ["dfu", "massStorage", "debug", "swim", "bootloader"];
const entryNames: ReadonlyMap<number, string> = new Map([
  [0xa3, "SWD"],
  [0xa4, "JTAG, no reset"],
  [0x00, "JTAG, with reset pulse"],
]);
const levels = ["low", "high", "pulse"];

/** Replies and arguments that say more than their numbers, by command name. Shorter replies say nothing. */
const explanations: Readonly<Record<string, { readonly replyBytes: number; readonly explain: Explain }>> = {
  GET_CURRENT_MODE: {
    replyBytes: 2,
    explain: (_, reply) => ({ mode: modes[reply[0] ?? 0] ?? String(reply[0]) }),
  },
  GET_VERSION: {
    replyBytes: 6,
    // Big-endian word @0: 15:12 hardware, 11:6 J, 5:0 S or M; vendor id @2, product id @4.
    explain: (_, reply) => {
      const word = ((reply[0] ?? 0) << 8) | (reply[1] ?? 0);
      return {
        version: `V${word >> 12} J${(word >> 6) & 0x3f} S/M${word & 0x3f}`,
        usb: `${idText(reply, 2)}:${idText(reply, 4)}`,
      };
    },
  },
  GET_VERSION_EX: {
    replyBytes: 12,
    // V @0, S @1, J @2, M @3, B @4, P @5; vendor id @8, product id @10.
    explain: (_, reply) => {
      const [v, s, j, m, b, p] = reply;
      return {
        version: `V${v} J${j} M${m} B${b} P${p} S${s}`,
        usb: `${idText(reply, 8)}:${idText(reply, 10)}`,
      };
    },
  },
  GET_TARGET_VOLTAGE: {
    replyBytes: 8,
    explain: (_, reply) => {
      const reference = fieldOf(reply, { at: 0, bytes: 4 });
      const half = fieldOf(reply, { at: 4, bytes: 4 });
      return { millivolts: reference === 0 ? "unknown" : String(Math.round((2 * half * 1200) / reference)) };
    },
  },
  ENTER: { replyBytes: 0, explain: (frame) => ({ protocol: entryNames.get(frame[2] ?? 0) ?? "unknown" }) },
  DRIVE_NRST: { replyBytes: 0, explain: (frame) => ({ nrst: levels[frame[2] ?? 0] ?? "unknown" }) },
};

/** What a command's arguments and reply mean, by name. */
export function explainReply(
  name: string,
  frame: Uint8Array,
  reply: Uint8Array,
): Readonly<Record<string, string>> {
  const entry = explanations[name];
  return entry === undefined || reply.length < entry.replyBytes ? {} : entry.explain(frame, reply);
}

function idText(reply: Uint8Array, at: number): string {
  return fieldOf(reply, { at, bytes: 2 }).toString(16).toUpperCase().padStart(4, "0");
}
