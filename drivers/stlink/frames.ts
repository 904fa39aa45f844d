import { hexNumber } from "../../src/bytes/hex.ts";
import { ByteReader } from "../../src/bytes/reader.ts";
import { StationError } from "../../src/errors/station-error.ts";
import { answering, block, type Command, debugBlock, silent, wordAt4 } from "./command.ts";
import { stVendorId } from "./ids.ts";

/** Byte 1 of top-level commands; probes ignore it, and what ST's own tools send there is 80. */
const ignored = 0x80;

/** Mode of the probe's firmware: byte 0 of GET_CURRENT_MODE. */
export const probeMode = { dfu: 0, massStorage: 1, debug: 2, swim: 3, bootloader: 4 } as const;

/** F5 GET_CURRENT_MODE. Its 2-byte reply has no status: byte 0 is the mode. */
export function getMode(): Command<number> {
  return {
    name: "GET_CURRENT_MODE",
    frame: block((w) => w.u8(0xf5)),
    replyBytes: 2,
    statusFrom: "nowhere",
    repeatable: "always",
    unpack: (reply) => {
      const mode = new ByteReader(reply).u8();
      if (mode > probeMode.bootloader) throw notUnderstood("GET_CURRENT_MODE", `mode ${mode}`);
      return mode;
    },
  };
}

/** What GET_VERSION answers. */
export interface ProbeVersion {
  /** Hardware generation: 2, 3 or 4. */
  readonly major: number;
  /** The J number; 0 on V3, which answers GET_VERSION_EX. */
  readonly jtag: number;
  /** The S (SWIM) number on a stand-alone V2, the M (mass storage) number on a V2-1. */
  readonly third: number;
  readonly vendorId: number;
  readonly productId: number;
}

/**
 * F1 GET_VERSION, 6 bytes: big-endian word @0 (15:12 major, 11:6 J, 5:0 S or M), vendor id @2, product id @4.
 * The only reply that identifies itself, so it is what tells whether probe and station are in step.
 */
export function getVersion(): Command<ProbeVersion> {
  return {
    name: "GET_VERSION",
    frame: block((w) => w.u8(0xf1).u8(ignored)),
    replyBytes: 6,
    statusFrom: "nowhere",
    repeatable: "always",
    unpack: (reply) => {
      const reader = new ByteReader(reply);
      const word = reader.u16be();
      const version = {
        major: word >> 12,
        jtag: (word >> 6) & 0x3f,
        third: word & 0x3f,
        vendorId: reader.u16(),
        productId: reader.u16(),
      };
      if (version.vendorId !== stVendorId || version.major < 2 || version.major > 4) {
        throw notUnderstood(
          "GET_VERSION",
          `major ${version.major}, vendor ${hexNumber(version.vendorId, 4)}`,
        );
      }
      return version;
    },
  };
}

/** What GET_VERSION_EX answers: the numbers behind the letters of a V3's version. */
export interface ExtendedVersion {
  readonly major: number;
  readonly swim: number;
  readonly jtag: number;
  readonly massStorage: number;
  readonly bridge: number;
  readonly power: number;
}

/** FB GET_VERSION_EX (V3 and up), 12 bytes: V @0, S @1, J @2, M @3, B @4, P @5, then zeros and the USB ids. */
export function getExtendedVersion(): Command<ExtendedVersion> {
  return {
    name: "GET_VERSION_EX",
    frame: block((w) => w.u8(0xfb).u8(ignored)),
    replyBytes: 12,
    statusFrom: "nowhere",
    repeatable: "always",
    unpack: (reply) => {
      const reader = new ByteReader(reply);
      return {
        major: reader.u8(),
        swim: reader.u8(),
        jtag: reader.u8(),
        massStorage: reader.u8(),
        bridge: reader.u8(),
        power: reader.u8(),
      };
    },
  };
}

/**
 * F7 GET_TARGET_VOLTAGE, 8 bytes: sample of the 1.2 V reference @0, sample of half the target voltage @4.
 * Answers millivolts; undefined when the reference sample is 0.
 */
export function getTargetVoltage(): Command<number | undefined> {
  return {
    name: "GET_TARGET_VOLTAGE",
    frame: block((w) => w.u8(0xf7)),
    replyBytes: 8,
    statusFrom: "nowhere",
    repeatable: "always",
    unpack: (reply) => {
      const reader = new ByteReader(reply);
      const reference = reader.u32();
      const half = reader.u32();
      return reference === 0 ? undefined : Math.round((2 * half * 1200) / reference);
    },
  };
}

/** F3 07: leave firmware-update mode. No reply. Other F3 operations write probe firmware and are never sent. */
export function leaveDfu(): Command<undefined> {
  return silent(
    "LEAVE_DFU",
    block((w) => w.u8(0xf3).u8(0x07)),
  );
}

/** F4 01: leave SWIM mode. No reply. */
export function leaveSwim(): Command<undefined> {
  return silent(
    "LEAVE_SWIM",
    block((w) => w.u8(0xf4).u8(0x01)),
  );
}

/** F2 21 EXIT: leave debug mode. No reply. Releases NRST even when it was driven low, closes all access ports. */
export function leaveDebug(): Command<undefined> {
  return silent("LEAVE_DEBUG", debugBlock(0x21));
}

/** F2 30 A3 ENTER, SWD: switch sequence on the wire and a first read of DPIDR. */
export function enterSwd(): Command<undefined> {
  return answering("ENTER_SWD", 0x30, (w) => w.u8(0xa3));
}

/** F2 3C DRIVE_NRST: level @2, 0 low, 1 high. (2 would be a pulse of unknown length.) */
export function driveNrst(level: "low" | "high"): Command<undefined> {
  return answering("DRIVE_NRST", 0x3c, (w) => w.u8(level === "low" ? 0 : 1));
}

/** F2 43 SWD_SET_FREQ (V2): divisor u16 @2. pyOCD and probe-rs send its low byte only. */
export function setSwdDivisor(divisor: number): Command<undefined> {
  return answering("SWD_SET_FREQ", 0x43, (w) => w.u16(divisor), { repeatable: "always" });
}

const comSwd = 0;

/** F2 63 SWITCH_STLINK_FREQ (V3): prescaler @2, one of 1, 2, 4. 8 bytes; status 40 means accepted. */
export function switchPrescaler(prescaler: 1 | 2 | 4): Command<undefined> {
  const more = { replyBytes: 8, repeatable: "always" } as const;
  return answering("SWITCH_STLINK_FREQ", 0x63, (w) => w.u8(prescaler), more);
}

/** F2 62 GET_COM_FREQ for SWD (V3), 52 bytes: status @0, current kHz @4, count @8, count × kHz from @12. Answers the rates. */
export function getSwdFrequencies(): Command<readonly number[]> {
  return {
    name: "GET_COM_FREQ",
    frame: debugBlock(0x62, (w) => w.u8(comSwd)),
    replyBytes: 52,
    statusFrom: "reply",
    repeatable: "always",
    unpack: (reply) => {
      const reader = new ByteReader(reply);
      reader.skip(8); // status @0, current rate @4
      const count = Math.min(reader.u32(), 10); // ten is all that fits
      return Array.from({ length: count }, () => reader.u32());
    },
  };
}

/** F2 61 SET_COM_FREQ for SWD (V3): com @2, kHz u32 @4. 8 bytes: status @0, the rate really set in kHz @4. */
export function setSwdFrequency(kilohertz: number): Command<number> {
  return {
    name: "SET_COM_FREQ",
    frame: debugBlock(0x61, (w) => w.u8(comSwd).u8(0).u32(kilohertz)),
    replyBytes: 8,
    statusFrom: "reply",
    repeatable: "always",
    unpack: wordAt4,
  };
}

function notUnderstood(command: string, detail: string): StationError {
  return StationError.of("PROBE_PROTOCOL", { command, detail });
}
