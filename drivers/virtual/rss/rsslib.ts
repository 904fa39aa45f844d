import type { ServiceCall } from "../chip/core.ts";
import { rsslibEntry, rsslibOffsets } from "../models/rsslib.ts";
import { loadedWords } from "./contract.ts";
import type { ServiceParts } from "./kinds.ts";
import { type CallableServices, serviceMs } from "./services.ts";

/** Numbers of these services in the store begin behind those of the RSSe's table. */
const firstId = 16;
/** Word that each address SetSecOB takes stands for: WRPSRP, HDPSRP and ROTSRP (CMSIS-H7RS). */
const wordOfAddress: ReadonlyMap<number, string> = new Map([
  [0x5200221c, "wrpsr"],
  [0x52002234, "hdpsr"],
  [0x5200220c, "rotsr"],
]);
const states = { open: 0x39, provisioning: 0x17, closed: 0x72, locked: 0x5c } as const;
/** Product states that may follow each; back goes debug authentication only. */
const nextStates: ReadonlyMap<number, readonly number[]> = new Map([
  [states.open, [states.provisioning]],
  [states.provisioning, [states.closed, states.locked]],
]);

type Call = (parts: ServiceParts) => number;

/** What each function leaves in R0, in the order of `rsslibOffsets`. Data provisioning is not modelled and fails. */
const calls: readonly Call[] = [
  setSecOptionBytes,
  () => loadedWords.ok,
  setProductState,
  () => loadedWords.error,
  productState,
];

/** The functions of RSSLIB in the ROM of the H7RS. */
export function rsslibServices(parts: ServiceParts): CallableServices {
  const byId = (id: number): ServiceCall | undefined => {
    const call = calls[id - firstId];
    return call && { id, durationMs: serviceMs, perform: () => parts.store.set("r0", call(parts)) };
  };
  return {
    byId,
    at: (address) => {
      const index = rsslibOffsets.findIndex((_, i) => rsslibEntry(i) === address);
      return index < 0 ? undefined : byId(firstId + index);
    },
  };
}

function productState({ flash }: ServiceParts): number {
  return flash.options()["productState"] ?? 0;
}

/** R0: state. In force after the next reset. */
function setProductState(parts: ServiceParts): number {
  const wanted = parts.store.get("r0");
  const allowed = nextStates.get(productState(parts))?.includes(wanted) === true;
  return allowed && parts.flash.install.setOptions({ productState: wanted })
    ? loadedWords.ok
    : loadedWords.error;
}

/** R0 address, R1 mask, R2 value, R3 position: (old & ~mask) | (value << position & mask). */
function setSecOptionBytes({ store, flash }: ServiceParts): number {
  const name = wordOfAddress.get(store.get("r0"));
  if (name === undefined) return loadedWords.error;
  const mask = store.get("r1");
  const value = (store.get("r2") << (store.get("r3") & 31)) & mask;
  const old = flash.options()[name] ?? 0;
  return flash.install.setOptions({ [name]: ((old & ~mask) | value) >>> 0 })
    ? loadedWords.ok
    : loadedWords.error;
}
