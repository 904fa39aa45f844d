import { fromWords, toWords } from "../../src/bytes/bytes.ts";
import type { AccessWidth, BusMaster, BusOutcome } from "./chip/bus.ts";
import type { VirtualChip } from "./chip/chip.ts";
import type { AccessPortModel } from "./models/debug-model.ts";

const ctrlStat = {
  stickyOverrun: 1 << 1,
  stickyError: 1 << 5,
  writable: 0x50000f01,
  debugPowerRequest: 1 << 28,
  systemPowerRequest: 1 << 30,
} as const;

/** CSW. On an AHB5-AP bit 30 (HNONSEC) asks for a non-secure transaction and bit 23 (SPIDEN) tells of secure debug. */
const csw = {
  sizeMask: 7,
  single: 1 << 4,
  deviceEnable: 1 << 6,
  secureDebug: 1 << 23,
  nonSecure: 1 << 30,
  writable: 0xff000f37,
} as const;

/** Outcome of a register access: a value, or that the sticky error flag (or missing power) forbids it. */
export type DapAccess =
  | { readonly kind: "ok"; readonly value: number; readonly stallMs: number }
  | { readonly kind: "fault" | "wait" | "lost" | "no-power" | "no-ap" };

/** Where a block through a MEM-AP begins, in which units, and whether the address moves on from unit to unit. */
export interface Block {
  readonly address: number;
  readonly width: AccessWidth;
  readonly increment: boolean;
  /** CSW[31:8] in its place, 0 for the probe's default. */
  readonly attributes: number;
}

/** How a block through a MEM-AP ended. */
export type BlockOutcome = BusOutcome | { readonly kind: "no-power" | "no-ap" };

/** The debug access port of a virtual chip: DP registers and MEM-APs (Arm ADIv5.2 chapters B2, C2). */
export class VirtualDap {
  readonly #chip: VirtualChip;
  #ctrlStat = 0;
  readonly #csw = new Map<number, number>();
  readonly #tar = new Map<number, number>();
  #readBuffer = 0;

  constructor(chip: VirtualChip) {
    this.#chip = chip;
  }

  /** State after the probe has entered SWD: it powers debug up itself, so that simple hosts need not. */
  connect(): void {
    this.#ctrlStat = ctrlStat.debugPowerRequest | ctrlStat.systemPowerRequest;
  }

  get dpidr(): number {
    return this.#chip.model.debugPort.dpidr;
  }

  hasAp(ap: number): boolean {
    return this.#model(ap) !== undefined;
  }

  #model(ap: number): AccessPortModel | undefined {
    const model = this.#chip.model.debugPort.accessPorts.find(({ number }) => number === ap);
    const { word, mask } = model?.enabledBy ?? {};
    return word !== undefined && mask !== undefined && (this.#chip.store.get(word) & mask) === 0
      ? undefined
      : model;
  }

  /** @param register `bank << 4 | A[3:0]` */
  readDp(register: number): number {
    if (register === 0x00) return this.dpidr;
    if (register === 0x04) return this.#readCtrlStat();
    if (register === 0x24) return this.#chip.model.debugPort.targetId;
    return register === 0x0c ? this.#readBuffer : 0;
  }

  writeDp(register: number, value: number): void {
    if (register === 0x00) {
      // ABORT: STKERRCLR bit 2, ORUNERRCLR bit 4.
      if ((value & (1 << 2)) !== 0) this.#ctrlStat &= ~ctrlStat.stickyError;
      if ((value & (1 << 4)) !== 0) this.#ctrlStat &= ~ctrlStat.stickyOverrun;
    } else if (register === 0x04) {
      const sticky = this.#ctrlStat & (ctrlStat.stickyError | ctrlStat.stickyOverrun);
      this.#ctrlStat = (value & ctrlStat.writable) | sticky;
    }
  }

  /** Power-up acknowledges follow the requests at once. */
  #readCtrlStat(): number {
    const debug = this.#ctrlStat & ctrlStat.debugPowerRequest ? 1 << 29 : 0;
    const system = this.#ctrlStat & ctrlStat.systemPowerRequest ? 1 << 31 : 0;
    return (this.#ctrlStat | debug | system) >>> 0;
  }

  get #powered(): boolean {
    const needed = ctrlStat.debugPowerRequest | ctrlStat.systemPowerRequest;
    return (this.#ctrlStat & needed) === needed;
  }

  readAp(ap: number, register: number): DapAccess {
    const model = this.#model(ap);
    if (!this.#powered) return { kind: "no-power" };
    if (model === undefined) return register === 0xfc ? this.#value(0) : { kind: "no-ap" };
    if (register === 0xfc) return this.#value(model.idr);
    if ((this.#ctrlStat & ctrlStat.stickyError) !== 0) return { kind: "fault" };
    if (register === 0x00) return this.#value(this.#readCsw(ap, model));
    if (register === 0x04) return this.#value(this.#tar.get(ap) ?? 0);
    if (register === 0xf8) return this.#value(model.base);
    const target = this.#dataAddress(ap, register);
    return target === undefined ? this.#value(0) : this.#readData(ap, target, register === 0x0c);
  }

  writeAp(ap: number, register: number, value: number): DapAccess {
    if (!this.#powered) return { kind: "no-power" };
    if (!this.hasAp(ap)) return { kind: "no-ap" };
    if ((this.#ctrlStat & ctrlStat.stickyError) !== 0) return { kind: "fault" };
    if (register === 0x00) this.#csw.set(ap, (value & csw.writable) >>> 0);
    else if (register === 0x04) this.#tar.set(ap, value >>> 0);
    const target = this.#dataAddress(ap, register);
    return target === undefined ? this.#value(0) : this.#writeData(ap, target, register === 0x0c, value);
  }

  #readCsw(ap: number, { trustZone }: AccessPortModel): number {
    const secureDebug = trustZone && this.#chip.gate().secureDebug ? csw.secureDebug : 0;
    return (this.#csw.get(ap) ?? 2) | csw.deviceEnable | secureDebug;
  }

  /**
   * Who a transaction comes from.
   * @param attributes CSW[31:8] in their place; 0 leaves it to the probe, which goes as secure as it may
   */
  #master(ap: number, attributes: number): BusMaster {
    const nonSecure = attributes === 0 ? undefined : (attributes & csw.nonSecure) !== 0;
    return { ap, nonSecure: this.#model(ap)?.trustZone ? nonSecure : undefined };
  }

  /**
   * A block through a MEM-AP as the probe's own memory commands do it: sticky errors of before are cleared first, a
   * new one is left standing. TAR ends behind the last unit, or at the refused one (Arm ADIv5.2 C2.2.2); hosts that
   * drive the DAP themselves read it there.
   */
  readBlock(ap: number, block: Block, into: Uint8Array): BlockOutcome {
    const { address, width, attributes } = block;
    return this.#block(ap, block, into.length, () =>
      this.#chip.bus.read(this.#master(ap, attributes), address, into, width),
    );
  }

  writeBlock(ap: number, block: Block, data: Uint8Array): BlockOutcome {
    const { address, width, attributes } = block;
    return this.#block(ap, block, data.length, () =>
      this.#chip.bus.write(this.#master(ap, attributes), address, data, width),
    );
  }

  #block(ap: number, block: Block, sizeBytes: number, access: () => BusOutcome): BlockOutcome {
    if (!this.#powered) return { kind: "no-power" };
    if (!this.hasAp(ap)) return { kind: "no-ap" };
    this.#ctrlStat &= ~ctrlStat.stickyError;
    const outcome = this.#noteFault(access());
    if (outcome.kind === "lost") return outcome; // No answer: nobody can say how far TAR got.
    if (outcome.kind !== "ok") this.#tar.set(ap, outcome.address >>> 0);
    else if (!block.increment) this.#tar.set(ap, block.address);
    else this.#tar.set(ap, incremented(block.address + sizeBytes - block.width, block.width));
    return outcome;
  }

  /** A fault that a script made up: it leaves the same traces as a real one. */
  raiseStickyError(ap: number, address: number): void {
    this.#ctrlStat |= ctrlStat.stickyError;
    this.#tar.set(ap, address);
  }

  #noteFault(outcome: BusOutcome): BusOutcome {
    if (outcome.kind === "fault") this.#ctrlStat |= ctrlStat.stickyError;
    return outcome;
  }

  /** Address of DRW, or of the word a banked data register stands for; undefined for other registers. */
  #dataAddress(ap: number, register: number): number | undefined {
    const tar = this.#tar.get(ap) ?? 0;
    if (register === 0x0c) return tar;
    return register >= 0x10 && register <= 0x1c ? ((tar & ~0xf) >>> 0) + (register - 0x10) : undefined;
  }

  #readData(ap: number, address: number, increment: boolean): DapAccess {
    const width = this.#width(ap, increment);
    const into = new Uint8Array(4);
    const lane = width === 4 ? 0 : address % 4;
    const outcome = this.#noteFault(
      this.#chip.bus.read(
        this.#ownMaster(ap),
        address - (address % width),
        into.subarray(lane, lane + width),
        width,
      ),
    );
    if (outcome.kind !== "ok") return { kind: outcome.kind };
    this.#advance(ap, increment, width);
    this.#readBuffer = toWords(into)[0] ?? 0;
    return { kind: "ok", value: this.#readBuffer, stallMs: outcome.stallMs };
  }

  #writeData(ap: number, address: number, increment: boolean, value: number): DapAccess {
    const width = this.#width(ap, increment);
    const lane = width === 4 ? 0 : address % 4;
    const data = fromWords([value]).subarray(lane, lane + width);
    const outcome = this.#noteFault(
      this.#chip.bus.write(this.#ownMaster(ap), address - (address % width), data, width),
    );
    if (outcome.kind !== "ok") return { kind: outcome.kind };
    this.#advance(ap, increment, width);
    return { kind: "ok", value: 0, stallMs: outcome.stallMs };
  }

  /** A transaction through DRW or a banked register has the attributes of CSW. */
  #ownMaster(ap: number): BusMaster {
    return this.#master(ap, (this.#csw.get(ap) ?? 2) & 0xffffff00);
  }

  #width(ap: number, isDrw: boolean): AccessWidth {
    const size = (this.#csw.get(ap) ?? 2) & csw.sizeMask;
    return !isDrw || size >= 2 ? 4 : size === 1 ? 2 : 1;
  }

  #advance(ap: number, increment: boolean, width: number): void {
    const single = ((this.#csw.get(ap) ?? 2) & csw.single) !== 0;
    if (increment && single) this.#tar.set(ap, incremented(this.#tar.get(ap) ?? 0, width));
  }

  #value(value: number): DapAccess {
    return { kind: "ok", value: value >>> 0, stallMs: 0 };
  }
}

/** TAR after an access at `tar`: the increment wraps within 1 KiB. */
function incremented(tar: number, width: number): number {
  return tar - (tar % 1024) + ((tar + width) % 1024);
}
