import { fromWords } from "../../../src/bytes/bytes.ts";
import type { FlashController } from "../chip/flash.ts";
import { bankBytes, flashWordBytes, sectorBytes } from "../chip/flash-array.ts";
import {
  evaluateOptionChange,
  implementedBits,
  optsrBits,
  rdpLevel,
  withoutSfiStarted,
} from "../chip/option-rules.ts";
import type { OptionWords } from "../chips.ts";
import type { ChipStore } from "../store.ts";
import { contract, type Refusal, refusal, rssScratch, rssStatus } from "./contract.ts";
import { flashBase, planPart, type RssStep } from "./plan.ts";
import { makeToken, readToken, tokenBytes } from "./token.ts";

const axiBase = 0x24000000;

/** What RSS needs of the chip and tells it. */
export interface RssHost {
  readonly store: ChipStore;
  readonly flash: FlashController;
  readonly privateKey: Uint8Array;
  now(): number;
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

  /**
   * True when a reset now starts an install: SECURITY, "SFI process started" and ST_RAM_SIZE 3 are set, RDP is
   * 0xAA, and the host has cleared the completion words.
   */
  isRequested(): boolean {
    const { optsr } = this.#host.flash.options.current();
    const armed = (optsr >>> optsrBits.security) & (optsr >>> optsrBits.rss1) & 1;
    const ramSize = (optsr >>> optsrBits.stRamSize) & 3;
    const cleared = this.#ram(contract.completionAddress, 8).every((byte) => byte === 0);
    return armed === 1 && ramSize === 3 && rdpLevel(optsr) === 0 && cleared;
  }

  /** Begins with the part in RAM. */
  start(): void {
    const { store } = this.#host;
    for (const word of ["rssStep", "rssRefusal", "rssTokenSectorUsed"] as const) store.set(word, 0);
    store.set("rssRunning", 1);
    store.fill("dtcm", rssScratch.offset, rssScratch.sizeBytes, 0x5a);
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
    const { store } = this.#host;
    const refused = store.get("rssRefusal");
    if (refused !== 0) return { kind: "refuse", value: refused as Refusal, ms: 1 };
    this.#steps ??= planPart((address, sizeBytes) => this.#ram(address, sizeBytes), this.#host.privateKey);
    return this.#steps[store.get("rssStep")];
  }

  #perform(step: RssStep): void {
    const { flash } = this.#host;
    switch (step.kind) {
      case "work":
        return;
      case "require-blank":
        if (!this.#isWritable(step.address, step.sizeBytes)) this.#refuseWith(refusal.flashNotErased);
        return;
      case "program":
        flash.array.program(this.#place(step.address), step.data);
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
      case "refuse":
        this.#clearSfiStarted();
        this.#complete(rssStatus.error, step.value);
        return;
      case "complete":
        this.#complete(rssStatus.ok, step.value);
        return;
    }
  }

  /** The next step is a refusal, also after the process was killed in between. */
  #refuseWith(value: Refusal): void {
    this.#host.store.set("rssRefusal", value);
  }

  get #earlierPartUsedSector(): boolean {
    return this.#host.store.get("rssTokenSectorUsed") === 1;
  }

  #requireToken(address: number, index: number): void {
    const place = this.#place(address);
    const held = this.#host.flash.array.bytes.subarray(place, place + tokenBytes);
    const token = readToken(held, this.#headerTag(), address, this.#host.privateKey);
    if (token?.nextIndex !== index) this.#refuseWith(refusal.continuation);
    else this.#host.store.set("rssTokenSectorUsed", token.sectorUsed ? 1 : 0);
  }

  #storeToken(address: number, nextIndex: number, usedNow: boolean): void {
    const sectorUsed = usedNow || this.#earlierPartUsedSector;
    const token = makeToken({ nextIndex, sectorUsed }, this.#headerTag(), address, this.#host.privateKey);
    if (!this.#isWritable(address, tokenBytes)) {
      if (sectorUsed) {
        this.#refuseWith(refusal.continuation);
        return;
      }
      this.#eraseSectorOf(address);
    }
    this.#host.flash.array.program(this.#place(address), token);
  }

  #headerTag(): Uint8Array {
    return this.#ram(contract.headerAddress + 12, 16);
  }

  #setOptions(words: OptionWords): void {
    const { options } = this.#host.flash;
    const masked = Object.fromEntries(
      Object.entries(words).map(([name, word]) => [
        name,
        word & implementedBits(name as keyof OptionWords, true),
      ]),
    ) as Record<keyof OptionWords, number>;
    const wanted = { ...masked, optsr: withoutSfiStarted(masked.optsr) };
    const change = evaluateOptionChange(options.current(), wanted);
    if (change.kind === "refused") this.#refuseWith(refusal.optionBytes);
    else options.apply(change);
  }

  #clearSfiStarted(): void {
    const { options } = this.#host.flash;
    const current = options.current();
    const change = evaluateOptionChange(current, { ...current, optsr: withoutSfiStarted(current.optsr) });
    if (change.kind === "accepted") options.apply(change);
  }

  #complete(status: number, value: number): void {
    this.#host.store.write("axi", contract.completionAddress - axiBase, fromWords([status, value]));
    this.#host.store.set("rssRunning", 0);
    this.#host.finished();
  }

  /** Erased, and in sectors that no protection covers. */
  #isWritable(address: number, sizeBytes: number): boolean {
    const { array, options } = this.#host.flash;
    for (let at = address; at < address + sizeBytes; at += flashWordBytes) {
      const place = this.#place(at);
      const bank = place < bankBytes ? 0 : 1;
      const sector = Math.floor((place % bankBytes) / sectorBytes);
      if (array.isSectorProtected(bank, sector, options.current())) return false;
      if (!array.isBlank(place, flashWordBytes)) return false;
    }
    return true;
  }

  #eraseSectorOf(address: number): void {
    const place = this.#place(address);
    this.#host.flash.array.erase(place - (place % sectorBytes), sectorBytes);
  }

  #place(address: number): number {
    return this.#host.flash.physical(address - flashBase);
  }

  #ram(address: number, sizeBytes: number): Uint8Array {
    const at = address - axiBase;
    return this.#host.store.region("axi").subarray(at, at + sizeBytes);
  }
}
