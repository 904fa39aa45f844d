import { readFileSync } from "node:fs";
import { equalBytes } from "../../src/bytes/bytes.ts";
import { sha256Hex } from "../../src/bytes/digest.ts";
import { toHex } from "../../src/bytes/hex.ts";
import { StationError } from "../../src/errors/station-error.ts";
import type { BulkOpener, BulkPort, ProbeAttachment } from "../../src/ports/index.ts";
import { VirtualChip } from "./chip/chip.ts";
import { chipModels } from "./chips.ts";
import { VirtualClock } from "./clock.ts";
import { decodeFaultScript } from "./faults/decode.ts";
import { FaultEngine } from "./faults/engine.ts";
import type { Fault } from "./faults/script.ts";
import type { VirtualConfig } from "./selector.ts";
import { memoryState, type OpenState, openStateFile } from "./state-file.ts";
import { UsbDevice } from "./stlink/device.ts";
import { type Personality, personalities } from "./stlink/personalities.ts";
import { type TransferCounts, VirtualPort } from "./stlink/port.ts";
import { VirtualProbe } from "./stlink/probe.ts";
import { LinkTimer } from "./timing.ts";

export { type ChipName, chipNames } from "./chips.ts";
export { parseVirtualSelector, type VirtualConfig } from "./selector.ts";

/** One virtual probe with one virtual chip and their own time. */
export interface VirtualBench {
  readonly opener: BulkOpener;
  readonly clock: VirtualClock;
  readonly chip: VirtualChip;
  /** Tells the fault script which state an install is in. */
  enterState(name: string): void;
  /** What has gone over USB so far. */
  transfers(): Readonly<TransferCounts>;
  /** Modelled time since the bench was opened. */
  modelledMs(): number;
  /** Someone repairs the bench: no fault holds any longer, the probe is plugged in, the supply is on, NRST is high. */
  mend(): void;
  /** Framing mistakes of the host, in words. */
  violations(): readonly string[];
  /** Gives the state file back. The chip in it stays as it is, with its supply on. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Sets up the bench a selector describes. A chip found in a state file has had power and time since its last run:
 * whatever was under way has ended, a chip that had lost its supply has it again, and NRST is high.
 * @param options.clock another clock than one of its own, for benches whose host lives in real time
 * @throws STATE_FILE_INVALID, PROBE_BUSY, FILE_UNREADABLE, FAULT_SCRIPT_INVALID
 */
export async function openVirtualBench(
  config: VirtualConfig,
  { clock = new VirtualClock() }: { readonly clock?: VirtualClock } = {},
): Promise<VirtualBench> {
  const faults = [...(config.faults ?? []), ...readFaultFile(config.faultFile)];
  const model = chipModels[config.chip];
  const state =
    config.stateFile === undefined
      ? memoryState(model)
      : openStateFile(config.stateFile, model, config.selector);
  try {
    return assemble(config, state, faults, clock);
  } catch (thrown) {
    state.close();
    throw thrown;
  }
}

function assemble(
  config: VirtualConfig,
  state: OpenState,
  faults: readonly Fault[],
  clock: VirtualClock,
): VirtualBench {
  const model = chipModels[config.chip];
  const chip = new VirtualChip(model, state.store, config.uid ?? model.defaultUid, () => clock.monotonicMs());
  requireUid(config, chip);
  chip.settle(true);
  chip.powerOn();
  chip.setNrst(false);
  const engine = new FaultEngine(faults, chip, clock);
  chip.observer = engine;
  const strict = config.strict ?? true;
  const personality: Personality = { ...personalities[config.probe], opensCoreApOnEnter: !strict };
  const counts: TransferCounts = { count: 0, bytesOut: 0, bytesIn: 0 };
  const violations: string[] = [];
  const makeDevice = (): UsbDevice => {
    const link = new LinkTimer(clock, personality.link);
    return new UsbDevice(new VirtualProbe(personality, chip, link, engine), link);
  };
  let device = makeDevice();
  let openPorts = 0;
  const attachment: ProbeAttachment = {
    kind: "virtual",
    selector: config.selector,
    vendorId: 0x0483,
    productId: personality.productId,
    serial: config.serial ?? defaultSerial(chip.uid, config.probe),
  };
  const open = async (options?: { readonly reset?: boolean }): Promise<BulkPort> => {
    refuseOpening(engine, config.selector, openPorts);
    if (options?.reset) {
      // The probe's pins float while it restarts, and with them the target's reset.
      device = makeDevice();
      if (engine.nrstStuck() === undefined) {
        chip.setNrst(true);
        chip.setNrst(false);
      }
    }
    openPorts++;
    return new VirtualPort({
      device,
      clock,
      faults: engine,
      counts,
      violations,
      strict,
      leaveBus: (returnsAfterMs) => {
        openPorts = 0;
        engine.detach(returnsAfterMs);
        device = makeDevice();
        chip.setNrst(engine.nrstStuck() === "low");
      },
      closed: () => {
        openPorts--;
      },
    });
  };
  return {
    opener: { attachment, open },
    clock,
    chip,
    enterState: (name) => engine.enterState(name),
    transfers: () => ({ ...counts }),
    modelledMs: () => clock.monotonicMs(),
    mend: () => {
      engine.mend();
      chip.powerOn();
      chip.setNrst(false);
    },
    violations: () => [...violations],
    close: async () => state.close(),
  };
}

function refuseOpening(engine: FaultEngine, selector: string, openPorts: number): void {
  const refusal = engine.openRefusal();
  if (refusal === "absent") throw StationError.of("PROBE_NOT_FOUND", { wanted: ` that matches ${selector}` });
  if (refusal === "permission") throw StationError.of("USB_PERMISSION", { probe: selector });
  if (refusal === "busy" || openPorts > 0) throw StationError.of("PROBE_BUSY", { probe: selector });
}

function requireUid(config: VirtualConfig, chip: VirtualChip): void {
  if (config.uid === undefined || equalBytes(config.uid, chip.uid)) return;
  throw StationError.of("STATE_FILE_INVALID", {
    file: config.stateFile ?? "",
    detail: `it holds the chip with uid ${toHex(chip.uid)}`,
  });
}

function readFaultFile(file: string | undefined): Fault[] {
  if (file === undefined) return [];
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (thrown) {
    const detail = thrown instanceof Error ? thrown.message : String(thrown);
    throw StationError.of("FILE_UNREADABLE", { file, detail }, { cause: thrown });
  }
  return decodeFaultScript(text, file);
}

function defaultSerial(uid: Uint8Array, probe: string): string {
  return sha256Hex("serial of virtual probe ", probe, uid).slice(0, 24).toUpperCase();
}
