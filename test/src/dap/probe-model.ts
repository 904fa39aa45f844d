import { StationError } from "../../../src/errors/station-error.ts";
import type { DebugPort, Memory, Probe } from "../../../src/ports/index.ts";

/** A probe that writes down what is asked of it. */
export interface ProbeModel extends Probe {
  readonly log: string[];
  /** Thrown by the next calls of enterSwd, one each. */
  readonly enterFailures: StationError[];
  /** Thrown by the next readDp calls, one each. */
  readonly dpFailures: StationError[];
  readonly idrs: Map<number, number>;
  dpidr: number;
  ctrlStat: number;
}

/** @param memory what lies behind every access port */
export function probeModel(memory: Memory): ProbeModel {
  const log: string[] = [];
  const fail = (failures: StationError[]): void => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
  };
  const port: DebugPort = {
    readDp: async (register) => {
      log.push(`readDp ${register}`);
      fail(probe.dpFailures);
      return register === 0 ? probe.dpidr : probe.ctrlStat;
    },
    writeDp: async (register, value) => {
      log.push(`writeDp ${register} ${value.toString(16)}`);
    },
    openAp: async (ap) => {
      log.push(`openAp ${ap}`);
    },
    closeAp: async () => undefined,
    readAp: async (ap) => probe.idrs.get(ap) ?? 0,
    writeAp: async () => undefined,
    memory: () => memory,
  };
  const probe: ProbeModel = {
    log,
    enterFailures: [],
    dpFailures: [],
    idrs: new Map(),
    dpidr: 0x6ba02477,
    ctrlStat: 0xf0000000,
    identity: {
      kind: "virtual",
      selector: "virtual:model",
      vendorId: 0x483,
      productId: 0x374f,
      serial: "",
      product: "model",
      firmware: "V3J15",
      real: false,
    },
    readTargetMillivolts: async () => 3300,
    setClock: async (kilohertz) => {
      log.push(`clock ${kilohertz}`);
      return kilohertz;
    },
    setNrst: async (level) => {
      log.push(`nrst ${level}`);
    },
    enterSwd: async (options) => {
      log.push(options?.keepNrst === true ? "enter keepNrst" : "enter");
      fail(probe.enterFailures);
      return port;
    },
    close: async () => undefined,
  };
  return probe;
}

export function noAnswer(): StationError {
  return StationError.of("TARGET_NO_ANSWER", { detail: "status 0x09" });
}

export function linkLost(): StationError {
  return StationError.of("TARGET_LINK_LOST", { detail: "AP_PARITY" });
}
