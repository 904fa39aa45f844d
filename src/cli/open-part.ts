import { hexNumber } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import { firstNotBlank } from "../target/flash.ts";
import { flashRanges } from "../target/flash-layout.ts";
import { decodeOptionBytes, defaultOptionBytes, differences } from "../target/option-bytes.ts";
import { regress } from "../target/regress.ts";
import { readSecurityState } from "../target/security.ts";
import { textOption } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import { requireApproval } from "./consent.ts";
import { type CommandContext, printResult } from "./context.ts";
import { withTarget } from "./target.ts";

/**
 * Erases the part and puts its option bytes back to the factory's, then proves both.
 * @returns 0
 * @throws READOUT_PROTECTED at RDP level 2; PLAN_NOT_APPROVED on a real part; what a regression can throw
 */
export async function openPart(
  args: Arguments,
  context: CommandContext,
  why: "abort" | "regress",
): Promise<number> {
  await withTarget(args, context, "hot-plug", async (target) => {
    const { identity, probe, debug, clock } = target;
    const { manifest, variant } = identity;
    const before = await target.readOptionBytes();
    const security = readSecurityState(manifest, variant, before);
    if (security.rdpLevel === 2) throw StationError.of("READOUT_PROTECTED", { level: security.rdpName });
    const wanted = defaultOptionBytes(manifest, variant);
    requireApproval({ uid: identity.uid, open: why }, probe.identity, textOption(args, "approve"));
    const after = await regress(debug, clock, manifest, variant, wanted, { signal: context.signal });
    const wrong = differences(manifest, variant, wanted, after);
    if (wrong.length > 0) {
      throw StationError.of("OPTION_BYTES_NOT_TAKEN", { detail: wrong.map(({ field }) => field).join(", ") });
    }
    const ranges = flashRanges(manifest, variant, identity.flashSizeBytes);
    const notBlank = await firstNotBlank(debug.memory(), manifest, ranges);
    if (notBlank !== undefined) {
      throw StationError.of("FLASH_ERASE_FAILED", {
        address: hexNumber(notBlank, 8),
        detail: "it is not blank",
      });
    }
    const fields = decodeOptionBytes(manifest, variant, after);
    const json = {
      opened: true,
      uid: identity.uid,
      flash: "blank",
      optionBytes: Object.fromEntries(fields.map(({ name, value }) => [name, hexNumber(value)])),
    };
    printResult(context, json, () =>
      [
        "open: flash blank, option bytes as from the factory (both read back)",
        ...fields.map(({ name, value, text }) => `  ${name} ${hexNumber(value)} ${text}`),
      ].join("\n"),
    );
  });
  return 0;
}
