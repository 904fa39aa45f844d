import { fromWords } from "../../../src/bytes/bytes.ts";
import { chunks } from "../../../src/bytes/chunks.ts";
import type { InstallPort } from "../chip/flash-part.ts";
import type { FlashGeometry, OptionWords } from "../models/flash-model.ts";
import type { ChipStore } from "../store.ts";
import { type Refusal, refusals } from "./contract.ts";
import type { InstallKind } from "./kinds.ts";
import { flashOffset, planPart, type RssStep } from "./plan.ts";
import { makeToken, readToken, tokenBytes } from "./token.ts";

/** What RSS needs of the chip and tells it. */
export interface RssHost {
  readonly store: ChipStore;
  readonly port: InstallPort;
  readonly geometry: FlashGeometry;
  /** How this part's install service is asked and answers; undefined: it has none. */
  readonly kind: InstallKind | undefined;
  readonly privateKey: Uint8Array;
  now(): number;
  readRam(address: number, sizeBytes: number): Uint8Array;
  writeRam(address: number, data: Uint8Array): boolean;
  /** Asked before every step with the time since RSS began; false makes RSS hang there. */
  goOn(elapsedMs: number): boolean;
  /** RSS has written its completion words. */
  finished(): void;
}

/**
 * The install service of RSS. It works step by step as modelled time passes; the number of steps done is in the store,
 * so that a chip found again in the middle of its work (its process was killed, its supply was not) goes on.
 */
export class RssRunner {
  readonly #host: RssHost;
  #steps: readonly RssStep[] | undefined;
  #startedMs = 0;
  #dueMs = 0;
  /** True while `settle` is at work: a fault script that looks at the chip from within must not start it again. */
  #settling = false;

  constructor(host: RssHost) {
    this.#host = host;
  }

  get running(): boolean {
    return this.#host.store.get("rssRunning") === 1;
  }

  /** True when a reset now starts an install. Asked once at every reset: a command word is taken by it. */
  isRequested(): boolean {
    return this.#host.kind?.takeRequest() ?? false;
  }

  /** Begins with the part in RAM. */
  start(): void {
    const { store, kind } = this.#host;
    for (const word of ["rssStep", "rssRefusal", "rssTokenSectorUsed"] as const) store.set(word, 0);
    store.set("rssRunning", 1);
    kind?.begin();
    this.#steps = undefined;
    this.#startedMs = this.#host.now();
    this.#dueMs = this.#startedMs + (this.#step()?.ms ?? 0);
  }

  /** A reset or loss of power: whatever was done stays done. */
  cancel(): void {
    this.#host.store.set("rssRunning", 0);
  }

  /** Does the steps whose time has come, or all of them with `all`. */
  settle(all = false): void {
    if (this.#settling) return;
    this.#settling = true;
    this.#work(all);
    this.#settling = false;
  }

  #work(all: boolean): void {
    while (this.running && (all || this.#host.now() >= this.#dueMs)) {
      if (!this.#host.goOn(this.#dueMs - this.#startedMs) || !this.running) return;
      const step = this.#step();
      if (step === undefined) return;
      this.#perform(step);
      this.#host.store.set("rssStep", this.#host.store.get("rssStep") + 1);
      this.#dueMs += this.#step()?.ms ?? 0;
    }
  }

  #step(): RssStep | undefined {
    const { store, kind, geometry, privateKey } = this.#host;
    const reason = refusals[store.get("rssRefusal") - 1];
    if (reason !== undefined) return { kind: "refuse", reason, ms: 1 };
    if (kind === undefined) return undefined;
    this.#steps ??= planPart((address, sizeBytes) => this.#host.readRam(address, sizeBytes), {
      service: kind.service,
      version: kind.version(),
      geometry,
      privateKey,
    });
    return this.#steps[store.get("rssStep")];
  }

  #perform(step: RssStep): void {
    switch (step.kind) {
      case "work":
        return;
      case "require-blank":
        if (!this.#isWritable(step.address, step.sizeBytes)) this.#refuseWith("flashNotErased");
        return;
      case "program":
        this.#host.port.program(this.#place(step.address), step.data);
        return;
      case "require-token":
        this.#requireToken(step.address, step.index);
        return;
      case "store-token":
        this.#storeToken(step.address, step.nextIndex, step.sectorUsed);
        return;
      case "drop-token":
        if (!step.sectorUsed && !this.#earlierPartUsedSector) this.#eraseSectorOf(step.address);
        return;
      case "set-options":
        this.#setOptions(step.words);
        return;
      case "store-key":
        this.#host.store.set("hasDaObject", 1);
        return;
      case "refuse":
        this.#refuse(step.reason);
        return;
      case "complete":
        this.#complete(this.#host.kind?.words.ok ?? 0, step.value);
        return;
    }
  }

  /** The next step is a refusal, also after the process was killed in between. */
  #refuseWith(reason: Refusal): void {
    this.#host.store.set("rssRefusal", refusals.indexOf(reason) + 1);
  }

  get #earlierPartUsedSector(): boolean {
    return this.#host.store.get("rssTokenSectorUsed") === 1;
  }

  #requireToken(address: number, index: number): void {
    const held = this.#host.port.bytes(this.#place(address), tokenBytes);
    const token = readToken(held, this.#headerTag(), address, this.#host.privateKey);
    if (token?.nextIndex !== index) this.#refuseWith("continuation");
    else this.#host.store.set("rssTokenSectorUsed", token.sectorUsed ? 1 : 0);
  }

  #storeToken(address: number, nextIndex: number, usedNow: boolean): void {
    const sectorUsed = usedNow || this.#earlierPartUsedSector;
    const token = makeToken({ nextIndex, sectorUsed }, this.#headerTag(), address, this.#host.privateKey);
    if (!this.#isWritable(address, tokenBytes)) {
      if (sectorUsed) {
        this.#refuseWith("continuation");
        return;
      }
      this.#eraseSectorOf(address);
    }
    for (const { address: at, data } of chunks(this.#place(address), token, this.#host.geometry.unitBytes)) {
      this.#host.port.program(at, data);
    }
  }

  #headerTag(): Uint8Array {
    const header = this.#host.kind?.service.buffers.header ?? 0;
    return this.#host.readRam(header + 12, 16);
  }

  #setOptions(words: OptionWords): void {
    const allowed = this.#host.kind?.allowsOptions(words) ?? false;
    if (!allowed || !this.#host.port.setOptions(words)) this.#refuseWith("optionBytes");
  }

  #refuse(reason: Refusal): void {
    const { kind } = this.#host;
    kind?.refused();
    this.#complete(kind?.words.error ?? 0, kind?.words.valueOf(reason) ?? 0);
  }

  #complete(status: number, value: number): void {
    const completion = this.#host.kind?.service.buffers.completion ?? 0;
    this.#host.writeRam(completion, fromWords([status, value]));
    this.#host.store.set("rssRunning", 0);
    this.#host.finished();
  }

  #isWritable(address: number, sizeBytes: number): boolean {
    return this.#host.port.isWritable(this.#place(address), sizeBytes);
  }

  #eraseSectorOf(address: number): void {
    this.#host.port.eraseSectorOf(this.#place(address));
  }

  #place(address: number): number {
    return flashOffset(this.#host.geometry, address);
  }
}
