import type { ChipModel } from "../models/model.ts";
import type { ChipStore } from "../store.ts";
import type { FlashHost, FlashPart } from "./flash-part.ts";
import { H7FlashController } from "./h7/flash.ts";

/** The flash controller of a model, with its option bytes. */
export function flashPartOf(model: ChipModel, store: ChipStore, host: FlashHost): FlashPart {
  const { flash, options } = model;
  return new H7FlashController(store, flash as Extract<typeof flash, { kind: "h7" }>, options, host);
}
