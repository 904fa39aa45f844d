import { fromHex } from "../../src/bytes/hex.ts";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { StationError } from "../../src/errors/station-error.ts";
import { parseCertificate } from "../../src/package/certificate.ts";
import { developmentReserved, developmentType } from "../../src/package/license.ts";
import type { LicenseSource } from "../../src/ports/index.ts";
import { issueSettled } from "../hsm/settle.ts";
import { createTokenClient, type TokenClient, type TokenOptions } from "./token-client.ts";

/** A license source with something to close: a process, a claim on a token. */
export interface ClosableLicenseSource extends LicenseSource {
  close(): Promise<void>;
}

/** A development token as a license source. */
export interface DevelopmentTokenOptions extends TokenOptions {
  /** Firmware id that the job needs; any when undefined. */
  readonly firmwareId: string | undefined;
}

/**
 * Licenses for virtual chips from any standard token: the package's key stays on it, and its counter goes down with
 * every license, as on a real card.
 */
export function developmentTokenSource(options: DevelopmentTokenOptions): ClosableLicenseSource {
  const name = `pkcs11-dev:${options.token.label}`;
  const client = createTokenClient(options);
  return {
    name,
    counted: true,
    async check(real) {
      if (real) throw StationError.of("LICENSE_DEVELOPMENT", { source: name });
      await checkToken(client, name, options.firmwareId);
    },
    async inspect() {
      const { state, counter, firmwareId } = await client.state();
      return {
        ready: state === "OPERATIONAL_STATE" && (counter ?? 0) > 0,
        remaining: counter,
        firmwareId,
        detail: state,
      };
    },
    issue({ certificate }) {
      const counter = async () => (await client.state()).counter;
      return issueSettled(name, {
        before: counter,
        after: counter,
        issue: async () => {
          const { publicKey } = parseCertificate(certificate, "the chip's certificate");
          return fromHex((await client.issue({ chipKey: publicKey, header: licenseStart() })).license);
        },
      });
    },
    close: () => client.close(),
  };
}

/** Everything that can be told before a license is asked for, the PIN included. */
async function checkToken(client: TokenClient, name: string, wanted: string | undefined): Promise<void> {
  const { state, counter, firmwareId } = await client.state();
  if (state !== "OPERATIONAL_STATE") throw StationError.of("HSM_STATE_UNFIT", { source: name, state });
  if (wanted !== undefined && firmwareId !== wanted) {
    throw StationError.of("HSM_FIRMWARE_ID_WRONG", {
      source: name,
      actual: firmwareId ?? "none",
      expected: wanted,
    });
  }
  if ((counter ?? 0) < 1) throw StationError.of("HSM_EXHAUSTED", { source: name });
  const missing = await client.missingMechanisms();
  if (missing.length > 0) {
    throw StationError.of("HSM_MECHANISM_MISSING", { token: name, mechanisms: missing.join(", ") });
  }
  await client.login();
}

/** License bytes 0 to 23, marked as no genuine ones (STM32CubeH7, RSS.h; marks of the development issuer). */
function licenseStart(): Uint8Array {
  return new ByteWriter(24)
    .bytes(developmentType) // 0
    .u32(0) // 4: session id, static protocol
    .u32(1) // 8: license protocol version
    .u32(0) // 12: minimum security-extension version
    .bytes(developmentReserved) // 16
    .finish();
}
