import { concatBytes } from "../bytes/bytes.ts";
import { sha256Hex } from "../bytes/digest.ts";
import { toHex } from "../bytes/hex.ts";
import { StationError } from "../errors/station-error.ts";
import { firmwareSecret } from "../package/keys.ts";
import { requiredNumber, requiredText, textOption } from "./arguments.ts";
import type { Arguments } from "./command.ts";
import { type CommandContext, printResult } from "./context.ts";
import { readInput } from "./files.ts";
import type { CardSelector, HsmSelector, TokenModuleSelector } from "./hsm-selector.ts";
import { readPackageKey } from "./package-files.ts";
import { pinOf } from "./pin.ts";

/** Longest firmware identifier taken; ST does not publish the card's limit. */
const maximumIdCharacters = 32;

/** What goes onto an HSM besides the key. */
interface Content {
  readonly firmwareId: string;
  readonly maximum: number;
}

/**
 * Puts key, nonce, firmware id and maximum onto a development token, or has ST's tool put them onto a real card.
 * @returns the exit code
 * @throws USAGE_INVALID, KEY_*, PLAN_NOT_APPROVED for a real card, and the license class of errors
 */
export async function provisionHsm(
  selector: HsmSelector,
  args: Arguments,
  context: CommandContext,
): Promise<number> {
  if (selector.kind === "vendor-module") {
    throw StationError.of("HSM_ISSUE_NOT_PUBLIC", { source: selector.module });
  }
  const key = await readPackageKey(args);
  if (key === undefined) throw usage("provision needs --key and --nonce");
  const content = {
    firmwareId: requiredText(args, "firmware-id"),
    maximum: requiredNumber(args, "max", 10_000_000),
  };
  if (!/^[\x21-\x7e]+$/.test(content.firmwareId) || content.firmwareId.length > maximumIdCharacters) {
    throw usage(`--firmware-id takes up to ${maximumIdCharacters} printable characters without spaces`);
  }
  if (selector.kind === "card") return provisionCard(selector, content, args, context);
  return provisionToken(selector, content, firmwareSecret(key.key, key.nonce), args, context);
}

async function provisionToken(
  { module, token }: TokenModuleSelector,
  content: Content,
  secret: Uint8Array,
  args: Arguments,
  context: CommandContext,
): Promise<number> {
  if (token === undefined) throw usage("token=LABEL is missing in --hsm");
  const { createTokenClient } = await import("../../drivers/pkcs11/token-client.ts");
  const client = createTokenClient({ module, token, env: context.env, pin: pinOf(args, context) });
  try {
    const lock = args["lock"] === true;
    const { state, firmwareId, counter } = await client.provision({
      ...content,
      secret: toHex(secret),
      lock,
    });
    printResult(context, { token: token.label, state, firmwareId, counter }, () =>
      [
        `token        ${token.label}`,
        `firmware id  ${firmwareId}`,
        `counter      ${counter}`,
        `state        ${state}${lock ? "" : ": it issues nothing until it is provisioned with --lock"}`,
      ].join("\n"),
    );
    return 0;
  } finally {
    secret.fill(0);
    await client.close();
  }
}

/** ST's tool writes and locks the card in one go (AN5054 4.3.5). The key goes by file name, never on the command line. */
async function provisionCard(
  { slot }: CardSelector,
  content: Content,
  args: Arguments,
  context: CommandContext,
): Promise<number> {
  const { findTool } = await import("../../drivers/cubeprogrammer/find.ts");
  const { provisionWithTool } = await import("../../drivers/cubeprogrammer/provision.ts");
  const tool = findTool("STM32TrustedPackageCreator_CLI", textOption(args, "tool"), context.env);
  const files = {
    key: requiredText(args, "key"),
    nonce: requiredText(args, "nonce"),
    personalization: textOption(args, "personalization"),
  };
  const personalization =
    files.personalization === undefined ? new Uint8Array() : await readInput(files.personalization);
  const digest = sha256Hex(
    concatBytes(new TextEncoder().encode(JSON.stringify({ slot, ...content })), personalization),
  );
  context.say(
    `slot ${slot}: firmware id ${content.firmwareId}, ${content.maximum} licenses, then locked for good`,
  );
  if (textOption(args, "approve") !== digest) throw StationError.of("PLAN_NOT_APPROVED", { digest });
  await provisionWithTool(tool, { slot, ...content, files });
  printResult(
    context,
    { slot, ...content },
    () => `slot ${slot} was provisioned; check with \`sfi hsm info\``,
  );
  return 0;
}

function usage(detail: string): StationError {
  return StationError.of("USAGE_INVALID", { detail });
}
