import type { AccessWidth } from "../chip/bus.ts";
import { type CommandName, status } from "./commands.ts";
import type { Personality } from "./personalities.ts";

/** The memory commands: unit, direction, whether the address moves on. */
export interface MemoryCommand {
  readonly width: AccessWidth;
  readonly write: boolean;
  readonly increment: boolean;
}
export const memoryCommands: Partial<Record<CommandName, MemoryCommand>> = {
  READMEM_32: { width: 4, write: false, increment: true },
  WRITEMEM_32: { width: 4, write: true, increment: true },
  READMEM_16: { width: 2, write: false, increment: true },
  WRITEMEM_16: { width: 2, write: true, increment: true },
  READMEM_8: { width: 1, write: false, increment: true },
  WRITEMEM_8: { width: 1, write: true, increment: true },
  READMEM_32_NO_INC: { width: 4, write: false, increment: false },
  WRITEMEM_32_NO_INC: { width: 4, write: true, increment: false },
};
const longestBlockBytes = 6144;

/** undefined, or the status with which the firmware refuses to even try. */
export function sizeStatus(
  { width, write }: MemoryCommand,
  { longest8BitBytes, broken8BitReadBytes }: Personality,
  address: number,
  sizeBytes: number,
): number | undefined {
  if (address % width !== 0 || sizeBytes % width !== 0) return status.alignment;
  if (sizeBytes > (width === 1 ? longest8BitBytes : longestBlockBytes)) return status.commandError;
  const broken =
    width === 1 && !write && broken8BitReadBytes !== undefined && sizeBytes > broken8BitReadBytes;
  return broken ? status.commandError : undefined;
}
