import { StationError } from "../errors/station-error.ts";
import type { LicenseSource } from "../ports/index.ts";
import type { Arguments } from "./command.ts";
import type { CommandContext } from "./context.ts";
import { parseHsmSelector } from "./hsm-selector.ts";
import { pinOf } from "./pin.ts";

/** A license source and how to let go of what it holds. */
export interface OpenedSource {
  readonly source: LicenseSource;
  close(): Promise<void>;
}

/**
 * The license source that --hsm names. Nothing is started or claimed before it is asked something.
 * @throws USAGE_INVALID, VENDOR_TOOL_MISSING, HSM_ISSUE_NOT_PUBLIC
 */
export async function hsmSource(
  text: string,
  args: Arguments,
  context: CommandContext,
): Promise<OpenedSource> {
  const selector = parseHsmSelector(text);
  switch (selector.kind) {
    case "card": {
      const { findTool } = await import("../../drivers/cubeprogrammer/find.ts");
      const { cardSource } = await import("../../drivers/cubeprogrammer/source.ts");
      const tool = findTool("STM32_Programmer_CLI", selector.tool, context.env);
      const { slot, firmwareId } = selector;
      return { source: cardSource({ tool, slot, firmwareId }), close: async () => {} };
    }
    case "token": {
      const { module, token, firmwareId } = selector;
      if (token === undefined) {
        throw StationError.of("USAGE_INVALID", { detail: `--hsm ${text}: token=LABEL is missing` });
      }
      const { developmentTokenSource } = await import("../../drivers/pkcs11/development-source.ts");
      const pin = pinOf(args, context);
      const source = developmentTokenSource({ module, token, firmwareId, pin, env: context.env });
      return { source, close: () => source.close() };
    }
    case "vendor-module":
      throw StationError.of("HSM_ISSUE_NOT_PUBLIC", { source: text });
  }
}
