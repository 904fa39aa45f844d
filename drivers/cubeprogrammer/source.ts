import { StationError } from "../../src/errors/station-error.ts";
import type { LicenseSource } from "../../src/ports/index.ts";
import { issueSettled } from "../hsm/settle.ts";
import { type CardOptions, readCardInfo, readCounter, requestLicense } from "./card.ts";

/** A real STM32HSM as a license source. */
export interface CardSourceOptions extends CardOptions {
  /** Firmware id that the job needs; any when undefined. */
  readonly firmwareId: string | undefined;
}

/** Licenses from an STM32HSM through STM32_Programmer_CLI, the published way to ask one (AN5054 3.2.1). */
export function cardSource(options: CardSourceOptions): LicenseSource {
  const name = `cubecli:slot=${options.slot}`;
  // Every run of the tool takes seconds: a counter that was read and not used since is not read again.
  let inspected: number | undefined;
  return {
    name,
    counted: true,
    async check(real) {
      // A virtual chip cannot open it; asking would spend one for nothing.
      if (!real) throw StationError.of("LICENSE_GENUINE_ON_VIRTUAL", { source: name });
      const { state, counter, firmwareId } = await readCardInfo(options);
      if (state !== "OPERATIONAL_STATE") {
        throw StationError.of("HSM_STATE_UNFIT", { source: name, state: state ?? "an unknown state" });
      }
      if (options.firmwareId !== undefined && firmwareId !== options.firmwareId) {
        const actual = firmwareId ?? "none";
        throw StationError.of("HSM_FIRMWARE_ID_WRONG", {
          source: name,
          actual,
          expected: options.firmwareId,
        });
      }
      if (counter === 0) throw StationError.of("HSM_EXHAUSTED", { source: name });
    },
    async inspect() {
      const { state, counter, firmwareId } = await readCardInfo(options);
      inspected = counter;
      return {
        ready: state === "OPERATIONAL_STATE" && counter !== 0,
        remaining: counter,
        firmwareId,
        detail: state ?? "UNKNOWN_STATE",
      };
    },
    issue: ({ certificate }) =>
      issueSettled(name, {
        before: async () => {
          const counter = inspected ?? (await readCounter(options));
          inspected = undefined;
          return counter;
        },
        after: () => readCounter(options),
        issue: () => requestLicense(options, certificate),
      }),
  };
}
