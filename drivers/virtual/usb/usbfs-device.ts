import { concatBytes } from "../../../src/bytes/bytes.ts";
import { type InterfaceMap, interfaceMap } from "./descriptors.ts";
import type { UsbDeviceModel } from "./device-model.ts";
import type { ErrnoName } from "./usbfs-abi.ts";
import { UsbfsHandle } from "./usbfs-handle.ts";

/** What a device tells the bus it is plugged into. */
export interface UsbfsDeviceEvents {
  /** Whether any program has ended transfers to fetch. */
  endedChanged(any: boolean): void;
  /** The model says that the device has left the bus. */
  left(): void;
}

const errnoOfRefusal = { busy: "busy", permission: "access", gone: "noDevice" } as const;

/** One device on the bus as the operating system keeps it: who has it open, who holds which interface. */
export class UsbfsDevice {
  readonly model: UsbDeviceModel;
  readonly layout: InterfaceMap;
  /** What reading the device node gives: all descriptors. */
  readonly descriptors: Uint8Array;
  readonly #events: UsbfsDeviceEvents;
  readonly #drivers: Map<number, string>;
  readonly #holders = new Map<number, UsbfsHandle>();
  readonly #handles = new Set<UsbfsHandle>();
  readonly #haltedEndpoints = new Set<number>();
  #present = true;

  constructor(model: UsbDeviceModel, events: UsbfsDeviceEvents) {
    this.model = model;
    this.layout = interfaceMap(model.configurationDescriptor);
    this.descriptors = concatBytes(model.deviceDescriptor, model.configurationDescriptor);
    this.#events = events;
    this.#drivers = new Map(model.kernelDrivers);
  }

  /** False once it was unplugged. */
  get present(): boolean {
    return this.#present;
  }

  /** A program opens the device node. */
  open(): UsbfsHandle {
    const handle = new UsbfsHandle(this);
    this.#handles.add(handle);
    return handle;
  }

  /** A program closes the device node, or ends. Nobody else notices unless it held an interface. */
  async closed(handle: UsbfsHandle): Promise<void> {
    this.#handles.delete(handle);
    this.endedChanged();
    for (const [number, holder] of [...this.#holders])
      if (holder === handle) await this.release(handle, number);
  }

  /** Tells the bus whether anybody has ended transfers to fetch. */
  endedChanged(): void {
    this.#events.endedChanged([...this.#handles].some((handle) => handle.hasEnded));
  }

  /** Ends every transfer under way; from now on nothing works but fetching those. */
  unplug(): void {
    if (!this.#present) return;
    this.#present = false;
    for (const handle of this.#handles) handle.endAll("shutdown");
  }

  /** The model answered a transfer with having left the bus. */
  leave(): void {
    this.unplug();
    this.#events.left();
  }

  holds(handle: UsbfsHandle, interfaceNumber: number | undefined): boolean {
    return interfaceNumber !== undefined && this.#holders.get(interfaceNumber) === handle;
  }

  /** Numbers of the interfaces that programs hold. */
  get heldInterfaces(): number[] {
    return [...this.#holders.keys()];
  }

  /** True when a driver or program has any interface, which forbids choosing a configuration (Linux usbfs). */
  get inUse(): boolean {
    return this.#holders.size > 0 || this.#drivers.size > 0;
  }

  /** Name of the driver of an interface; a program counts as the driver "usbfs". */
  driver(interfaceNumber: number): string | undefined {
    return this.#holders.has(interfaceNumber) ? "usbfs" : this.#drivers.get(interfaceNumber);
  }

  /**
   * Gives an interface to a program.
   * @param mayUnbind whether a kernel driver may be pushed aside
   * @returns why not
   */
  async claim(
    handle: UsbfsHandle,
    interfaceNumber: number,
    mayUnbind: (driver: string) => boolean,
  ): Promise<ErrnoName | undefined> {
    if (!this.layout.interfaces.has(interfaceNumber)) return "noEntry";
    const holder = this.#holders.get(interfaceNumber);
    if (holder !== undefined) return holder === handle ? undefined : "busy";
    const driver = this.#drivers.get(interfaceNumber);
    if (driver !== undefined && !mayUnbind(driver)) return "busy";
    // Held from before the model is asked, so that nobody else gets in between.
    this.#holders.set(interfaceNumber, handle);
    const refusal = await this.model.claim(interfaceNumber);
    if (refusal !== undefined) {
      this.#holders.delete(interfaceNumber);
      return errnoOfRefusal[refusal];
    }
    this.#drivers.delete(interfaceNumber);
    return undefined;
  }

  /** Takes an interface back. */
  async release(handle: UsbfsHandle, interfaceNumber: number): Promise<ErrnoName | undefined> {
    if (!this.holds(handle, interfaceNumber)) return "invalid";
    await this.model.release(interfaceNumber);
    this.#holders.delete(interfaceNumber);
    return undefined;
  }

  /** Takes the kernel driver off an interface. */
  unbindDriver(interfaceNumber: number): ErrnoName | undefined {
    return this.#drivers.delete(interfaceNumber) ? undefined : "noData";
  }

  /** Lets the kernel look for a driver again. @returns true when it found one */
  bindDriver(interfaceNumber: number): boolean | ErrnoName {
    if (this.driver(interfaceNumber) !== undefined) return "busy";
    const driver = this.model.kernelDrivers.get(interfaceNumber);
    if (driver === undefined) return false;
    this.#drivers.set(interfaceNumber, driver);
    return true;
  }

  isHalted(endpoint: number): boolean {
    return this.#haltedEndpoints.has(endpoint);
  }

  setHalted(endpoint: number, halted: boolean): void {
    if (halted) this.#haltedEndpoints.add(endpoint);
    else this.#haltedEndpoints.delete(endpoint);
  }

  /** USB reset. Programs lose the interfaces they hold, and their transfers with them (Linux usbfs). */
  async reset(): Promise<ErrnoName | undefined> {
    for (const handle of this.#handles) handle.endAll("noEntry");
    for (const [number, holder] of [...this.#holders]) await this.release(holder, number);
    this.#haltedEndpoints.clear();
    const refusal = await this.model.reset();
    return refusal && errnoOfRefusal[refusal];
  }
}
