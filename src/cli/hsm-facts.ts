import type { TokenInfo } from "../../drivers/pkcs11/protocol.ts";
import type { CommandContext } from "./context.ts";
import type { CardSelector, HsmSelector, TokenModuleSelector, VendorModuleSelector } from "./hsm-selector.ts";

/** What can be read of an HSM without a PIN and without changing it. */
export interface HsmFacts {
  readonly source: string;
  readonly firmwareId?: string;
  readonly counter?: number;
  readonly state?: string;
  readonly version?: string;
  readonly type?: string;
  /** PKCS#11: what the module calls itself. */
  readonly library?: string;
  /** PKCS#11: true when the module was bound to its own libraries. */
  readonly deep?: boolean;
  /** PKCS#11: readers. */
  readonly slots?: number;
  readonly tokens?: readonly Pick<TokenInfo, "label" | "serial" | "model" | "manufacturer">[];
  /** What a person should know about the values that are missing. */
  readonly notes: readonly string[];
}

/**
 * Reads an HSM's facts.
 * @throws the license class of errors of the way to it
 */
export function readHsm(selector: HsmSelector, context: CommandContext): Promise<HsmFacts> {
  switch (selector.kind) {
    case "card":
      return readCard(selector, context);
    case "token":
      return readToken(selector, context);
    case "vendor-module":
      return readVendorModule(selector, context);
  }
}

async function readCard({ slot, tool }: CardSelector, context: CommandContext): Promise<HsmFacts> {
  const { findTool } = await import("../../drivers/cubeprogrammer/find.ts");
  const { readCardInfo } = await import("../../drivers/cubeprogrammer/card.ts");
  const found = findTool("STM32_Programmer_CLI", tool, context.env);
  const info = await readCardInfo({ tool: found, slot });
  const notes =
    info.counter === 0 ? ["no licenses are left; chips that have one can still be programmed"] : [];
  return { source: `slot=${slot} through ${found.file}`, ...info, notes };
}

async function readToken({ module, token }: TokenModuleSelector, context: CommandContext): Promise<HsmFacts> {
  if (token === undefined) return listTokens(module, context);
  const { createTokenClient } = await import("../../drivers/pkcs11/token-client.ts");
  const client = createTokenClient({ module, token, env: context.env, pin: async () => undefined });
  try {
    const { library, version, deep } = await client.open();
    const { token: info, ...content } = await client.state();
    const missing = await client.missingMechanisms();
    return {
      source: `token ${info.label} of ${module}`,
      ...content,
      library: `${library} ${version}`,
      deep,
      tokens: [info],
      notes: [
        "development licenses only: real parts cannot open them",
        ...(missing.length === 0 ? [] : [`it cannot issue: ${missing.join(", ")} missing`]),
      ],
    };
  } finally {
    tellOutput(client.bridge.output(), context);
    await client.close();
  }
}

/** Without a label nothing is claimed: this is how labels are found. */
async function listTokens(module: string, context: CommandContext): Promise<HsmFacts> {
  const { createBridge } = await import("../../drivers/pkcs11/bridge.ts");
  const bridge = createBridge({ module, env: context.env });
  try {
    const { library, version, deep, slots, tokens } = await bridge.open();
    const notes = tokens.length === 0 ? [`${slots} readers, no token`] : ["add token=LABEL for one of them"];
    return { source: module, library: `${library} ${version}`, deep, slots, tokens, notes };
  } finally {
    tellOutput(bridge.output(), context);
    await bridge.close();
  }
}

async function readVendorModule(
  { module }: VendorModuleSelector,
  context: CommandContext,
): Promise<HsmFacts> {
  const { readVendorHsm, vendorModuleNote } = await import("../../drivers/pkcs11/vendor-diagnosis.ts");
  const { info, firmwareId, output } = await readVendorHsm({ module, env: context.env });
  tellOutput(output, context);
  const { library, version, deep, slots, tokens } = info;
  return {
    source: module,
    ...(firmwareId === undefined ? {} : { firmwareId }),
    library: `${library} ${version}`,
    deep,
    slots,
    tokens,
    notes: [
      vendorModuleNote,
      ...(tokens.length === 0 ? [`${slots} readers, no card`] : []),
      ...(tokens.length > 0 && firmwareId === undefined ? ["the card shows no FwId object"] : []),
    ],
  };
}

/** What a foreign module printed is for -v only. */
function tellOutput(output: string, context: CommandContext): void {
  if (context.options.verbose === 0 || output === "") return;
  for (const line of output.split("\n")) context.say(`module: ${line.replace(/\p{Cc}/gu, " ")}`);
}
