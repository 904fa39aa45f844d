import { existsSync } from "node:fs";
import { asStationError } from "../errors/station-error.ts";

/** One line of `sfi doctor` about HSMs. None of it is needed by a station that gets its licenses as files. */
export interface HsmFinding {
  readonly check: string;
  readonly verdict: "ok" | "attention";
  readonly detail: string;
}

/** What this station has for HSMs: the binding to PKCS#11, deep loading, the smart-card service, ST's tool. */
export async function hsmFindings(env: Readonly<Record<string, string | undefined>>): Promise<HsmFinding[]> {
  const { loadBinding, optionalKoffi } = await import("../../drivers/pkcs11/native.ts");
  const { smartCardService } = await import("../../drivers/pkcs11/token-client.ts");
  const { findTool } = await import("../../drivers/cubeprogrammer/find.ts");
  const findings = [
    found("PKCS#11", () => {
      loadBinding();
      return "pkcs11js is there";
    }),
    found("STM32HSM through ST's tool", () => findTool("STM32_Programmer_CLI", undefined, env).file),
  ];
  if (process.platform !== "linux") return findings;
  const deep = optionalKoffi() !== undefined;
  const service = existsSync(smartCardService);
  return [
    ...findings,
    {
      check: "PKCS#11 modules with their own libraries",
      verdict: deep ? "ok" : "attention",
      detail: deep
        ? "koffi is there"
        : "the optional package koffi is missing: modules get the OpenSSL inside Node instead of theirs",
    },
    {
      check: "smart-card service",
      verdict: service ? "ok" : "attention",
      detail: service ? smartCardService : `pcscd is not running (no ${smartCardService}); readers need it`,
    },
  ];
}

function found(check: string, look: () => string): HsmFinding {
  try {
    return { check, verdict: "ok", detail: look() };
  } catch (thrown) {
    const error = asStationError(thrown);
    return { check, verdict: "attention", detail: `${error.code}: ${error.message}. ${error.remedy}` };
  }
}
