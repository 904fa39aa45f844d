import { fromWords, toWords } from "../../../src/bytes/bytes.ts";
import { ByteReader } from "../../../src/bytes/reader.ts";
import { ByteWriter } from "../../../src/bytes/writer.ts";
import type { VirtualChip } from "../chip/chip.ts";
import { VirtualDap } from "../dap.ts";
import { type LinkTimer, memoryCommandWords } from "../timing.ts";
import { type BatchResult, batchBytes, batchReply, runBatch } from "./batch.ts";
import { type CommandName, type Phase, status } from "./commands.ts";
import { type MemoryCommand, memoryCommands, sizeStatus } from "./memory-command.ts";
import { hasFeature, type Personality } from "./personalities.ts";
import { reply, replyOf, statusAndValue } from "./replies.ts";

/** What a fault script can change about accesses to the target. */
export interface TargetConditions {
  noAnswer(): boolean;
  /** SWD clock above which the wire garbles; undefined: none. */
  clockLimitKilohertz(): number | undefined;
  /** First address of a stretch at which the target must refuse; undefined: none. */
  faultWithin(address: number, sizeBytes: number): number | undefined;
}

const debugPort = 0xffff;
/** SWD words of a single register or word access: SELECT or TAR, the access, RDBUFF, CTRL/STAT. */
const wordsOfSingleAccess = 4;
/** SWD words of a core register access: DCRSR, polling DHCSR, DCRDR. */
const wordsOfCoreRegister = 12;

/** The commands of an ST-LINK that need a target, for one target. */
export class TargetCommands {
  readonly #personality: Personality;
  readonly #chip: VirtualChip;
  readonly #dap: VirtualDap;
  readonly #link: LinkTimer;
  readonly #conditions: TargetConditions;
  readonly #kilohertz: () => number;
  readonly #openAps = new Set<number>();
  /** The chip's link epoch at the last ENTER: what came after must be entered again. */
  #epoch = -1;
  #last: AccessResult = { code: status.ok, address: 0 };
  #batch: Uint8Array | undefined;

  constructor(
    personality: Personality,
    chip: VirtualChip,
    link: LinkTimer,
    conditions: TargetConditions,
    kilohertz: () => number,
  ) {
    this.#personality = personality;
    this.#chip = chip;
    this.#dap = new VirtualDap(chip);
    this.#link = link;
    this.#conditions = conditions;
    this.#kilohertz = kilohertz;
  }

  /** The probe has entered SWD. */
  connect(): void {
    this.disconnect();
    this.#epoch = this.#chip.linkEpoch;
    this.#dap.connect();
    if (this.#personality.opensCoreApOnEnter) this.#openAps.add(this.#chip.model.debugPort.coreAp);
    this.#last = { code: status.ok, address: 0 };
    this.#link.swd(8, this.#kilohertz());
  }

  /** The probe has left debug mode: all access ports are closed. */
  disconnect(): void {
    this.#openAps.clear();
    this.#batch = undefined;
  }

  /** @param forced status a fault script wants instead of the access */
  accept(command: CommandName, block: Uint8Array, forced: number | undefined): Phase {
    const memory = memoryCommands[command];
    if (memory !== undefined) return this.#memory(memory, block, forced);
    if (command === "RW_MISC_OUT") return this.#batchOut(new ByteReader(block.subarray(2)).u32(), forced);
    if (forced !== undefined) return replyOf(command, forced);
    switch (command) {
      case "GETLASTRWSTATUS":
        return reply(this.#last.code);
      case "GETLASTRWSTATUS2":
        return {
          kind: "in",
          bytes: new ByteWriter(12).u32(this.#last.code).u32(this.#last.address).finish(),
        };
      case "RW_MISC_GET_MAX":
        return { kind: "in", bytes: new ByteWriter(2).u16(this.#personality.batchOperations).finish() };
      case "RW_MISC_IN":
        return this.#batchIn();
      case "CLOSE_AP":
        return this.#closeAp(block[2] ?? 0);
      default:
        break;
    }
    const broken = this.#linkStatus();
    if (broken !== status.ok) return replyOf(command, broken);
    const fields = new ByteReader(block.subarray(2));
    switch (command) {
      case "READCOREID":
        return { kind: "in", bytes: fromWords([this.#dap.dpidr]) };
      case "READ_IDCODES":
        return { kind: "in", bytes: new ByteWriter(12).u32(status.ok).u32(this.#dap.dpidr).finish() };
      case "RESETSYS":
        this.#chip.systemReset();
        return reply(status.ok);
      case "INIT_AP":
        return this.#initAp(fields.u8());
      case "READ_DAP_REG":
        return this.#readDapRegister(fields.u16(), fields.u16());
      case "WRITE_DAP_REG":
        return this.#writeDapRegister(fields.u16(), fields.u16(), fields.u32());
      case "READDEBUGREG":
        return this.#readDebugRegister(fields.u32(), fields.u8());
      case "WRITEDEBUGREG":
        return this.#writeDebugRegister(fields.u32(), fields.u32(), fields.u8());
      case "READREG":
        return this.#readRegister(fields.u8(), fields.u8());
      case "WRITEREG":
        return this.#writeRegister(fields.u8(), fields.u32(), fields.u8());
      default:
        return this.#readAllRegisters(fields.u8());
    }
  }

  /** OK, or why no access can get through. */
  #linkStatus(): number {
    if (this.#conditions.noAnswer() || !this.#chip.answers() || this.#chip.linkEpoch !== this.#epoch) {
      return status.noIdcode;
    }
    const limit = this.#conditions.clockLimitKilohertz();
    return limit !== undefined && this.#kilohertz() > limit ? status.apParity : status.ok;
  }

  /** OK, or why the access port cannot be used. */
  #apStatus(ap: number): number {
    if (!this.#dap.hasAp(ap)) return status.badAp;
    return this.#openAps.has(ap) || !hasFeature(this.#personality, "openingRequired")
      ? status.ok
      : status.badAp;
  }

  #initAp(ap: number): Phase {
    if (!this.#dap.hasAp(ap)) return reply(status.badAp);
    this.#openAps.add(ap);
    this.#link.swd(wordsOfSingleAccess, this.#kilohertz());
    return reply(status.ok);
  }

  /** V2J28 closes the port and says it could not. */
  #closeAp(ap: number): Phase {
    const open = this.#openAps.delete(ap);
    const misreports = this.#personality.major === 2 && this.#personality.jtag === 28;
    return reply(open && !misreports ? status.ok : status.badAp);
  }

  #readDapRegister(port: number, register: number): Phase {
    this.#link.swd(wordsOfSingleAccess, this.#kilohertz());
    if (port === debugPort)
      return { kind: "in", bytes: statusAndValue(status.ok, this.#dap.readDp(register)) };
    const ap = register === 0xfc ? status.ok : this.#apStatus(port);
    if (ap !== status.ok) return { kind: "in", bytes: statusAndValue(ap, 0) };
    const access = this.#dap.readAp(port, register);
    const value = access.kind === "ok" ? access.value : 0;
    return { kind: "in", bytes: statusAndValue(statusOf(access.kind), value) };
  }

  #writeDapRegister(port: number, register: number, value: number): Phase {
    this.#link.swd(wordsOfSingleAccess, this.#kilohertz());
    if (port === debugPort) {
      this.#dap.writeDp(register, value);
      return reply(status.ok);
    }
    const ap = this.#apStatus(port);
    return reply(ap === status.ok ? statusOf(this.#dap.writeAp(port, register, value).kind) : ap);
  }

  #readDebugRegister(address: number, ap: number): Phase {
    const { code, value } = this.#readWord(ap, address);
    return { kind: "in", bytes: statusAndValue(code, value) };
  }

  #writeDebugRegister(address: number, value: number, ap: number): Phase {
    return reply(this.#writeWord(ap, address, value));
  }

  #readRegister(number: number, ap: number): Phase {
    const broken = this.#coreStatus(ap);
    const value = broken === status.ok ? this.#chip.core.register(number) : undefined;
    const code = broken === status.ok && value === undefined ? status.generalFault : broken;
    return { kind: "in", bytes: statusAndValue(code, value ?? 0) };
  }

  #writeRegister(number: number, value: number, ap: number): Phase {
    const broken = this.#coreStatus(ap);
    if (broken !== status.ok) return reply(broken);
    return reply(this.#chip.core.setRegister(number, value) ? status.ok : status.generalFault);
  }

  /** 88 bytes: status u32, R0..R15, xPSR, MSP, PSP, the two special registers. */
  #readAllRegisters(ap: number): Phase {
    const broken = this.#coreStatus(ap);
    if (broken !== status.ok) return replyOf("READALLREGS", broken);
    if (!this.#chip.core.halted) return replyOf("READALLREGS", status.generalFault);
    const writer = new ByteWriter(88).u32(status.ok);
    for (let number = 0; number <= 20; number++) writer.u32(this.#chip.core.register(number) ?? 0);
    return { kind: "in", bytes: writer.finish() };
  }

  /** The core is behind one access port. */
  #coreStatus(ap: number): number {
    this.#link.swd(wordsOfCoreRegister, this.#kilohertz());
    return ap === this.#chip.model.debugPort.coreAp ? this.#apStatus(ap) : status.badAp;
  }

  #readWord(ap: number, address: number): { readonly code: number; readonly value: number } {
    const into = new Uint8Array(4);
    const { code } = this.#access({ ...word, ap, address, bytes: into, write: false });
    return { code, value: code === status.ok ? (toWords(into)[0] ?? 0) : 0 };
  }

  #writeWord(ap: number, address: number, value: number): number {
    return this.#access({ ...word, ap, address, bytes: fromWords([value]), write: true }).code;
  }

  #memory(command: MemoryCommand, block: Uint8Array, forced: number | undefined): Phase {
    const fields = new ByteReader(block.subarray(2));
    const address = fields.u32();
    const sizeBytes = fields.u16();
    const ap = fields.u8();
    // CSW[31:8] @9..11; size and increment are the command's own.
    const attributes = (fields.u8() << 8) | (fields.u16() << 16);
    if (sizeBytes === 0) return { kind: "none" }; // The firmware then waits for a data phase that never comes.
    const run = (bytes: Uint8Array): void => {
      const refused = forced ?? sizeStatus(command, this.#personality, address, sizeBytes);
      this.#last =
        refused === undefined
          ? this.#access({ ap, address, attributes, bytes, ...command })
          : { code: refused, address: 0 };
    };
    if (command.write) return { kind: "out", sizeBytes, accept: run };
    // A single byte comes back as two.
    const bytes = new Uint8Array(command.width === 1 && sizeBytes === 1 ? 2 : sizeBytes);
    run(bytes.subarray(0, sizeBytes));
    return { kind: "in", bytes };
  }

  /** One access to memory behind a MEM-AP, with everything that can stand in its way. */
  #access(access: Access): AccessResult {
    const { ap, address, bytes, width, write, increment } = access;
    const linkStatus = this.#linkStatus();
    if (linkStatus !== status.ok) return { code: linkStatus, address: 0 };
    const apStatus = this.#apStatus(ap);
    if (apStatus !== status.ok) return { code: apStatus, address: 0 };
    const scripted = this.#conditions.faultWithin(address, increment ? bytes.length : width);
    if (scripted !== undefined) {
      this.#dap.raiseStickyError(ap, scripted);
      return { code: status.apFault, address: scripted };
    }
    const units = increment ? [bytes] : slices(bytes, width);
    let stallMs = 0;
    for (const unit of units) {
      const outcome = write ? this.#dap.writeBlock(ap, access, unit) : this.#dap.readBlock(ap, access, unit);
      if (outcome.kind !== "ok") {
        this.#link.swd(wordsOfSingleAccess, this.#kilohertz());
        if (!write) bytes.fill(0);
        return { code: statusOf(outcome.kind), address: "address" in outcome ? outcome.address : 0 };
      }
      stallMs += outcome.stallMs;
    }
    const words = memoryCommandWords(bytes.length / width, width);
    this.#link.swd(words, this.#kilohertz(), stallMs, write ? bytes.length : 0);
    return { code: status.ok, address: 0 };
  }

  #batchOut(count: number, forced: number | undefined): Phase {
    if (count === 0 || count > this.#personality.batchOperations) return { kind: "stall" };
    return {
      kind: "out",
      sizeBytes: batchBytes(count),
      accept: (data) => {
        this.#batch = batchReply(
          forced === undefined ? this.#runBatch(data, count) : forcedResults(forced, count),
        );
      },
    };
  }

  #runBatch(data: Uint8Array, count: number): BatchResult[] {
    return runBatch(data, count, {
      select: (ap) => this.#apStatus(ap),
      read: (ap, address) => this.#readWord(ap, address),
      write: (ap, address, value) => this.#writeWord(ap, address, value),
    });
  }

  #batchIn(): Phase {
    const bytes = this.#batch;
    this.#batch = undefined;
    return bytes === undefined ? { kind: "stall" } : { kind: "in", bytes };
  }
}

/** A single word by one of the short commands, which say nothing of attributes. */
const word = { width: 4, increment: true, attributes: 0 } as const;

interface AccessResult {
  readonly code: number;
  /** Where it was refused; 0 when that is not known. */
  readonly address: number;
}

interface Access extends MemoryCommand {
  readonly ap: number;
  readonly address: number;
  readonly attributes: number;
  /** Data to write, or where the read bytes go. */
  readonly bytes: Uint8Array;
}

/** Status byte for the ways an access ends. */
function statusOf(kind: "ok" | "fault" | "wait" | "lost" | "no-power" | "no-ap"): number {
  return {
    ok: status.ok,
    fault: status.apFault,
    wait: status.apWait,
    lost: status.dpError,
    "no-power": status.debugPower,
    "no-ap": status.badAp,
  }[kind];
}

function slices(bytes: Uint8Array, width: number): Uint8Array[] {
  return Array.from({ length: bytes.length / width }, (_, i) => bytes.subarray(i * width, (i + 1) * width));
}

function forcedResults(code: number, count: number): BatchResult[] {
  return Array.from({ length: count }, () => ({ value: 0, code }));
}
