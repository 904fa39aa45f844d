import type { Memory } from "../ports/index.ts";
import type { AddressRange } from "./flash-layout.ts";
import type { DeviceManifest, FlashBankFacts, FlashRegisters } from "./manifest-types.ts";

/** Which world the debug port works in. */
export interface WorldView {
  /** TrustZone is on and the debug port sees the secure world: secure registers and secure addresses are to be used. */
  readonly secure: boolean;
}

const nonSecure: WorldView = { secure: false };

/**
 * Asks a part which view it has to be worked on in. TrustZone parts tell whether it is on, and whether the debug port
 * sees the secure world, in words that are readable at their non-secure address in every state (RM0438, RM0456 and
 * RM0481, option registers; STM32CubeProgrammer's device database tests the same words).
 * @param manifest parts without TrustZone are not asked
 */
export async function readView(memory: Memory, { trustZone }: DeviceManifest): Promise<WorldView> {
  if (trustZone === undefined) return nonSecure;
  const { stateAddress, onTest, secureDebug } = trustZone;
  const [state = 0, debug = 0] = await memory.batch([
    { kind: "read", address: stateAddress },
    { kind: "read", address: secureDebug.address },
  ]);
  const on = (state & onTest.mask) >>> 0 === onTest.value;
  return { secure: on && (debug & secureDebug.mask) >>> 0 === secureDebug.value };
}

/** The offset at which option registers are worked on in a view. */
export function optionOffset({ trustZone }: DeviceManifest, view: WorldView): number {
  return view.secure && trustZone?.optionsInSecureView === true ? trustZone.peripheralOffset : 0;
}

/** The registers that erase and program a bank in a view. */
export function flashRegisters(bank: FlashBankFacts, view: WorldView): FlashRegisters {
  return view.secure ? (bank.secureRegisters ?? bank.registers) : bank.registers;
}

/** Where flash is read and programmed in a view. @param address as in the manifest, or in the secure world already */
export function flashAddress(manifest: DeviceManifest, view: WorldView, address: number): number {
  const { trustZone } = manifest;
  if (trustZone === undefined) return address;
  const plain = plainFlashAddress(manifest, address);
  return view.secure && isFlash(manifest, plain) ? plain + trustZone.flashOffset : plain;
}

/** A flash address without the secure world's offset; any other address as it is. */
export function plainFlashAddress(manifest: DeviceManifest, address: number): number {
  const offset = manifest.trustZone?.flashOffset ?? 0;
  return offset !== 0 && isFlash(manifest, address - offset) ? address - offset : address;
}

/** A range as `plainFlashAddress` has it. */
export function plainFlashRange(manifest: DeviceManifest, range: AddressRange): AddressRange {
  return { address: plainFlashAddress(manifest, range.address), sizeBytes: range.sizeBytes };
}

function isFlash({ memory }: DeviceManifest, address: number): boolean {
  return Object.values(memory).some(
    (region) =>
      region.kind === "flash" && address >= region.address && address < region.address + region.sizeBytes,
  );
}
