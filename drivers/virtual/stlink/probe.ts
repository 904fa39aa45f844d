import { asciiBytes } from "../../../src/bytes/bytes.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";
import type { VirtualChip } from "../chip/chip.ts";
import type { LinkTimer } from "../timing.ts";
import {
  type CommandName,
  commandOf,
  commandsWithoutTarget,
  featureOfCommand,
  type Phase,
  status,
} from "./commands.ts";
import { hasFeature, type Personality, v2ClockOfDivisor, v3ClocksKilohertz } from "./personalities.ts";
import { reply, replyOf, statusAndValue } from "./replies.ts";
import { TargetCommands, type TargetConditions } from "./target-commands.ts";

/** Modes of GET_CURRENT_MODE. */
const mode = { dfu: 0, massStorage: 1, debug: 2 } as const;

/** What a fault script can change about probe and wire. */
export interface ProbeConditions extends TargetConditions {
  /** Status the command must answer with instead of doing anything; undefined: none. */
  forcedStatus(command: CommandName): number | undefined;
  /** The reset pin is stuck at a level. */
  nrstStuck(): "low" | "high" | undefined;
  /** The target's wire gives no answer at all. */
  noAnswer(): boolean;
}

/** One virtual ST-LINK: what its firmware does with a command block. Framing is the port's business. */
export class VirtualProbe {
  readonly personality: Personality;
  readonly #chip: VirtualChip;
  readonly #conditions: ProbeConditions;
  readonly #target: TargetCommands;
  #mode: number;
  #kilohertz: number;
  #jtagKilohertz = 0;

  constructor(personality: Personality, chip: VirtualChip, link: LinkTimer, conditions: ProbeConditions) {
    this.personality = personality;
    this.#chip = chip;
    this.#conditions = conditions;
    this.#mode = personality.initialMode;
    this.#kilohertz = personality.major === 3 ? 3300 : 1800;
    this.#target = new TargetCommands(personality, chip, link, conditions, () => this.#kilohertz);
  }

  /** Takes one 16-byte command block. */
  accept(block: Uint8Array): Phase {
    const command = commandOf(block);
    if (command === undefined || !this.#knows(command)) return reply(status.unknownCommand);
    if (block[0] !== 0xf2) return this.#top(command, block);
    if (this.#mode !== mode.debug && !commandsWithoutTarget.has(command)) return { kind: "stall" };
    const forced = this.#conditions.forcedStatus(command);
    if (command === "EXIT") return this.#exit();
    if (commandsWithoutTarget.has(command)) {
      return forced === undefined ? this.#probeCommand(command, block) : replyOf(command, forced);
    }
    return this.#target.accept(command, block, forced);
  }

  #knows(command: CommandName): boolean {
    const feature = featureOfCommand[command];
    return feature === undefined || hasFeature(this.personality, feature);
  }

  #top(command: CommandName, block: Uint8Array): Phase {
    switch (command) {
      case "GET_VERSION":
        return { kind: "in", bytes: this.#version() };
      case "GET_VERSION_EX":
        return this.personality.major === 3
          ? { kind: "in", bytes: this.#versionEx() }
          : reply(status.unknownCommand);
      case "GET_CURRENT_MODE":
        return reply(this.#mode);
      case "GET_TARGET_VOLTAGE":
        return this.#mode === mode.dfu ? { kind: "stall" } : { kind: "in", bytes: this.#voltage() };
      case "DFU_EXIT":
        if (block[1] === 0x07 && this.#mode === mode.dfu) this.#mode = mode.massStorage;
        return { kind: "none" };
      default:
        return { kind: "none" };
    }
  }

  /** V in [15:12], J in [11:6], S or M in [5:0], big-endian; a V3 leaves J and S to GET_VERSION_EX. */
  #version(): Uint8Array {
    const { major, jtag, swim, massStorage, productId } = this.personality;
    const word = major === 3 ? 0x3000 : (major << 12) | (jtag << 6) | (massStorage || swim);
    return new ByteWriter(6).u16be(word).u16(0x0483).u16(productId).finish();
  }

  #versionEx(): Uint8Array {
    const { major, jtag, swim, massStorage, bridge, productId } = this.personality;
    return new ByteWriter(12)
      .u8(major)
      .u8(swim)
      .u8(jtag)
      .u8(massStorage)
      .u8(bridge)
      .skip(3)
      .u16(0x0483)
      .u16(productId)
      .finish();
  }

  /** Two converter readings: 1.2 V reference and half the target voltage. */
  #voltage(): Uint8Array {
    const reference = 1517;
    const half = Math.round((this.#chip.millivolts * reference) / 2400);
    return new ByteWriter(8).u32(reference).u32(half).finish();
  }

  /** Leaves debug mode: NRST is let go and every access port is closed. */
  #exit(): Phase {
    this.#mode = mode.massStorage;
    this.#driveNrst(false);
    this.#target.disconnect();
    return { kind: "none" };
  }

  #probeCommand(command: CommandName, block: Uint8Array): Phase {
    switch (command) {
      case "ENTER":
        return this.#enter(block[2] ?? 0);
      case "DRIVE_NRST":
        return this.#nrstCommand(block[2] ?? 0);
      case "SWD_SET_FREQ":
        return this.#setDivisor(new ByteReader(block.subarray(2, 4)).u16());
      case "SET_COM_FREQ":
        return this.#setFrequency(block[2] ?? 0, new ByteReader(block.subarray(4, 8)).u32());
      case "GET_COM_FREQ":
        return this.#frequencies(block[2] ?? 0);
      case "SWITCH_STLINK_FREQ":
        return { kind: "in", bytes: statusAndValue(status.configurationChanged, 0) };
      default:
        return { kind: "in", bytes: this.#boardIdentifiers() };
    }
  }

  /** SWD only; a virtual H7 is not on a JTAG chain. */
  #enter(parameter: number): Phase {
    if (parameter !== 0xa3) return reply(status.commandError);
    if (this.#conditions.noAnswer() || !this.#chip.answers()) return reply(status.noIdcode);
    this.#mode = mode.debug;
    this.#target.connect();
    return reply(status.ok);
  }

  #nrstCommand(level: number): Phase {
    if (level > 2) return reply(status.commandError);
    if (level !== 1) this.#driveNrst(true);
    if (level !== 0) this.#driveNrst(false);
    return reply(status.ok);
  }

  /** Levels the reset pin takes; a stuck pin stays where it is. */
  #driveNrst(low: boolean): void {
    const stuck = this.#conditions.nrstStuck();
    this.#chip.setNrst(stuck === undefined ? low : stuck === "low");
  }

  #setDivisor(divisor: number): Phase {
    const kilohertz = v2ClockOfDivisor.get(divisor);
    if (kilohertz === undefined) return reply(status.commandError);
    this.#kilohertz = kilohertz;
    return reply(status.ok);
  }

  /** The highest clock of the list not above the wish; com 0 is SWD, 1 JTAG, each with a setting of its own. */
  #setFrequency(com: number, wishKilohertz: number): Phase {
    const chosen = v3ClocksKilohertz.find((kilohertz) => kilohertz <= wishKilohertz);
    if (chosen === undefined || com > 1) return { kind: "in", bytes: statusAndValue(status.commandError, 0) };
    if (com === 0) this.#kilohertz = chosen;
    else this.#jtagKilohertz = chosen;
    return { kind: "in", bytes: statusAndValue(status.ok, chosen) };
  }

  /** 52 bytes: status u32 @0, current kHz u32 @4, count u32 @8, kHz u32 each @12. */
  #frequencies(com: number): Phase {
    const writer = new ByteWriter(52).u32(status.ok).u32(com === 0 ? this.#kilohertz : this.#jtagKilohertz);
    writer.u32(v3ClocksKilohertz.length);
    for (const kilohertz of v3ClocksKilohertz) writer.u32(kilohertz);
    return { kind: "in", bytes: writer.finish() };
  }

  /** 128 bytes: status u16 @0, four characters of the mbed board id @2. */
  #boardIdentifiers(): Uint8Array {
    return new ByteWriter(128).u16(status.ok).bytes(asciiBytes("0845")).finish();
  }
}
