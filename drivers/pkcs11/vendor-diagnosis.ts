import { asciiText } from "../../src/bytes/bytes.ts";
import { fromHex } from "../../src/bytes/hex.ts";
import { type BridgeOptions, createBridge } from "./bridge.ts";
import type { ModuleInfo } from "./protocol.ts";

/** Said wherever the vendor's module is looked at, so that nobody waits for more. */
export const vendorModuleNote =
  "ST's PKCS#11 module shows the firmware id and nothing else: how counter, state and licenses are asked for is not public; use --hsm slot=N, which goes through STM32CubeProgrammer";

/** What the vendor's module shows. */
export interface VendorHsm {
  readonly info: ModuleInfo;
  /** Value of the data object `FwId`, the only one in the module's object table. */
  readonly firmwareId: string | undefined;
  /** What the module printed. */
  readonly output: string;
}

/**
 * Looks at an STM32HSM through ST's own PKCS#11 module (libstp11_SAM.so, stlibp11_SAM.dll). Read only, no PIN. The
 * module finds its configuration and object table by relative paths, so it runs in its own folder.
 * @throws PKCS11_* and HSM_TOKEN_AMBIGUOUS
 */
export async function readVendorHsm(
  options: Pick<BridgeOptions, "module" | "env" | "deadlinesMs" | "childFile">,
): Promise<VendorHsm> {
  const bridge = createBridge(options);
  try {
    const info = await bridge.open();
    const [first] = info.tokens;
    const value =
      first === undefined
        ? null
        : await bridge.call("findData", {
            token: { label: first.label, serial: first.serial },
            label: "FwId",
          });
    return { info, firmwareId: value === null ? undefined : printable(value), output: bridge.output() };
  } finally {
    await bridge.close();
  }
}

/** The identifier is text; a card may pad it with zeros. */
function printable(hex: string): string {
  return asciiText(fromHex(hex)).replace(/\0+$/, "");
}
