import { basename, resolve } from "node:path";
import { diagnoseFailure, speaksOfFailure } from "./diagnose.ts";
import { runTool, type VendorTool } from "./tool.ts";

/** What goes onto a card. */
export interface CardProvision {
  readonly slot: number;
  readonly firmwareId: string;
  readonly maximum: number;
  readonly files: {
    readonly key: string;
    readonly nonce: string;
    /** Personalization file; V2 cards only. */
    readonly personalization: string | undefined;
  };
}

const timeoutMs = 120_000;

/**
 * Provisions and locks a card with STM32TrustedPackageCreator_CLI (AN5054 4.3.5). Only file names are on its command
 * line; the key stays in its file.
 * @throws VENDOR_* of the failed run
 */
export async function provisionWithTool(
  tool: VendorTool,
  { slot, firmwareId, maximum, files }: CardProvision,
): Promise<void> {
  const words = [
    ...["-hsm", "-i", String(slot), "-k", resolve(files.key), "-n", resolve(files.nonce)],
    ...["-id", firmwareId, "-mc", String(maximum)],
    ...(files.personalization === undefined ? [] : ["-pd", resolve(files.personalization)]),
  ];
  const action = "provisioning the card";
  const result = await runTool(tool, { words, action, timeoutMs });
  if (result.exitCode !== 0 || speaksOfFailure(result)) {
    throw diagnoseFailure(basename(tool.file), action, result);
  }
}
