import type { ChipModel } from "../models/model.ts";
import type { ChipStore } from "../store.ts";
import type { FlashHost, FlashPart } from "./flash-part.ts";
import { H5FlashController } from "./h5/controller.ts";
import { H7FlashController } from "./h7/flash.ts";
import { H7rsFlashController } from "./h7rs/controller.ts";
import { PageFlashController } from "./page/controller.ts";

/** The flash controller of a model, with its option bytes. */
export function flashPartOf({ flash, options }: ChipModel, store: ChipStore, host: FlashHost): FlashPart {
  switch (flash.kind) {
    case "h7":
      return new H7FlashController(store, flash, options, host);
    case "page":
      return new PageFlashController(store, flash, options, host);
    case "h5":
      return new H5FlashController(store, flash, options, host);
    case "h7rs":
      return new H7rsFlashController(store, flash, options, host);
  }
}
