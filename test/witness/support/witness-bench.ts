import { expect, onTestFinished } from "vitest";
import { openVirtualBench, parseVirtualSelector, type VirtualBench } from "../../../drivers/virtual/bench.ts";
import type { VirtualChip } from "../../../drivers/virtual/chip/chip.ts";
import { personalities } from "../../../drivers/virtual/stlink/personalities.ts";
import { UsbBus } from "../../../drivers/virtual/usb/bus.ts";
import { CoupledClock } from "../../../drivers/virtual/usb/coupled-clock.ts";
import { describeStlink } from "../../../drivers/virtual/usb/stlink-descriptors.ts";
import { StlinkUsbDevice } from "../../../drivers/virtual/usb/stlink-device.ts";
import { CommandCount, type Tampering, tamperedOpener } from "./tampering.ts";

/** A bus with one virtual probe whose commands are counted. */
export interface WitnessBench {
  readonly bus: UsbBus;
  readonly bench: VirtualBench;
  readonly chip: VirtualChip;
  /** What the programs on the bus have sent, by opcode. */
  readonly commands: CommandCount;
}

/** Erasing a sector takes a second of the chip's time; here fifty of them pass in one. */
const chipSecondsPerSecond = 50;

/**
 * A bus with one virtual probe that goes with the test; the test fails when serving a program failed.
 * @param options.mutation between the USB plug and the probe
 */
export async function witnessBench(
  options: { readonly selector?: string; readonly mutation?: Tampering } = {},
): Promise<WitnessBench> {
  const failures: unknown[] = [];
  const onFailure = (thrown: unknown) => failures.push(thrown);
  const config = parseVirtualSelector(options.selector ?? "virtual:h753");
  const bus = await UsbBus.open({ onFailure });
  const clock = new CoupledClock(chipSecondsPerSecond);
  const bench = await openVirtualBench({ ...config, strict: false }, { clock });
  onTestFinished(async () => {
    await bus.close();
    await bench.close();
    expect(failures).toEqual([]);
  });
  const commands = new CommandCount();
  const opener = tamperedOpener(bench.opener, [commands.tampering, options.mutation ?? {}]);
  const description = describeStlink(personalities[config.probe], opener.attachment.serial, false);
  await bus.plug(new StlinkUsbDevice(description, opener, onFailure));
  return { bus, bench, chip: bench.chip, commands };
}

/** Stack pointer and reset handler of `bootableImage`. */
export const bootStack = 0x24080000;
export const bootEntry = 0x08000200;

/** A firmware image whose first two words are a vector table; bytes from 8 on differ from place to place. */
export function bootableImage(sizeBytes: number, seed = 1): Uint8Array {
  const image = Uint8Array.from(
    { length: sizeBytes },
    (_, i) => (Math.imul(i + seed, 2654435761) >>> 13) & 0xff,
  );
  const view = new DataView(image.buffer);
  view.setUint32(0, bootStack, true);
  view.setUint32(4, bootEntry | 1, true);
  return image;
}

/** Puts an image into the chip's flash without any probe and lets the chip start it. */
export function bootFrom(chip: VirtualChip, image: Uint8Array): void {
  chip.store.write("flash", 0, image);
  chip.systemReset();
}
